//! Files on disk: proofs inside them and beside them, and none.
#![cfg(feature = "std")]

mod common;

use std::error::Error as _;
use std::fs::{self, File};
use std::io;
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::{process::Command, sync::mpsc, thread, time::Duration};

use synchronicity::{
    verify_file, verify_file_with, Code, FileError, FileVerification, Policy, ProofOrigin, Sha256Digest, Verdict,
};

const ARTIFACT: &str = "artifacts/9eb3fa2e90a3538284576e56975a775ec005865cdda56b51e63bd9e15908f5af";
const PROOF: &str = "proofs/all-four.tlog-proof";

fn policy() -> Policy {
    Policy::parse(&common::read("policies/four.policy")).unwrap()
}

fn refusal(result: Result<FileVerification, FileError>) -> (PathBuf, Code) {
    match result {
        Err(FileError::Refused { path, source }) => (path, source.code()),
        other => panic!("{:?} is not a refusal", other),
    }
}

/// Compares all but the verification, and expects the package that nearly all vectors are about.
fn check_file(shown: &FileVerification, origin: ProofOrigin, proof_path: &Path, content: &[u8]) {
    assert_eq!((shown.proof_origin, shown.proof_path.as_path()), (origin, proof_path));
    assert_eq!((shown.digest, shown.content_size), (Sha256Digest::of(content), content.len() as u64));
    assert_eq!(shown.proof.package(), "pkg:cargo/itoa@1.0.1");
    assert_eq!(shown.proof.leaf_index(), shown.verification.leaf_index);
    assert_eq!(shown.proof.builders().len() as u32, shown.verification.builders);
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
            (0, _) => {
                let shown = result.expect(&case.name);
                assert_eq!(shown.verification.verdict, Verdict::Reproduced);
                let content = &common::read(&case.file)[..case.content_size as usize];
                check_file(&shown, ProofOrigin::Embedded, &path, content);
            }
            (status, _) => assert_eq!(refusal(result), (path, Code::from_status(status)), "{}", case.name),
        }
    }
}

#[test]
fn the_proof_beside_a_file_is_found_and_may_be_named() {
    let (artifact, proof) = pair("beside");
    let shown = verify_file(&artifact, &policy()).unwrap();
    assert_eq!(shown.verification.reproducers, 4);
    check_file(&shown, ProofOrigin::Sidecar, &proof, &common::read(ARTIFACT));
    assert_eq!(shown.proof.verify(&policy(), &shown.digest).unwrap(), shown.verification);
    let shown = verify_file_with(&artifact, &proof, &policy()).unwrap();
    assert_eq!(shown.verification.reproducers, 4);
    check_file(&shown, ProofOrigin::Given, &proof, &common::read(ARTIFACT));
    fs::write(&artifact, b"something else").unwrap();
    assert_eq!(refusal(verify_file(&artifact, &policy())), (proof.clone(), Code::ArtifactMismatch));
    fs::write(&proof, b"something else").unwrap();
    assert!(refusal(verify_file(&artifact, &policy())).1.is_malformed());
    fs::remove_file(&proof).unwrap();
    let error = verify_file(&artifact, &policy()).unwrap_err();
    assert!(matches!(&error, FileError::NoProof { path } if path == &artifact), "{:?}", error);
}

#[test]
fn a_file_s_proof_tells_its_package() {
    let (artifact, proof) = pair("package");
    // The same bytes, rebuilt as another package: it holds, and says for what.
    fs::write(&proof, common::read(common::case("purl-namespace").proof)).unwrap();
    for shown in [verify_file(&artifact, &policy()), verify_file_with(&artifact, &proof, &policy())] {
        let shown = shown.unwrap();
        assert_eq!(shown.verification.verdict, Verdict::Reproduced);
        assert_eq!(shown.proof.package(), "pkg:deb/debian/zlib1g@1.2.13.dfsg-1+b1");
    }
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

/// Does it in a thread of its own, and fails where it waits.
#[cfg(unix)]
fn promptly<Value>(verify: impl FnOnce() -> Result<Value, FileError> + Send + 'static) -> FileError {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(verify().err().expect("accepted")));
    receiver.recv_timeout(Duration::from_secs(10)).expect("it waits, or accepts")
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let (artifact, proof) = pair("irregular");
    let (other, sidecar) = pair("irregular-beside");
    let folder = common::empty_folder("irregular-names");
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for odd in [pipe, folder, PathBuf::from("/dev/zero")] {
        fs::remove_file(&sidecar).unwrap();
        symlink(&odd, &sidecar).unwrap();
        let as_file = promptly({
            let odd = odd.clone();
            move || verify_file(odd, &policy())
        });
        let as_file_with = promptly({
            let (odd, proof) = (odd.clone(), proof.clone());
            move || verify_file_with(odd, proof, &policy())
        });
        let as_given = promptly({
            let (artifact, odd) = (artifact.clone(), odd.clone());
            move || verify_file_with(artifact, odd, &policy())
        });
        let as_sidecar = promptly({
            let other = other.clone();
            move || verify_file(other, &policy())
        });
        let as_policy = promptly({
            let odd = odd.clone();
            move || Policy::read(odd)
        });
        let all = [(as_file, &odd), (as_file_with, &odd), (as_given, &odd), (as_sidecar, &sidecar), (as_policy, &odd)];
        for (error, wanted) in all {
            let text = error.to_string();
            assert!(matches!(error, FileError::Io { path, .. } if path == *wanted), "{}", text);
            assert!(text.ends_with(": not a regular file"), "{}", text);
        }
    }
}

#[test]
fn policies_are_read_from_files() {
    let folder = common::empty_folder("policies");
    assert!(Policy::read(common::vectors().join("policies/four.policy")).is_ok());
    assert!(matches!(Policy::read(folder.join("nothing")), Err(FileError::Io { .. })));
    let bad = common::vectors().join("policies/bad-empty.policy");
    assert!(matches!(Policy::read(&bad), Err(FileError::Refused { path, .. }) if path == bad));
    let huge = folder.join("huge");
    File::create(&huge).unwrap().set_len(1 << 30).unwrap();
    assert!(matches!(Policy::read(&huge), Err(FileError::Refused { source, .. }) if source.code() == Code::TooLarge));
}

#[test]
fn large_artifacts_are_hashed_in_pieces() {
    let (artifact, _) = pair("large");
    // Two pieces and a bit, and the proof is about another file.
    File::options().write(true).open(&artifact).unwrap().set_len(300_000).unwrap();
    assert_eq!(refusal(verify_file(&artifact, &policy())).1, Code::ArtifactMismatch);
}
