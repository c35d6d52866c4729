//! Four builders in this process: their sandbox and source are in Rust, two keep their keys and their journal in it.

mod common;

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use synchronicity_node::synchronicity::{Hasher, Policy, Verdict};
use synchronicity_node::{Code, Event, EventKind, Node, NodeState, Phase, Sha256Digest, SubmitRequest, FOREVER};

const NAMES: [&str; 4] = ["alder", "birch", "cedar", "elm"];

fn digest(bytes: &[u8]) -> Sha256Digest {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn check_order(events: &[Event], job: Sha256Digest) {
    let mine: Vec<&Event> = events.iter().filter(|event| event.job == Some(job)).collect();
    let first = |kind: EventKind| mine.iter().position(|event| event.kind == kind).expect("such an event");
    assert_eq!((mine[0].kind, mine[0].text.as_str()), (EventKind::Ordered, "pkg:words/fine@1"));
    let committed = mine.iter().filter(|event| event.kind == EventKind::Committed);
    let mut committed: Vec<&str> = committed.map(|event| event.text.as_str()).collect();
    committed.sort_unstable();
    assert_eq!(committed, NAMES);
    let places = [
        EventKind::Ordered,
        EventKind::Committed,
        EventKind::Revealing,
        EventKind::Revealed,
        EventKind::Verdict,
        EventKind::Logged,
    ]
    .map(first);
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", places);
    let verdict = mine[first(EventKind::Verdict)];
    assert_eq!(Verdict::from_number(verdict.number as i32), Verdict::Reproduced);
    let logged = mine[first(EventKind::Logged)].number;
    assert!(events.iter().any(|event| event.kind == EventKind::Cosigned && event.number > logged));
    assert!(events.iter().all(|event| event.dropped == 0));
}

#[test]
fn a_group_rebuilds_and_its_proofs_hold() {
    let folder = Folder::new("group");
    make_group(&folder.0, &NAMES, &["cedar", "elm"], &["--reproducers", "3"]);
    let registry = registry();
    let lines: Vec<Lines> = NAMES.iter().map(|_| Lines::default()).collect();
    let nodes: Vec<Node> = NAMES
        .iter()
        .zip(&lines)
        .map(|(name, lines)| {
            let builder = Node::builder().registry(&registry).log(lines.logger());
            builder.load(folder.0.join(name).join("config.toml")).unwrap()
        })
        .collect();
    // Nodes keep what they need of it.
    drop(registry);
    let [alder, birch, cedar, elm] = [&nodes[0], &nodes[1], &nodes[2], &nodes[3]];
    let small = birch.events(2).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taken = seen.clone();
    let watch = birch.on_event(1000, move |event| taken.lock().unwrap().push(event)).unwrap();
    for node in &nodes {
        node.start().unwrap();
    }
    eventually("the builders find each other", || nodes.iter().all(|node| node.status().unwrap().connected_peers == 3));
    let status = alder.status().unwrap();
    assert_eq!((status.state, status.replicas, status.quorum), (NodeState::Running, 4, 3));

    let fine = SubmitRequest::new("pkg:words/fine@1");
    let job = alder.submit(&fine, MINUTE).unwrap();
    assert_eq!(cedar.submit(&fine, MINUTE).unwrap(), job);
    let mut again = fine.clone();
    again.rebuild = 1;
    assert_ne!(elm.submit(&again, MINUTE).unwrap(), job);

    let policy = Policy::read(folder.0.join("policy")).unwrap();
    let artifact = digest(b"made by the recipe fine\n");
    for node in &nodes {
        let done = node.wait(&job, Phase::Cosigned, MINUTE).unwrap();
        assert_eq!((done.phase, done.verdict), (Phase::Cosigned, Some(Verdict::Reproduced)));
        assert!(done.leaf_index.is_some());
        assert_eq!(node.job(&job).unwrap().agreeing, 4);
        let proof = node.proof(&job).unwrap();
        assert!(policy.verify(&proof, &artifact).unwrap().reproducers >= 3);
        policy.verify(&proof, &digest(b"something else")).unwrap_err();
        let path = node.artifact_path(&artifact).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"made by the recipe fine\n");
    }

    let nothing = Sha256Digest([0; 32]);
    assert_eq!(alder.job(&nothing).unwrap().phase, Phase::Unknown);
    let wait = |timeout| alder.wait(&nothing, Phase::Commit, timeout).unwrap_err().code();
    assert_eq!(wait(Duration::from_millis(100)), Code::TimedOut);
    assert_eq!(wait(Duration::ZERO), Code::TimedOut);
    assert_eq!(alder.proof(&nothing).unwrap_err().code(), Code::NotFound);
    assert_eq!(alder.artifact_path(&nothing).unwrap_err().code(), Code::NotFound);
    let json = alder.status_json().unwrap();
    assert!(json.starts_with('{') && json.contains("\"alder\""), "{}", json);

    // What a source gives is checked where it is submitted.
    for (package, code, part, time) in [
        ("pkg:words/missing@1", Code::NotFound, "There is no such word", MINUTE),
        ("pkg:words/panics@1", Code::Io, "it panicked: a sentence with ümlauts and a", MINUTE),
        ("pkg:words/nospec@1", Code::Io, "refused", MINUTE),
        ("pkg:cargo/x@1", Code::Invalid, "pkg:words", MINUTE),
        ("pkg:words/slow@1", Code::TimedOut, "Time is up", Duration::from_millis(200)),
    ] {
        let error = alder.submit(&SubmitRequest::new(package), time).unwrap_err();
        assert_eq!(error.code(), code, "{}: {}", package, error);
        assert!(error.message().contains(part), "{}: {}", package, error);
    }

    for node in &nodes {
        node.drain(MINUTE).unwrap();
    }
    // One is waited for, for ever, while its node ends.
    thread::scope(|scope| {
        let waits = scope.spawn(|| birch.wait(&nothing, Phase::Cosigned, FOREVER).unwrap_err().code());
        thread::sleep(Duration::from_millis(100));
        for node in &nodes {
            node.stop(MINUTE).unwrap();
            assert_eq!(node.status().unwrap().state, NodeState::Stopped);
        }
        assert_eq!(waits.join().unwrap(), Code::State);
    });
    watch.join().unwrap();
    check_order(&seen.lock().unwrap(), job);
    drop(nodes);
    // It outlives its node, and its first two events.
    assert_eq!(small.count(), 2);
    for (name, lines) in NAMES.iter().zip(&lines) {
        assert!(lines.has("Started"), "{}", name);
        assert_eq!(lines.errors(), [""; 0], "{}", name);
    }
}

#[test]
fn what_waits_ends_with_its_node() {
    let folder = Folder::new("waits");
    make_group(&folder.0, &["alder"], &["alder"], &[]);
    let registry = registry();
    let node = Node::builder().registry(&registry).load(folder.0.join("alder/config.toml")).unwrap();
    node.start().unwrap();
    let events = node.events(10).unwrap();
    thread::scope(|scope| {
        let submits = scope.spawn(|| node.submit(&SubmitRequest::new("pkg:words/slow@1"), FOREVER).unwrap_err());
        let listens = scope.spawn(|| events.into_iter().count());
        thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        node.stop(FOREVER).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(15));
        assert_eq!(submits.join().unwrap().code(), Code::State);
        listens.join().unwrap();
    });
}

#[test]
fn a_restored_node_observes_first() {
    let folder = Folder::new("restored");
    make_group(&folder.0, &NAMES, &[], &[]);
    let registry = registry();
    for is_restored in [false, true] {
        let builder = Node::builder().registry(&registry).restored(is_restored);
        let node = builder.load(folder.0.join("alder/config.toml")).unwrap();
        node.start().unwrap();
        assert_eq!(node.status().unwrap().is_observing, is_restored);
        node.stop(MINUTE).unwrap();
    }
}
