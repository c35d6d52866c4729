//! A source of packages `pkg:words/WORD@1`, each a small recipe without inputs: for trying things out.
//!
//! As a shared object: `cargo build --package synchronicity-node --no-default-features --example words`.

use std::fs;
use std::time::Duration;

use synchronicity_node::plugin::{Call, CreateRequest, Failure, FailureCode, FetchRequest, ResolveRequest, Source};

/// Of a folder without anything in it.
const EMPTY_TREE: &str = "0f0509af2c9b5126ffb9a6b661a6e5864a868269edd71f33026d5837f5c8c7a3";

pub struct Words;

impl Words {
    pub fn make(_: &CreateRequest<'_>) -> Result<Self, Failure> {
        Ok(Words)
    }
}

impl Source for Words {
    fn resolve(&self, request: &ResolveRequest<'_>, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let word = request.package.strip_prefix("pkg:words/").and_then(|rest| rest.strip_suffix("@1"));
        let word = word
            .filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .ok_or_else(|| Failure::new(FailureCode::NotFound, "There are packages pkg:words/WORD@1 alone"))?;
        let recipe = match word {
            "missing" => return Err(Failure::new(FailureCode::NotFound, "There is no such word")),
            "nospec" => return Ok(b"not a spec".to_vec()),
            "panics" => panic!("a sentence with ümlauts and a \0 inside"),
            "slow" => {
                call.wait_until_cancelled(Duration::from_secs(5));
                return Err(FailureCode::Cancelled.into());
            }
            "hangs" => "echo hangs; sleep 100; echo woke".to_string(),
            "sleeps" => "echo $$ >/output/out; exec sleep 100".to_string(),
            "dies" => "kill -TERM $$".to_string(),
            "fails" => "exit 3".to_string(),
            "prints" => "head -c 5000 /dev/zero".to_string(),
            _ => format!("echo running; printf 'made by the recipe %s\\n' {} >/output/out", word),
        };
        let lines = [
            "synchronicity-spec/v1".to_string(),
            format!("package {}", request.package),
            format!("rebuild {}", request.rebuild),
            format!("toolchain {}", request.toolchain),
            "target none\nprofile release".to_string(),
            format!("source {0} {1} - {0}", request.package, EMPTY_TREE),
            "lock -\nenvironment PATH=/usr/bin:/bin\nenvironment WORD=two words".to_string(),
            format!("wall-seconds {}\ncpu-seconds 2", if word == "sleeps" { 60 } else { 2 }),
            "memory-bytes 1048576\nprocesses 8".to_string(),
            "disk-bytes 1048576\ntranscript-bytes 1024".to_string(),
            format!("recipe {}", base64(recipe.as_bytes())),
            "artifact out\n".to_string(),
        ];
        Ok(lines.join("\n").into_bytes())
    }

    fn fetch(&self, request: &FetchRequest<'_>, _: &Call<'_>) -> Result<(), Failure> {
        if request.tree_sha256 != EMPTY_TREE {
            return Err(Failure::new(FailureCode::ChecksumMismatch, "There is one tree"));
        }
        Ok(fs::create_dir(request.directory)?)
    }
}

/// RFC 4648 §4, padded.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().chain([0, 0].iter()).take(3).fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place > chunk.len() { '=' } else { digit as char });
        }
    }
    text
}

#[cfg(not(test))]
synchronicity_node::sync_plugin!(synchronicity_node::Plugin::source("words", "1", "words", "words", Words::make));
