//! Files on disk: proofs inside them and beside them, and none.
#![cfg(feature = "std")]

mod common;

use std::error::Error as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use synchronicity::{verify_file, verify_file_with, Code, FileError, Policy, Verdict, Verification};

const ARTIFACT: &str = "artifacts/9eb3fa2e90a3538284576e56975a775ec005865cdda56b51e63bd9e15908f5af";
const PROOF: &str = "proofs/all-four.tlog-proof";

fn policy() -> Policy {
    Policy::parse(&common::read("policies/four.policy")).unwrap()
}

fn refusal(result: Result<Verification, FileError>) -> (PathBuf, Code) {
    match result {
        Err(FileError::Refused { path, source }) => (path, source.code()),
        other => panic!("{:?} is not a refusal", other),
    }
}

/// A folder with the artifact and its sidecar.
fn pair(name: &str) -> (PathBuf, PathBuf) {
    let folder = common::empty_folder(name);
    let (artifact, proof) = (folder.join("libitoa.rlib"), folder.join("libitoa.rlib.tlog-proof"));
    fs::write(&artifact, common::read(ARTIFACT)).unwrap();
    fs::write(&proof, common::read(PROOF)).unwrap();
    (artifact, proof)
}

#[test]
fn embedded_proofs_are_found_and_hold() {
    for case in common::embedded_cases() {
        let path = common::vectors().join(&case.file);
        let result = verify_file(&path, &policy());
        match (case.status, case.form) {
            (0, 0) => assert!(matches!(result, Err(FileError::NoProof { .. })), "{}: {:?}", case.name, result),
            (0, _) => assert_eq!(result.expect(&case.name).verdict, Verdict::Reproduced),
            (status, _) => assert_eq!(refusal(result), (path, Code::from_status(status)), "{}", case.name),
        }
    }
}

#[test]
fn the_proof_beside_a_file_is_found_and_may_be_named() {
    let (artifact, proof) = pair("beside");
    assert_eq!(verify_file(&artifact, &policy()).unwrap().reproducers, 4);
    assert_eq!(verify_file_with(&artifact, &proof, &policy()).unwrap().reproducers, 4);
    fs::write(&artifact, b"something else").unwrap();
    assert_eq!(refusal(verify_file(&artifact, &policy())), (proof.clone(), Code::ArtifactMismatch));
    fs::write(&proof, b"something else").unwrap();
    assert!(refusal(verify_file(&artifact, &policy())).1.is_malformed());
    fs::remove_file(&proof).unwrap();
    let error = verify_file(&artifact, &policy()).unwrap_err();
    assert!(matches!(&error, FileError::NoProof { path } if path == &artifact), "{:?}", error);
}

#[test]
fn an_embedded_proof_comes_before_one_beside_the_file() {
    let folder = common::empty_folder("both");
    let path = folder.join("plain.bin");
    fs::write(&path, common::read("embedded/trailer-odd.elf")).unwrap();
    fs::write(folder.join("plain.bin.tlog-proof"), b"not looked at").unwrap();
    assert!(verify_file(&path, &policy()).is_ok());
    // A proof that is named is about the whole file.
    let beside = common::vectors().join("proofs/embedded-trailer-odd.tlog-proof");
    assert_eq!(refusal(verify_file_with(&path, beside, &policy())).1, Code::ArtifactMismatch);
}

#[test]
fn files_that_cannot_be_read_say_which_and_why() {
    let missing = common::empty_folder("missing").join("no-such-file");
    match verify_file(&missing, &policy()) {
        Err(FileError::Io { path, source }) => {
            assert_eq!((path, source.kind()), (missing.clone(), io::ErrorKind::NotFound));
        }
        other => panic!("{:?}", other),
    }
    let (artifact, _) = pair("unreadable");
    let error = verify_file_with(&artifact, &missing, &policy()).unwrap_err();
    assert!(error.to_string().contains("no-such-file"), "{}", error);
    assert!(error.source().unwrap().is::<io::Error>());
    assert!(matches!(verify_file(Path::new("/"), &policy()), Err(FileError::Io { .. })));
}

#[test]
fn large_artifacts_are_hashed_in_pieces() {
    let (artifact, _) = pair("large");
    // Two pieces and a bit, and the proof is about another file.
    File::options().write(true).open(&artifact).unwrap().set_len(300_000).unwrap();
    assert_eq!(refusal(verify_file(&artifact, &policy())).1, Code::ArtifactMismatch);
}
