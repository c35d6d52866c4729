//! Memory and threads. One test after the other, since they look at the whole process.
#![cfg(feature = "std")]

mod common;

use std::fs::{self, File};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use synchronicity::{embedded, verify, verify_file, Code, FileError, Hasher, Policy, Proof, Sha256Digest};

/// A line of /proc/self/status in KiB: VmRSS is now, VmHWM the most so far.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let rest = status.lines().find_map(|each| each.strip_prefix(line)).unwrap();
    rest.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_and_threads() {
    nothing_leaks();
    a_huge_proof_is_refused_after_a_bounded_read();
    a_huge_artifact_without_a_proof_is_not_read();
    many_threads_share_one_policy_and_one_proof();
}

fn nothing_leaks() {
    let policy_bytes = common::read("policies/four.policy");
    let proof_bytes = common::read("proofs/all-four.tlog-proof");
    let embedded_bytes = common::read("embedded/archive-odd.rlib");
    let refused: Vec<_> = common::cases().into_iter().filter(|case| case.status != 0).take(40).collect();
    let refused: Vec<_> =
        refused.iter().map(|case| (common::read(&case.policy), common::read(&case.proof), case.artifact)).collect();
    let artifact = common::case("all-four").artifact;
    let file = common::vectors().join("embedded/archive-odd.rlib");
    let round = |index: usize| {
        let policy = Policy::parse(&policy_bytes).unwrap();
        verify_file(&file, &policy).unwrap();
        let proof = Proof::parse(&proof_bytes).unwrap();
        proof.verify(&policy, &artifact).unwrap();
        verify(&policy_bytes, &proof_bytes, &Sha256Digest([1; 32])).unwrap_err();
        common::describe(&proof);
        embedded::find_in(&embedded_bytes).unwrap();
        embedded::find_in(&embedded_bytes[8..]).unwrap_err();
        let mut hasher = Hasher::new();
        hasher.update(&proof_bytes);
        hasher.finish();
        let (policy, proof, artifact) = &refused[index % refused.len()];
        let error = verify(policy, proof, artifact).unwrap_err();
        assert!(!error.message().is_empty());
    };
    (0..100).for_each(round);
    let before = memory("VmRSS");
    // A leak of one error object, some 100 bytes, in each round would show as 200 KiB and more.
    (0..2000).for_each(round);
    let grown = memory("VmRSS").saturating_sub(before);
    println!("2000 rounds: {} KiB more", grown);
    assert!(grown < 128, "{} KiB leaked", grown);
}

fn a_huge_proof_is_refused_after_a_bounded_read() {
    let folder = common::empty_folder("huge-proof");
    let (artifact, proof) = (folder.join("a"), folder.join("a.tlog-proof"));
    fs::write(&artifact, b"artifact").unwrap();
    File::create(&proof).unwrap().set_len(1 << 30).unwrap();
    let policy = Policy::parse(&common::read("policies/four.policy")).unwrap();
    let (before, start) = (memory("VmHWM"), Instant::now());
    match verify_file(&artifact, &policy) {
        Err(FileError::Refused { path, source }) => {
            assert_eq!((path, source.code()), (proof, Code::TooLarge));
        }
        other => panic!("{:?}", other),
    }
    let grown = memory("VmHWM") - before;
    println!("1 GiB proof: {} KiB more, {:?}", grown, start.elapsed());
    assert!(grown < 8 << 10, "{} KiB", grown);
}

fn a_huge_artifact_without_a_proof_is_not_read() {
    let artifact = common::empty_folder("huge-artifact").join("a");
    File::create(&artifact).unwrap().set_len(1 << 40).unwrap();
    let policy = Policy::parse(&common::read("policies/four.policy")).unwrap();
    let before = memory("VmHWM");
    assert!(matches!(verify_file(&artifact, &policy), Err(FileError::NoProof { .. })));
    assert!(memory("VmHWM") - before < 8 << 10);
}

fn many_threads_share_one_policy_and_one_proof() {
    let proof_bytes = Arc::new(common::read("proofs/all-four.tlog-proof"));
    let policy = Arc::new(Policy::parse(&common::read("policies/four.policy")).unwrap());
    let proof = Arc::new(Proof::parse(&proof_bytes).unwrap());
    let artifact = common::case("all-four").artifact;
    let described = Arc::new(common::describe(&proof));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (policy, proof, bytes) = (policy.clone(), proof.clone(), proof_bytes.clone());
            let described = described.clone();
            thread::spawn(move || {
                for _ in 0..100 {
                    assert_eq!(policy.verify(&bytes, &artifact).unwrap().reproducers, 4);
                    assert_eq!(proof.verify(&policy, &artifact).unwrap().reproducers, 4);
                    assert_eq!(common::describe(&proof), *described);
                    let error = proof.verify(&policy, &Sha256Digest([0; 32])).unwrap_err();
                    // Errors travel, too.
                    let error = thread::spawn(move || error).join().unwrap();
                    assert_eq!(error.code(), Code::ArtifactMismatch);
                }
            })
        })
        .collect();
    // What is shared lives until the last thread has done with it.
    drop((policy, proof));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
