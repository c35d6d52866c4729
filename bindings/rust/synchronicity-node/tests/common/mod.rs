//! Folders of builders, made with the program, which `SYNC_COMMAND` names.
#![allow(dead_code)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use synchronicity_node::{LogLevel, Node, NodeState, Plugin, Registry};

#[path = "../../examples/map.rs"]
pub mod map;
#[path = "../../examples/plain.rs"]
pub mod plain;
#[path = "../../examples/seed_keys.rs"]
pub mod seed_keys;
#[path = "../../examples/words.rs"]
pub mod words;

pub const TOOLCHAIN: &str = "0000000000000000000000000000000000000000000000000000000000000007";
pub const MINUTE: Duration = Duration::from_secs(60);

/// A folder that goes with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sync-rust-{}-{}", process::id(), name));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A node that ends by itself may still write.
        for _ in 0..100 {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn command(arguments: &[&str]) {
    let program = env::var("SYNC_COMMAND").expect("SYNC_COMMAND names the program synchronicity");
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{:?}: {}", arguments, String::from_utf8_lossy(&output.stderr));
}

/// The first of so many ports in a row that nobody listens on. They lie below those from which the kernel takes the
/// local port of an outgoing connection.
fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    for _ in 0..500 {
        let place = NEXT.fetch_add(count, Ordering::Relaxed);
        let first = 10_000 + (process::id() as u16).wrapping_mul(97).wrapping_add(place) % 20_000;
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no {} free ports in a row", count);
}

/// A folder for each builder, and the files `group.txt` and `policy`. Their sandbox is `plain` and their source
/// `words`; the signer of those in `with_rust_keys` is `seed-keys` and their storage `map`.
pub fn make_group(folder: &Path, names: &[&str], with_rust_keys: &[&str], options: &[&str]) {
    let ports = free_ports(2 * names.len() as u16);
    let mut cards = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let here = folder.join(name);
        let address = format!("127.0.0.1:{}", ports + 2 * place as u16);
        let gateway = format!("127.0.0.1:{}", ports + 2 * place as u16 + 1);
        command(&[
            "init",
            "--quiet",
            "--name",
            name,
            "--address",
            &address,
            "--listen",
            &address,
            "--gateway",
            &gateway,
            "--directory",
            here.to_str().unwrap(),
        ]);
        let path = here.join("config.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        let mut change = |key: &str, line: &str| {
            let start = format!("{} = ", key);
            let lines: Vec<&str> = text.lines().map(|old| if old.starts_with(&start) { line } else { old }).collect();
            let changed = lines.join("\n") + "\n";
            assert_ne!(changed, text, "{}", key);
            text = changed;
        };
        change("sandbox", "sandbox = \"plain\"");
        change("group", "group = \"../group.txt\"");
        change("data", "data = \"data\"\ncache = \"cache\"");
        if with_rust_keys.contains(name) {
            change("source", "source = \"words\"\nsigner = \"seed-keys\"\nstorage = \"map\"");
            text += &format!("\n[settings.seed-keys]\nseed = {:?}\n", here.join("seed"));
        } else {
            change("source", "source = \"words\"");
        }
        text += &format!("\n[toolchain]\ndigest = \"{}\"\n", TOOLCHAIN);
        fs::write(&path, text).unwrap();
        cards.push(here.join(format!("{}.member", name)).to_str().unwrap().to_string());
    }
    let (group, policy) = (folder.join("group.txt"), folder.join("policy"));
    let mut arguments = vec!["group", "create", "--origin", "rust.example"];
    arguments.extend(["--commit-seconds", "12", "--reveal-seconds", "12"]);
    arguments.extend(options);
    arguments.extend(["--output", group.to_str().unwrap(), "--policy", policy.to_str().unwrap()]);
    arguments.extend(cards.iter().map(String::as_str));
    command(&arguments);
}

pub fn configuration(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name).join("config.toml")).unwrap()
}

pub fn plain_plugin() -> Plugin {
    Plugin::sandbox("plain", "1", plain::Plain::make)
}

pub fn words_plugin() -> Plugin {
    Plugin::source("words", "1", "words", "words", words::Words::make)
}

pub fn keys_plugin() -> Plugin {
    Plugin::signer("seed-keys", "1", seed_keys::SeedKeys::make)
}

pub fn map_plugin() -> Plugin {
    Plugin::storage("map", "1", map::Map::make)
}

/// All of them, with this sandbox.
pub fn registry_with(sandbox: Plugin) -> Registry {
    let mut registry = Registry::new().unwrap();
    registry.add(sandbox).unwrap().add(words_plugin()).unwrap().add(keys_plugin()).unwrap().add(map_plugin()).unwrap();
    registry
}

pub fn registry() -> Registry {
    registry_with(plain_plugin())
}

/// What a node has said.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<(LogLevel, String)>>>);

impl Lines {
    pub fn logger(&self) -> impl Fn(LogLevel, &str) + Send + Sync + 'static {
        let lines = self.0.clone();
        move |level, line| lines.lock().unwrap().push((level, line.to_string()))
    }

    pub fn has(&self, part: &str) -> bool {
        self.0.lock().unwrap().iter().any(|(_, line)| line.contains(part))
    }

    pub fn errors(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|(level, _)| *level >= LogLevel::Error).map(|(_, line)| line.clone()).collect()
    }

    pub fn all(&self) -> String {
        self.0.lock().unwrap().iter().map(|(_, line)| format!("{}\n", line)).collect()
    }
}

/// Waits until it is so, and fails when it does not come.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < MINUTE, "{}", what);
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn is_running(node: &Node) -> bool {
    node.status().unwrap().state == NodeState::Running
}
