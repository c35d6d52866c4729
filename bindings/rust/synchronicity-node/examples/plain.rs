//! A sandbox that runs recipes as plain processes of this host: it isolates NOTHING and is for trying things out.
//!
//! As a shared object: `cargo build --package synchronicity-node --no-default-features --example plain`.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use synchronicity_node::plugin::{
    unblock_signals, Call, CreateRequest, Ending, Failure, FailureCode, Finding, RunRequest, RunResult, Sandbox,
    Transcript,
};

pub struct Plain;

impl Plain {
    pub fn make(_: &CreateRequest<'_>) -> Result<Self, Failure> {
        Ok(Plain)
    }
}

impl Sandbox for Plain {
    fn probe(&self, _: &Call<'_>) -> Result<Vec<Finding>, Failure> {
        Ok(vec![Finding { is_weaker: true, ..Finding::met("isolation", "there is none") }])
    }

    fn prepare(&self, _: &str, _: &Path, _: &Call<'_>) -> Result<(), Failure> {
        Err(Failure::new(FailureCode::Unavailable, "This sandbox unpacks nothing"))
    }

    fn has_toolchain(&self, _: &str, _: &Call<'_>) -> Result<bool, Failure> {
        Ok(true) // It is the host.
    }

    fn run(
        &self,
        request: &RunRequest<'_>,
        transcript: &mut Transcript<'_>,
        call: &Call<'_>,
    ) -> Result<RunResult, Failure> {
        let printed = request.scratch_directory.join("transcript");
        let file = File::create(&printed)?;
        // A session of its own, whose processes are killed together.
        let mut command = Command::new("setsid");
        command
            .args(["/bin/sh", "-c", &script(request)?])
            .env_clear()
            .envs(request.environment.iter().copied())
            .current_dir(request.scratch_directory)
            .stdin(Stdio::null())
            .stderr(file.try_clone()?)
            .stdout(file);
        let begun = Instant::now();
        let mut child = unblock_signals(&mut command).spawn()?;
        let mut exceeded = None;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begun.elapsed() > Duration::from_secs(request.wall_seconds) {
                exceeded = Some(Ending::WallTimeExceeded);
            } else if fs::metadata(&printed)?.len() > request.transcript_bytes {
                exceeded = Some(Ending::TranscriptExceeded);
            }
            if call.wait_until_cancelled(Duration::from_millis(10)) || exceeded.is_some() {
                kill_session(child.id())?;
                break child.wait()?;
            }
        };
        let wall_time = begun.elapsed();
        if call.is_cancelled() {
            return Err(FailureCode::Cancelled.into());
        }
        let fitted = add(&printed, request.transcript_bytes, transcript)?;
        fs::remove_file(&printed)?;
        let ending = match (exceeded, status.code(), status.signal()) {
            (Some(exceeded), _, _) => exceeded,
            (None, _, _) if !fitted => Ending::TranscriptExceeded,
            (None, Some(status), _) => Ending::Exited(status as u8),
            (None, None, signal) => Ending::Signalled(signal.unwrap_or(9) as u8),
        };
        Ok(RunResult::new(ending, wall_time))
    }
}

/// Recipes know `/input/…` and `/output`; without a file system of its own the run gets the host's paths.
fn script(request: &RunRequest<'_>) -> Result<String, Failure> {
    let recipe = request.host_path("/input/recipe.sh").ok_or(FailureCode::Invalid)?;
    let mut script = fs::read_to_string(recipe)?;
    let mut mounts = request.mounts.clone();
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.inside_path.as_os_str().len()));
    for mount in mounts {
        script = script.replace(&*mount.inside_path.to_string_lossy(), &mount.host_path.to_string_lossy());
    }
    Ok(script)
}

fn kill_session(leader: u32) -> io::Result<()> {
    // Its group may be gone already.
    Command::new("kill").args(["-KILL", "--", &format!("-{}", leader)]).stderr(Stdio::null()).status().map(|_| ())
}

fn add(printed: &Path, limit: u64, transcript: &mut Transcript<'_>) -> Result<bool, Failure> {
    use io::Read as _;
    let mut bytes = Vec::new();
    File::open(printed)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(transcript.add(&bytes))
}

#[cfg(not(test))]
synchronicity_node::sync_plugin!(synchronicity_node::Plugin::sandbox("plain", "1", Plain::make));
