//! Policies that are followed through hand-overs: the vectors, lives, wrong calls.

mod common;

use std::thread;

use synchronicity::{Code, Error, Policy, Proof, Sha256Digest, Verification, PROOF_BYTES_MAX};

const FIRST: &str = "handovers/zero-to-one.tlog-proof";
const SECOND: &str = "handovers/one-to-two.tlog-proof";
const BEFORE: &str = "handovers/evidence-0.tlog-proof";
const BEHIND: &str = "handovers/evidence-1.tlog-proof";

fn first_policy() -> Policy {
    Policy::parse(&common::read("policies/four.policy")).unwrap()
}

fn artifact() -> Sha256Digest {
    let rows = common::handover_rows();
    let mut asked = rows.into_iter().filter_map(|row| row.proof);
    asked.find(|(path, _)| path == BEHIND).unwrap().1
}

fn verified(policy: &Policy, proof: &str) -> Result<Verification, Error> {
    policy.verify(&common::read(proof), &artifact())
}

fn run(row: &common::HandoverRow) -> Result<(), Error> {
    let mut policy = Policy::parse(&common::read(&row.policy))?;
    let mut epoch = row.epoch;
    for path in &row.handovers {
        policy = policy.follow(epoch, &common::read(path))?;
        epoch = epoch.wrapping_add(1);
    }
    if let Some((path, artifact)) = &row.proof {
        let proof = common::read(path);
        let shown = policy.verify(&proof, artifact);
        let again = Proof::parse(&proof).and_then(|proof| proof.verify(&policy, artifact));
        assert_eq!(shown, again, "{}", row.name);
        shown?;
    }
    Ok(())
}

#[test]
fn every_row_gives_its_status() {
    let rows = common::handover_rows();
    let refused = rows.iter().filter(|row| row.status != 0).count();
    assert!(refused >= 200 && rows.len() - refused >= 60, "{} of {} refused", refused, rows.len());
    for row in &rows {
        match run(row) {
            Ok(()) => assert_eq!(row.status, 0, "{}", row.name),
            Err(error) => {
                assert_eq!(error.code().status(), row.status, "{}: {}", row.name, error);
                assert!(!error.message().is_empty(), "{}", row.name);
                assert!(error.code().is_malformed() != error.code().is_not_verified(), "{}", row.name);
            }
        }
    }
}

#[test]
fn each_policy_is_of_its_own() {
    let policy = first_policy();
    let followed = policy.follow(0, &common::read(FIRST)).unwrap();
    let further = followed.follow(1, &common::read(SECOND)).unwrap();
    // What holds by the first alone is as it was.
    assert!(verified(&policy, BEFORE).is_ok());
    assert_eq!(verified(&policy, BEHIND).unwrap_err().code(), Code::UntrustedLog);
    drop(policy);
    // What was freed too early is given to others.
    let others: Vec<_> = (0..20).map(|_| first_policy()).collect();
    for each in [&followed, &further] {
        assert!(verified(each, BEFORE).is_ok() && verified(each, BEHIND).is_ok());
    }
    drop((followed, others));
    // It may go to another thread, and outlive all others there.
    thread::spawn(move || assert!(verified(&further, BEHIND).is_ok())).join().unwrap();
}

#[test]
fn a_refusal_leaves_the_policy() {
    let policy = first_policy();
    let first = common::read(FIRST);
    for (epoch, handover, code) in [
        (1, first.clone(), Code::WrongEpoch),
        (u64::MAX, first.clone(), Code::WrongEpoch),
        (0, common::read(SECOND), Code::WrongEpoch),
        (0, common::read(BEFORE), Code::NotHandover),
        (0, Vec::new(), Code::Malformed),
        (0, first[..first.len() - 1].to_vec(), Code::Malformed),
        (0, vec![b'\n'; PROOF_BYTES_MAX + 1], Code::TooLarge),
    ] {
        assert_eq!(policy.follow(epoch, &handover).unwrap_err().code(), code, "epoch {}", epoch);
    }
    let followed = policy.follow(0, &first).unwrap();
    assert!(verified(&followed, BEHIND).is_ok());
    // The first to be followed says of which epoch the policy is; from then on it is known.
    assert_eq!(followed.follow(2, &common::read(SECOND)).unwrap_err().code(), Code::WrongEpoch);
    assert_eq!(followed.follow(0, &first).unwrap_err().code(), Code::WrongEpoch);
}
