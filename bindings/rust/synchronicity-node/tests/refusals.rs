//! What is refused before anything runs, and how.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::plain::Plain;
use common::words::Words;
use common::*;
use synchronicity_node::plugin::{CreateRequest, Failure};
use synchronicity_node::{
    Call, Code, Error, Events, Node, NodeState, Phase, Plugin, Registry, Sha256Digest, SubmitRequest, Watch,
};

fn assert_send_and_sync<T: Send + Sync>() {}

#[test]
fn everything_may_be_shared_between_threads() {
    assert_send_and_sync::<Node>();
    assert_send_and_sync::<Registry>();
    assert_send_and_sync::<Events>();
    assert_send_and_sync::<Watch>();
    assert_send_and_sync::<Error>();
    assert_send_and_sync::<Plugin>();
    assert_send_and_sync::<Call<'_>>();
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, code: Code, part: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{} is not refused", part));
    assert_eq!(error.code(), code, "{}", error);
    assert!(error.message().contains(part), "{}", error);
}

#[test]
fn configurations() {
    let folder = Folder::new("configurations");
    make_group(&folder.0, &["alder"], &[], &[]);
    let alder = folder.0.join("alder");
    let registry = registry();
    let good = configuration(&folder.0, "alder");
    let rows = [
        ("name = 1".to_string(), Code::Invalid, "name"),
        ("no toml at all".to_string(), Code::Invalid, ""),
        (String::new(), Code::Invalid, "name"),
        (good.clone() + "[nothing]\n", Code::Invalid, "nothing"),
        (good.replace("../group.txt", "none.txt"), Code::Io, "none.txt"),
        (good.replace("\"plain\"", "\"no-such\""), Code::Invalid, "no-such"),
        (" ".repeat((1 << 20) + 1), Code::TooLarge, "1048576"),
    ];
    for (text, code, part) in rows {
        refused(Node::builder().registry(&registry).create(text, &alder), code, part);
    }
    refused(Node::create(&good, &alder), Code::Invalid, "plain");
    refused(Node::builder().registry(&registry).create(b"name = \"\xff\"", &alder), Code::Invalid, "");
    refused(Node::create(&good, "a\0b"), Code::InvalidArgument, "holds a NUL");
    refused(Node::load(alder.join("none.toml")), Code::Io, "none.toml cannot be read");
    fs::write(alder.join("large.toml"), " ".repeat(1 << 21)).unwrap();
    refused(Node::load(alder.join("large.toml")), Code::TooLarge, "1048576");
}

#[test]
fn plugins() {
    let token = Arc::new(());
    let sandbox = |name: &str, version: &str| {
        let kept = token.clone();
        let make = move |_: &CreateRequest<'_>| {
            let _ = &kept;
            Ok(Plain)
        };
        Plugin::sandbox(name, version, make)
    };
    let mut registry = Registry::new().unwrap();
    registry.add(sandbox("plain", "1")).unwrap();
    refused(registry.add(sandbox("plain", "1")), Code::Invalid, "already");
    refused(registry.add(sandbox("Bad Name", "1")), Code::Invalid, "lower-case");
    refused(registry.add(sandbox("a\0b", "1")), Code::Invalid, "lower-case");
    refused(registry.add(sandbox("no-version", "")), Code::Invalid, "version");
    refused(registry.add(Plugin::source("bad-type", "1", "Words 1", "words", Words::make)), Code::Invalid, "purl type");
    refused(unsafe { registry.load("relative.so") }, Code::Invalid, "absolute");
    refused(unsafe { registry.load("/no/such.so") }, Code::Invalid, "/no/such.so");
    refused(unsafe { registry.load("/no\0such.so") }, Code::InvalidArgument, "holds a NUL");
    eventually("what was refused is dropped", || Arc::strong_count(&token) == 2);
    drop(registry);
    eventually("what was kept is dropped", || Arc::strong_count(&token) == 1);
}

#[test]
fn states() {
    let folder = Folder::new("states");
    make_group(&folder.0, &["alder"], &[], &[]);
    let path = folder.0.join("alder/config.toml");
    let registry = registry();
    let node = Node::builder().registry(&registry).load(&path).unwrap();
    let job = Sha256Digest([0; 32]);
    assert_eq!(format!("{:?}", node), "Node { state: Ok(Created) }");
    let fine = SubmitRequest::new("pkg:words/fine@1");
    refused(node.submit(&fine, MINUTE), Code::State, "start");
    refused(node.wait(&job, Phase::Cosigned, MINUTE), Code::State, "start");
    refused(node.job(&job), Code::State, "start");
    refused(node.proof(&job), Code::State, "start");
    refused(node.artifact_path(&job), Code::State, "start");
    refused(node.drain(MINUTE), Code::State, "start");
    refused(node.status_json(), Code::State, "start");
    for capacity in [0, 65_537] {
        refused(node.events(capacity), Code::OutOfRange, "capacity");
    }
    let events = node.events(1).unwrap();
    let begun = Instant::now();
    refused(events.next_timeout(Duration::from_millis(100)), Code::TimedOut, "");
    assert!(begun.elapsed() >= Duration::from_millis(100));
    // One that is stopped before its time is never started.
    node.stop(MINUTE).unwrap();
    assert_eq!(node.status().unwrap().state, NodeState::Stopped);
    assert_eq!(events.count(), 0);
    refused(node.start(), Code::State, "once");
    let node = Node::builder().registry(&registry).load(&path).unwrap();
    node.start().unwrap();
    refused(node.start(), Code::State, "");
    for (package, part) in [("", ""), ("pkg:cargo/x@1", "pkg:words"), ("words", "")] {
        refused(node.submit(&SubmitRequest::new(package), MINUTE), Code::Invalid, part);
    }
    refused(node.submit(&SubmitRequest::new("pkg:words/\0@1"), MINUTE), Code::InvalidArgument, "holds a NUL");
    let mut request = fine.clone();
    request.priority = 101;
    refused(node.submit(&request, MINUTE), Code::Invalid, "priority");
    let mut request = fine.clone();
    request.toolchain = Some("seven".to_string());
    refused(node.submit(&request, MINUTE), Code::Invalid, "toolchain");
    // The same folder, while the first one runs.
    let second = Node::builder().registry(&registry).load(&path).unwrap();
    assert!(second.start().is_err());
    assert_eq!(second.status().unwrap().state, NodeState::Stopped);
    node.stop(MINUTE).unwrap();
    node.stop(MINUTE).unwrap();
    refused(node.start(), Code::State, "");
    refused(node.submit(&fine, MINUTE), Code::State, "");
}

#[test]
fn instances_that_cannot_be_made() {
    let folder = Folder::new("instances");
    make_group(&folder.0, &["alder", "birch"], &["alder"], &[]);
    let text = configuration(&folder.0, "alder");
    let make = |text: &str, registry: &Registry| {
        let builder = Node::builder().registry(registry);
        builder.create(text, folder.0.join("alder")).and_then(|node| node.start())
    };
    // The seed of another builder makes another card.
    let foreign = text.replace("alder/seed", "birch/seed");
    assert_ne!(foreign, text);
    refused(make(&foreign, &registry()), Code::Invalid, "key");
    let missing = text.replace("alder/seed", "none/seed");
    refused(make(&missing, &registry()), Code::Io, "none/seed");
    let panicking = Plugin::sandbox("plain", "1", |request: &CreateRequest<'_>| -> Result<Plain, Failure> {
        assert!(request.node != "alder", "not for {}", request.node);
        Ok(Plain)
    });
    refused(make(&text, &registry_with(panicking)), Code::Io, "it panicked: not for alder");
    let seen = Plugin::sandbox("plain", "1", |request: &CreateRequest<'_>| -> Result<Plain, Failure> {
        assert!(request.state_directory.is_absolute() && request.state_directory.is_dir());
        assert_eq!(request.setting("cores"), Some("2"));
        assert_eq!(request.setting("none"), None);
        Ok(Plain)
    });
    make(&(text + "[settings.plain]\ncores = 2\n"), &registry_with(seen)).unwrap();
    assert!(!Path::new("config.toml").exists());
}
