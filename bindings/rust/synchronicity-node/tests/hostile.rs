//! A builder whose plugins go wrong: each way costs one job, and not the node.

mod common;

use std::path::Path;
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, panic};

use common::plain::Plain;
use common::*;
use synchronicity_node::plugin::{
    Call, CreateRequest, Ending, Failure, FailureCode, Finding, RunRequest, RunResult, Sandbox, Transcript,
};
use synchronicity_node::{Code, Node, NodeState, Phase, Plugin, SubmitRequest, Verdict, FOREVER};

/// Runs real processes, and does what some words say.
struct Odd {
    told: Mutex<Sender<String>>,
    node: Arc<Mutex<Option<Node>>>,
    _token: Arc<()>,
}

impl Odd {
    fn tell(&self, what: impl Into<String>) {
        let _ = self.told.lock().unwrap().send(what.into());
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("again");
    }
}

impl Sandbox for Odd {
    fn probe(&self, call: &Call<'_>) -> Result<Vec<Finding>, Failure> {
        Plain.probe(call)
    }

    fn prepare(&self, toolchain: &str, archive: &Path, call: &Call<'_>) -> Result<(), Failure> {
        Plain.prepare(toolchain, archive, call)
    }

    fn has_toolchain(&self, toolchain: &str, call: &Call<'_>) -> Result<bool, Failure> {
        assert_eq!(toolchain, TOOLCHAIN);
        Plain.has_toolchain(toolchain, call)
    }

    fn run(
        &self,
        request: &RunRequest<'_>,
        transcript: &mut Transcript<'_>,
        call: &Call<'_>,
    ) -> Result<RunResult, Failure> {
        let recipe = fs::read_to_string(request.host_path("/input/recipe.sh").unwrap())?;
        assert!(!call.is_cancelled());
        assert!(call.cancel_descriptor().is_some());
        assert_eq!(request.command, ["/bin/sh", "/input/recipe.sh"]);
        assert_eq!(request.environment, [("PATH", "/usr/bin:/bin"), ("WORD", "two words")]);
        assert_eq!(request.mounts.iter().filter(|mount| mount.is_writable).count(), 1);
        let is = |word: &str| recipe.contains(&format!("' {} >", word));
        if is("raises") {
            panic!("no text \0 at all");
        } else if is("throws") {
            panic::panic_any(Bomb);
        } else if is("refuses") {
            return Err(Failure::new(FailureCode::Unavailable, "This sandbox\nwill \0 not"));
        } else if is("number") {
            return Ok(RunResult::new(Ending::Signalled(99), Duration::ZERO));
        } else if is("blocked") {
            let begun = Instant::now();
            assert!(!call.wait_until_cancelled(Duration::from_millis(50)));
            assert!(begun.elapsed() >= Duration::from_millis(50));
            assert!(call.wait_until_cancelled(FOREVER));
            self.tell("blocked was cancelled");
            return Err(FailureCode::Cancelled.into());
        } else if is("deaf") {
            // Whoever cancels it, until nobody listens.
            while self.told.lock().unwrap().send("deaf".to_string()).is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        } else if is("printing") {
            let fitted = (0..20).filter(|_| transcript.add(&[b'x'; 100])).count();
            self.tell(format!("{} fitted", fitted));
            return Ok(RunResult::new(Ending::TranscriptExceeded, Duration::ZERO));
        } else if is("within") {
            let node = self.node.lock().unwrap().take().unwrap();
            self.tell(format!("{:?}", node.status().unwrap().state));
            self.tell(format!("{:?}", node.stop(FOREVER).unwrap_err().code()));
            self.tell(format!("{:?}", node.stop(Duration::ZERO).unwrap_err().code()));
            self.tell(format!("{:?}", node.drain(Duration::ZERO).unwrap_err().code()));
            drop(node);
            self.tell("dropped");
        } else if recipe.contains("sleep 100") {
            self.tell(request.host_path("/output").unwrap().to_str().unwrap());
        }
        let result = Plain.run(request, transcript, call)?;
        self.tell(format!("{} {:?}", recipe.split_whitespace().next().unwrap(), result.ending));
        Ok(result)
    }
}

type Held = (Arc<()>, Arc<Mutex<Option<Node>>>, std::sync::mpsc::Receiver<String>);

fn odd() -> (Plugin, Held) {
    let (send, receive) = channel();
    let (token, node) = (Arc::new(()), Arc::new(Mutex::new(None)));
    let (kept, held) = (token.clone(), node.clone());
    let send = Mutex::new(send);
    let make = move |_: &CreateRequest<'_>| {
        let told = Mutex::new(send.lock().unwrap().clone());
        Ok(Odd { told, node: held.clone(), _token: kept.clone() })
    };
    (Plugin::sandbox("plain", "1", make), (token, node, receive))
}

#[track_caller]
fn is_let_go(token: &Arc<()>) {
    eventually("all that was made is dropped", || Arc::strong_count(token) == 1);
}

#[test]
fn each_way_costs_one_job() {
    let folder = Folder::new("hostile");
    make_group(&folder.0, &["alder"], &[], &[]);
    let text = configuration(&folder.0, "alder") + "[settings.plain]\npatience-seconds = 1\n";
    let (plugin, (token, _, told)) = odd();
    let registry = registry_with(plugin);
    let lines = Lines::default();
    let builder = Node::builder().registry(&registry).log(lines.logger());
    let node = builder.create(text, folder.0.join("alder")).unwrap();
    drop(registry);
    node.start().unwrap();
    let rows = [
        ("raises", Verdict::Inconclusive, "it panicked: no text   at all"),
        ("throws", Verdict::Inconclusive, "(run) failed: it panicked"),
        ("refuses", Verdict::Inconclusive, "This sandbox will   not"),
        ("number", Verdict::Inconclusive, "99"),
        ("blocked", Verdict::Inconclusive, "gave no answer in 3 s"),
        ("printing", Verdict::Failed, ""),
        // Real processes.
        ("hangs", Verdict::Failed, ""),
        ("dies", Verdict::Failed, ""),
        ("fails", Verdict::Failed, ""),
        ("prints", Verdict::Failed, ""),
        ("fine", Verdict::Reproduced, ""),
    ];
    let submit = |word: &str| node.submit(&SubmitRequest::new(format!("pkg:words/{}@1", word)), MINUTE).unwrap();
    let jobs: Vec<_> = rows.iter().map(|row| submit(row.0)).collect();
    for ((word, verdict, sentence), job) in rows.iter().zip(&jobs) {
        let done = node.wait(job, Phase::Cosigned, MINUTE).unwrap();
        assert_eq!(done.verdict, Some(*verdict), "{}: {}", word, lines.all());
        assert!(lines.has(sentence), "{}: {}", word, lines.all());
    }
    let told: Vec<String> = told.try_iter().collect();
    assert!(told.iter().any(|line| line == "10 fitted"), "{:?}", told);
    assert!(told.iter().any(|line| line == "blocked was cancelled"), "{:?}", told);
    for wanted in ["echo WallTimeExceeded", "kill Signalled(15)", "exit Exited(3)", "head TranscriptExceeded"] {
        assert!(told.iter().any(|line| line == wanted), "{}: {:?}", wanted, told);
    }
    assert!(is_running(&node));
    drop(node);
    is_let_go(&token);
}

#[test]
fn a_run_is_cancelled_with_its_processes() {
    let folder = Folder::new("cancelled");
    make_group(&folder.0, &["alder"], &[], &[]);
    let (plugin, (token, _, told)) = odd();
    let registry = registry_with(plugin);
    let node = Node::builder().registry(&registry).load(folder.0.join("alder/config.toml")).unwrap();
    drop(registry);
    node.start().unwrap();
    node.submit(&SubmitRequest::new("pkg:words/sleeps@1"), MINUTE).unwrap();
    let output = told.recv_timeout(MINUTE).unwrap();
    let mut process = String::new();
    eventually("the recipe says its number", || {
        process = fs::read_to_string(Path::new(&output).join("out")).unwrap_or_default().trim().to_string();
        !process.is_empty()
    });
    let process = Path::new("/proc").join(process);
    assert!(process.exists());
    assert_eq!(node.drain(Duration::from_millis(50)).unwrap_err().code(), Code::TimedOut);
    let begun = Instant::now();
    node.stop(MINUTE).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!process.exists());
    assert_eq!(node.status().unwrap().state, NodeState::Stopped);
    drop(node);
    is_let_go(&token);
}

#[test]
fn a_run_that_does_not_return_outlives_its_node() {
    let folder = Folder::new("deaf");
    make_group(&folder.0, &["alder"], &[], &[]);
    let (plugin, (token, _, told)) = odd();
    let registry = registry_with(plugin);
    let node = Node::builder().registry(&registry).load(folder.0.join("alder/config.toml")).unwrap();
    drop(registry);
    node.start().unwrap();
    node.submit(&SubmitRequest::new("pkg:words/deaf@1"), MINUTE).unwrap();
    assert_eq!(told.recv_timeout(MINUTE).unwrap(), "deaf");
    assert_eq!(node.stop(Duration::from_millis(100)).unwrap_err().code(), Code::TimedOut);
    let begun = Instant::now();
    drop(node);
    assert!(begun.elapsed() < MINUTE, "{:?}", begun.elapsed());
    assert!(Arc::strong_count(&token) > 1);
    drop(told);
    is_let_go(&token);
}

#[test]
fn a_node_can_be_dropped_from_within() {
    let folder = Folder::new("within");
    make_group(&folder.0, &["alder"], &[], &[]);
    let (plugin, (token, held, told)) = odd();
    let registry = registry_with(plugin);
    let node = Node::builder().registry(&registry).load(folder.0.join("alder/config.toml")).unwrap();
    drop(registry);
    let events = node.events(1000).unwrap();
    node.start().unwrap();
    // Held while the job is submitted, so that the run finds it afterwards.
    let mut place = held.lock().unwrap();
    node.submit(&SubmitRequest::new("pkg:words/within@1"), MINUTE).unwrap();
    *place = Some(node);
    drop(place);
    for wanted in ["Running", "State", "State", "TimedOut", "dropped"] {
        assert_eq!(told.recv_timeout(MINUTE).unwrap(), wanted);
    }
    // It ends.
    assert!(events.count() >= 1);
    drop(held);
    is_let_go(&token);
}

#[test]
fn a_node_can_be_dropped_in_its_log() {
    let folder = Folder::new("log");
    make_group(&folder.0, &["alder"], &[], &[]);
    let (plugin, (token, held, _)) = odd();
    let registry = registry_with(plugin);
    let in_log = held.clone();
    let (send, told) = channel();
    let send = Mutex::new(send);
    let log = move |_, line: &str| {
        if line.contains("Rebuilt") {
            if let Some(node) = in_log.lock().unwrap().take() {
                let code = node.stop(FOREVER).unwrap_err().code();
                drop(node);
                send.lock().unwrap().send(code).unwrap();
            }
        }
        panic!("whatever a log's function does");
    };
    let node = Node::builder().registry(&registry).log(log).load(folder.0.join("alder/config.toml")).unwrap();
    drop(registry);
    let events = node.events(1000).unwrap();
    node.start().unwrap();
    let mut place = held.lock().unwrap();
    node.submit(&SubmitRequest::new("pkg:words/fine@1"), MINUTE).unwrap();
    *place = Some(node);
    drop(place);
    assert_eq!(told.recv_timeout(MINUTE).unwrap(), Code::State);
    assert!(events.count() >= 1);
    drop(held);
    is_let_go(&token);
}

#[test]
fn watches_end_in_every_way() {
    let folder = Folder::new("watch");
    make_group(&folder.0, &["alder"], &[], &[]);
    let registry = registry();
    let node = Node::builder().registry(&registry).load(folder.0.join("alder/config.toml")).unwrap();
    let events = node.events(10).unwrap();
    let closed = node.on_event(10, |_| ()).unwrap();
    let panics = node.on_event(10, |_| panic!("a listener's")).unwrap();
    let (send, told) = channel();
    let dropped = node.on_event(10, move |_| send.send(()).unwrap()).unwrap();
    closed.close();
    closed.join().unwrap();
    drop(dropped);
    // The function goes with its thread.
    assert_eq!(told.recv_timeout(MINUTE), Err(RecvTimeoutError::Disconnected));
    node.start().unwrap();
    node.submit(&SubmitRequest::new("pkg:words/fine@1"), MINUTE).unwrap();
    let said = panics.join().unwrap_err();
    assert_eq!(said.downcast_ref::<&str>(), Some(&"a listener's"));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| events.next_timeout(FOREVER).map(|_| ()));
        assert_eq!(waits.join().unwrap(), Ok(()));
        let counts = scope.spawn(|| (&events).count());
        std::thread::sleep(Duration::from_millis(50));
        events.close();
        counts.join().unwrap();
    });
    assert_eq!(events.next_timeout(FOREVER).unwrap_err().code(), Code::State);
}
