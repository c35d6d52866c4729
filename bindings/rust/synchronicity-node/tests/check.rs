//! The conformance suites on plugins in Rust.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use common::seed_keys::SeedKeys;
use common::*;
use synchronicity_node::plugin::{CreateRequest, Failure, KeyRole};
use synchronicity_node::{Call, CheckOptions, Code, Error, Plugin, Registry, Signer};

/// One key for two roles.
struct Twins(SeedKeys);

fn one(role: KeyRole) -> KeyRole {
    match role {
        KeyRole::Cosigner => KeyRole::Log,
        other => other,
    }
}

impl Signer for Twins {
    fn public_key(&self, role: KeyRole, call: &Call<'_>) -> Result<[u8; 32], Failure> {
        self.0.public_key(one(role), call)
    }

    fn sign(&self, role: KeyRole, message: &[u8], call: &Call<'_>) -> Result<[u8; 64], Failure> {
        self.0.sign(one(role), message, call)
    }
}

fn twins_plugin() -> Plugin {
    Plugin::signer("twins", "1", |request: &CreateRequest<'_>| SeedKeys::make(request).map(Twins))
}

fn options(change: impl FnOnce(&mut CheckOptions)) -> CheckOptions {
    let mut options = CheckOptions::default();
    change(&mut options);
    options
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_string(), value.to_string())
}

/// The setting without which the signer makes no instance.
fn with_seed(folder: &Folder) -> CheckOptions {
    let path = folder.0.join("seed");
    fs::write(&path, "07".repeat(32)).unwrap();
    options(|options| options.settings = vec![pair("seed", path.to_str().unwrap())])
}

#[track_caller]
fn reported(registry: &Registry, name: &str, options: &CheckOptions, end: &str, failed: Option<&str>) {
    let report = registry.check(name, options).unwrap();
    assert_eq!(report.has_passed, failed.is_none(), "{}", report);
    assert_eq!(report.to_string(), report.text);
    let lines: Vec<&str> = report.text.lines().collect();
    let (last, lines) = lines.split_last().unwrap();
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    let (passed, fails) = (count("pass: "), count("FAIL: "));
    assert_eq!(passed + fails, lines.len(), "{}", report);
    assert_eq!(fails == 0, failed.is_none(), "{}", report);
    assert_eq!(*last, format!("{}: {} of {} checks passed", end, passed, lines.len()));
    if let Some(start) = failed {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{}: {}", start, report);
    }
}

#[test]
fn who_keeps_the_promises_passes() {
    let folder = Folder::new("passes");
    let registry = registry();
    reported(&registry, "seed-keys", &with_seed(&folder), "seed-keys 1, a signer", None);
    reported(&registry, "map", &CheckOptions::default(), "map 1, a storage", None);
    let fine = options(|options| options.package = Some("pkg:words/fine@1".to_string()));
    reported(&registry, "words", &fine, "words 1, a source", None);
}

#[test]
fn who_does_not_fails() {
    let folder = Folder::new("fails");
    let mut registry = registry();
    registry.add(twins_plugin()).unwrap();
    let shared = "FAIL: each role has a key of its own: the cosigner key is another role's too";
    reported(&registry, "twins", &with_seed(&folder), "twins 1, a signer", Some(shared));
    // Without its setting no instance is made.
    let unmade = "FAIL: each role has a key of its own: ";
    reported(&registry, "seed-keys", &CheckOptions::default(), "seed-keys 1, a signer", Some(unmade));
    let missing = options(|options| options.package = Some("pkg:words/missing@1".to_string()));
    reported(&registry, "words", &missing, "words 1, a source", Some("FAIL: the package is resolved: "));
}

#[track_caller]
fn refused(registry: &Registry, name: &str, options: &CheckOptions, code: Code, part: &str) {
    let error = registry.check(name, options).err().unwrap_or_else(|| panic!("{} is not refused", part));
    assert_eq!(error.code(), code, "{}", error);
    assert!(error.message().contains(part), "{}", error);
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let mut registry = registry();
    let none = CheckOptions::default();
    refused(&registry, "nobody", &none, Code::NotFound, "nobody");
    refused(&registry, "sqlite", &none, Code::NotFound, "sqlite");
    refused(&registry, "a\0b", &none, Code::InvalidArgument, "The plugin's name is \"a\\0b\", which holds a NUL");
    refused(&registry, "plain", &none, Code::Invalid, "toolchain");
    refused(&registry, "words", &none, Code::Invalid, "package");
    let rows = [
        ("relative.tar", Code::Invalid, "absolute"),
        ("/no/such.tar", Code::NotFound, "/no/such.tar"),
        ("/a\0b.tar", Code::InvalidArgument, "holds a NUL"),
    ];
    for (path, code, part) in rows {
        let toolchain = options(|options| options.toolchain = Some(PathBuf::from(path)));
        refused(&registry, "plain", &toolchain, code, part);
    }
    for (package, code, part) in [("words", Code::Invalid, "purl"), ("a\0b", Code::InvalidArgument, "The package is")] {
        let package = options(|options| options.package = Some(package.to_string()));
        refused(&registry, "words", &package, code, part);
    }
    let rows = [
        (vec![pair("a", "1"), pair("a", "2")], Code::InvalidArgument, "twice"),
        (vec![pair("a", "\0")], Code::InvalidArgument, "A setting is"),
        ((0..1001).map(|number| pair(&number.to_string(), "")).collect(), Code::TooLarge, "1001"),
    ];
    for (settings, code, part) in rows {
        let wrong = options(|options| options.settings = settings);
        refused(&registry, "map", &wrong, code, part);
    }
    let escapes = options(|options| options.escapes = Some(vec![pair("a\0", "b")]));
    refused(&registry, "map", &escapes, Code::InvalidArgument, "holds a NUL");
    registry.add(Plugin::signer("map", "1", SeedKeys::make)).unwrap();
    refused(&registry, "map", &none, Code::Invalid, "map");
}

#[test]
fn from_within_it_is_refused_and_from_outside_several_run_at_once() {
    let folder = Folder::new("within");
    let held: Arc<Mutex<Option<Arc<Registry>>>> = Arc::default();
    let told: Arc<Mutex<Vec<Error>>> = Arc::default();
    let (inner, kept) = (held.clone(), told.clone());
    let mut registry = registry();
    let make = move |request: &CreateRequest<'_>| {
        let outer = inner.lock().unwrap().take();
        if let Some(outer) = outer {
            kept.lock().unwrap().push(outer.check("map", &CheckOptions::default()).unwrap_err());
        }
        SeedKeys::make(request)
    };
    registry.add(Plugin::signer("asking", "1", make)).unwrap();
    let registry = Arc::new(registry);
    *held.lock().unwrap() = Some(registry.clone());
    let seed = with_seed(&folder);
    std::thread::scope(|scope| {
        scope.spawn(|| reported(&registry, "asking", &seed, "asking 1, a signer", None));
        scope.spawn(|| reported(&registry, "seed-keys", &seed, "seed-keys 1, a signer", None));
    });
    let codes: Vec<Code> = told.lock().unwrap().iter().map(Error::code).collect();
    assert_eq!(codes, [Code::State]);
}
