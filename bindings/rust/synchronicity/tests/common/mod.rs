//! The vectors that every form and every binding runs.
#![allow(dead_code)]

use std::env;
use std::fmt::{Display, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use synchronicity::{Proof, Sha256Digest};

/// `SYNC_VECTORS`, or where they lie in the project.
pub fn vectors() -> PathBuf {
    match env::var_os("SYNC_VECTORS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../Tests/Vectors"),
    }
}

pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = vectors().join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {}", path.display(), error))
}

/// A table's rows, without the line that names the columns.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(read(name)).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').map(str::to_string).collect())
        .collect()
}

pub struct Case {
    pub name: String,
    pub policy: String,
    pub proof: String,
    pub artifact: Sha256Digest,
    pub status: i32,
}

pub fn cases() -> Vec<Case> {
    let make = |row: Vec<String>| Case {
        name: row[0].clone(),
        policy: row[1].clone(),
        proof: row[2].clone(),
        artifact: row[3].parse().unwrap(),
        status: row[4].parse().unwrap(),
    };
    rows("cases.tsv").into_iter().map(make).collect()
}

/// A case by its name.
pub fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {}", name))
}

pub struct HandoverRow {
    pub name: String,
    pub policy: String,
    /// The policy's; 0 where nothing is followed.
    pub epoch: u64,
    pub handovers: Vec<String>,
    /// What is verified in the end, and for which artifact.
    pub proof: Option<(String, Sha256Digest)>,
    pub status: i32,
}

pub fn handover_rows() -> Vec<HandoverRow> {
    let make = |row: Vec<String>| HandoverRow {
        name: row[0].clone(),
        policy: row[1].clone(),
        epoch: if row[3] == "-" { 0 } else { row[2].parse().unwrap() },
        handovers: row[3].split(' ').filter(|path| *path != "-").map(str::to_string).collect(),
        proof: if row[4] == "-" { None } else { Some((row[4].clone(), row[5].parse().unwrap())) },
        status: row[6].parse().unwrap(),
    };
    rows("handovers.tsv").into_iter().map(make).collect()
}

pub struct EmbeddedCase {
    pub name: String,
    pub file: String,
    pub form: i32,
    pub content_size: u64,
    pub proof_offset: u64,
    pub proof_size: u64,
    pub status: i32,
}

pub fn embedded_cases() -> Vec<EmbeddedCase> {
    let make = |row: Vec<String>| EmbeddedCase {
        name: row[0].clone(),
        file: row[1].clone(),
        form: row[2].parse().unwrap(),
        content_size: row[3].parse().unwrap(),
        proof_offset: row[4].parse().unwrap(),
        proof_size: row[5].parse().unwrap(),
        status: row[6].parse().unwrap(),
    };
    rows("embedded.tsv").into_iter().map(make).collect()
}

/// An empty folder of this test's own, below cargo's.
pub fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

struct Listing(String);

impl Listing {
    fn line(&mut self, key: impl Display, value: impl Display) {
        writeln!(self.0, "{}\t{}", key, value).unwrap();
    }
}

/// What the proof says, as in `described/`.
pub fn describe(proof: &Proof) -> String {
    let zero = Sha256Digest([0; 32]);
    let mut list = Listing(String::new());
    list.line("log_origin", proof.log_origin());
    list.line("package", proof.package());
    list.line("package_name", proof.package_name());
    list.line("package_version", proof.package_version().unwrap_or(""));
    list.line("submitter", proof.submitter());
    list.line("job_id", proof.job_id());
    list.line("source_sha256", proof.source_sha256().unwrap_or(zero));
    list.line("toolchain_sha256", proof.toolchain_sha256());
    list.line("leaf_index", proof.leaf_index());
    list.line("tree_size", proof.tree_size());
    list.line("epoch", proof.epoch());
    list.line("height", proof.height());
    list.line("time_milliseconds", proof.time_milliseconds());
    list.line("verdict", proof.verdict().number());
    list.line("agreeing", proof.agreeing());
    list.line("reproducers", proof.reproducers());
    list.line("builder_count", proof.builders().len());
    list.line("artifact_count", proof.artifacts().len());
    list.line("source_count", proof.sources().len());
    list.line("signature_count", proof.signatures().len());
    list.line("outcome_count", proof.outcome_count());
    for (index, builder) in proof.builders().enumerate() {
        let key = |field: &str| format!("builder.{}.{}", index, field);
        list.line(key("state"), builder.state.number());
        list.line(key("outcome"), builder.outcome.unwrap_or(0));
        list.line(key("name"), builder.name);
        list.line(key("sandbox"), builder.sandbox);
        list.line(key("processor"), builder.processor);
        list.line(key("kernel"), builder.kernel);
        list.line(key("outcome_sha256"), builder.outcome_sha256.unwrap_or(zero));
    }
    for (index, artifact) in proof.artifacts().enumerate() {
        let key = |field: &str| format!("artifact.{}.{}", index, field);
        list.line(key("path"), artifact.path);
        list.line(key("size"), artifact.size);
        list.line(key("mode"), artifact.mode);
        list.line(key("sha256"), artifact.sha256);
    }
    for (index, source) in proof.sources().enumerate() {
        let key = |field: &str| format!("source.{}.{}", index, field);
        list.line(key("package"), source.package);
        list.line(key("origin"), source.origin);
        list.line(key("tree_sha256"), source.tree_sha256);
        list.line(key("claimed_sha256"), source.claimed_sha256.unwrap_or(zero));
        list.line(key("has_claim"), source.claimed_sha256.is_some() as u8);
    }
    for (index, signature) in proof.signatures().enumerate() {
        let key = |field: &str| format!("signature.{}.{}", index, field);
        list.line(key("name"), signature.name);
        list.line(key("key_id"), format!("{:08x}", signature.key_id));
        list.line(key("is_timed"), signature.time_seconds.is_some() as u8);
        list.line(key("time_seconds"), signature.time_seconds.unwrap_or(0));
    }
    list.0
}
