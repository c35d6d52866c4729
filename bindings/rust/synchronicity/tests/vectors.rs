//! The vectors, through each way in.

mod common;

use std::fs;
use std::path::Path;

use synchronicity::embedded::{self, Form};
use synchronicity::{verify, Code, Error, Policy, Proof, Sha256Digest, Verdict, Verification};

/// What a call gave, with 0 for acceptance.
fn status<T>(result: &Result<T, Error>) -> i32 {
    result.as_ref().err().map_or(0, |error| error.code().status())
}

fn in_steps(policy: &[u8], proof: &[u8], artifact: &Sha256Digest) -> Result<Verification, Error> {
    let policy = Policy::parse(policy)?;
    Proof::parse(proof)?.verify(&policy, artifact)
}

#[test]
fn every_case_gives_its_status_whichever_way_it_is_asked() {
    let cases = common::cases();
    let refused = cases.iter().filter(|case| case.status != 0).count();
    assert!(refused >= 150 && refused < cases.len(), "{} of {} refused", refused, cases.len());
    for case in &cases {
        let (policy, proof) = (common::read(&case.policy), common::read(&case.proof));
        let at_once = verify(&policy, &proof, &case.artifact);
        assert_eq!(status(&at_once), case.status, "{}: {:?}", case.name, at_once);
        let policy_first = Policy::parse(&policy).and_then(|policy| policy.verify(&proof, &case.artifact));
        assert_eq!(policy_first, at_once, "{}", case.name);
        let both_first = in_steps(&policy, &proof, &case.artifact);
        assert_eq!(both_first, at_once, "{}", case.name);
        match at_once {
            Ok(shown) => check_shown(&case.name, &shown, &Proof::parse(&proof).unwrap()),
            Err(error) => check_error(&case.name, &error, policy.len().max(proof.len()) as u64),
        }
    }
    println!("{} cases, {} of them refused", cases.len(), refused);
}

fn check_shown(name: &str, shown: &Verification, proof: &Proof) {
    assert_eq!(shown.verdict, Verdict::Reproduced, "{}", name);
    assert_eq!(
        (shown.leaf_index, shown.tree_size, shown.height, shown.time_milliseconds),
        (proof.leaf_index(), proof.tree_size(), proof.height(), proof.time_milliseconds()),
        "{}",
        name
    );
    let builders = proof.builders().len();
    assert_eq!(shown.builders as usize, builders, "{}", name);
    let reproducers = (0..1000).filter(|index| shown.is_reproducer(*index)).collect::<Vec<_>>();
    assert_eq!(reproducers.len(), shown.reproducers as usize, "{}", name);
    assert!(reproducers.iter().all(|index| *index < builders), "{}", name);
    for (index, builder) in proof.builders().enumerate() {
        assert!(builder.outcome == Some(0) || !shown.is_reproducer(index), "{}: {:?}", name, builder);
    }
    let cosigners = (0..1000).filter(|index| shown.is_cosigner(*index)).collect::<Vec<_>>();
    // One witness may have several lines, each of which counts towards it.
    assert!(cosigners.len() >= shown.cosigners as usize, "{}", name);
    for (index, signature) in proof.signatures().enumerate() {
        assert!(signature.time_seconds.is_some() || !shown.is_cosigner(index), "{}: {:?}", name, signature);
    }
}

fn check_error(name: &str, error: &Error, size: u64) {
    assert!(!error.message().is_empty(), "{}", name);
    assert!(error.code().is_malformed() != error.code().is_not_verified(), "{}", name);
    if let Some(offset) = error.offset() {
        assert!(offset <= size, "{}: offset {} of {}", name, offset, size);
    }
}

#[test]
fn accepted_proofs_say_what_is_described() {
    let mut described = 0;
    for entry in fs::read_dir(common::vectors().join("described")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let proof = Proof::parse(&common::read(Path::new("proofs").join(format!("{}.tlog-proof", name)))).unwrap();
        assert_eq!(common::describe(&proof), fs::read_to_string(&path).unwrap(), "{}", name);
        described += 1;
    }
    assert!(described >= 20, "{}", described);
}

#[test]
fn members_are_given_from_both_ends_and_in_the_middle() {
    let proof = Proof::parse(&common::read(&common::case("seven-builders").proof)).unwrap();
    let forwards: Vec<_> = proof.builders().collect();
    let mut backwards: Vec<_> = proof.builders().rev().collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert_eq!(forwards.len(), 7);
    assert_eq!(proof.builders().nth(4), forwards.get(4).copied());
    assert_eq!(proof.builders().nth(7), None);
    let mut rest = proof.builders();
    rest.next();
    assert_eq!(rest.len(), 6);
}

#[test]
fn every_embedded_case_is_found_where_it_is() {
    let cases = common::embedded_cases();
    assert!(cases.len() >= 20);
    for case in cases {
        let file = common::read(&case.file);
        let found = embedded::find_in(&file);
        assert_eq!(status(&found), case.status, "{}: {:?}", case.name, found);
        match found {
            Err(error) => assert_eq!(error.code(), Code::Malformed, "{}", case.name),
            Ok(None) => assert_eq!(case.form, 0, "{}", case.name),
            Ok(Some(found)) => {
                let form = match found.form {
                    Form::Trailer => 1,
                    Form::ArchiveMember => 2,
                    _ => -1,
                };
                assert_eq!(
                    (form, found.content_size, found.proof_offset, found.proof_size),
                    (case.form, case.content_size, case.proof_offset, case.proof_size),
                    "{}",
                    case.name
                );
                let proof = &file[found.proof_offset as usize..][..found.proof_size as usize];
                let artifact = Sha256Digest::of(&file[..found.content_size as usize]);
                let policy = Policy::parse(&common::read("policies/four.policy")).unwrap();
                assert_eq!(status(&policy.verify(proof, &artifact)), 0, "{}", case.name);
            }
        }
    }
}

#[test]
fn sizes_that_do_not_fit_a_file_are_refused() {
    let file = [0; 20];
    for (head, tail, size) in [(8, 20, 19), (7, 20, 20), (8, 19, 20), (8, 20, u64::MAX), (0, 20, 20)] {
        let error = embedded::find(&file[..head], &file[..tail], size).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{} {} {}", head, tail, size);
        assert!(!error.code().is_malformed() && !error.code().is_not_verified());
    }
}

#[test]
fn empty_input_is_refused_as_input() {
    let digest = Sha256Digest([0; 32]);
    assert!(Policy::parse(&[]).unwrap_err().code().is_malformed());
    assert!(Proof::parse(&[]).unwrap_err().code().is_malformed());
    assert!(verify(&[], &[], &digest).unwrap_err().code().is_malformed());
    assert_eq!(embedded::find(&[], &[], 0), Ok(None));
}

#[test]
fn input_above_the_limit_is_refused_as_such() {
    let large = vec![b'\n'; synchronicity::PROOF_BYTES_MAX + 1];
    assert_eq!(Proof::parse(&large).unwrap_err().code(), Code::TooLarge);
    assert_eq!(Policy::parse(&large).unwrap_err().code(), Code::TooLarge);
}

#[test]
fn pieces_of_any_size_give_one_digest() {
    let bytes: Vec<u8> = (0..1000_u32).map(|number| (number * 7) as u8).collect();
    let whole = Sha256Digest::of(&bytes);
    let mut hasher = synchronicity::Hasher::new();
    for size in [1, 3, 63, 64, 65, 999, 1000] {
        for piece in bytes.chunks(size) {
            hasher.update(piece);
            hasher.update(&[]);
        }
        assert_eq!(hasher.finish(), whole, "{}", size);
    }
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hasher.finish().to_string(), empty);
}
