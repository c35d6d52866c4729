//! Many lives of a node leave nothing behind. `SYNC_CYCLES` says how many: 50 unless given. Alone in its process.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use common::*;
use synchronicity_node::{Code, Node, Sha256Digest};

fn count(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{}", what)).unwrap().count()
}

/// Threads and descriptors, once they are no more than these: idle threads of the runtime end after ten seconds.
fn settled(limit: (usize, usize)) -> (usize, usize) {
    let begun = Instant::now();
    loop {
        let counts = (count("task"), count("fd"));
        if counts.0 <= limit.0 && counts.1 <= limit.1 || begun.elapsed() > Duration::from_secs(12) {
            return counts;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn resident_kib() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn live(folder: &Folder, cycle: usize) {
    let registry = registry();
    let builder = Node::builder().registry(&registry).log(|_, _| ());
    let node = builder.load(folder.0.join(["alder", "birch"][cycle % 2]).join("config.toml")).unwrap();
    drop(registry);
    let events = node.events(10).unwrap();
    let watch = node.on_event(10, |_| ()).unwrap();
    if cycle % 10 != 9 {
        node.start().unwrap();
    }
    if cycle % 3 == 0 {
        node.stop(MINUTE).unwrap();
    }
    if cycle % 5 == 0 {
        drop(node);
        if cycle % 10 != 9 {
            watch.join().unwrap();
        }
        drop(events);
    }
}

#[test]
fn lives_leave_nothing_behind() {
    let folder = Folder::new("lives");
    make_group(&folder.0, &["alder", "birch"], &["birch"], &[]);
    let cycles = env::var("SYNC_CYCLES").map_or(50, |text| text.parse().unwrap());
    assert!(cycles >= 10, "SYNC_CYCLES is {}; at least 10 are wanted", cycles);
    let mut before = ((0, 0), 0);
    for cycle in 0..cycles {
        if cycle == cycles / 5 {
            before = (settled((0, 0)), resident_kib());
        }
        live(&folder, cycle);
    }
    let after = (settled(before.0), resident_kib());
    println!("{} lives: threads, descriptors and KiB {:?}, {:?}", cycles, before, after);
    assert!(after.0 .0 <= before.0 .0 && after.0 .1 <= before.0 .1, "{:?}, {:?}", before, after);
    assert!(after.1 < before.1 + before.1 / 4 + 4096, "{:?}, {:?}", before, after);

    who_asks_while_it_ends_gets_an_answer(&folder);
}

fn who_asks_while_it_ends_gets_an_answer(folder: &Folder) {
    for _ in 0..5 {
        let registry = registry();
        let node = Node::builder().registry(&registry).load(folder.0.join("alder/config.toml")).unwrap();
        node.start().unwrap();
        let is_over = AtomicBool::new(false);
        let ask = || {
            while !is_over.load(Ordering::Relaxed) {
                let job = Sha256Digest([0; 32]);
                let asked = node.status().and_then(|_| node.job(&job)).and_then(|_| node.drain(Duration::ZERO));
                if let Err(error) = asked {
                    assert_eq!(error.code(), Code::State, "{}", error);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(ask);
            }
            thread::sleep(Duration::from_millis(50));
            node.stop(MINUTE).unwrap();
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
