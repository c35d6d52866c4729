use std::ffi::{c_void, CString};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use synchronicity_node_sys as sys;

use super::serve::{finish, host, read, read_text, read_texts, serve};
use super::{Call, Failure, FailureCode};
use crate::text;

/// Runs one program alone, without network or sight of the host, bounded in everything.
///
/// `docs/EXEC_SANDBOX.md` says what a program is to see inside, which findings a probe gives, and which ending is told
/// when several are true. A plugin changes neither the process's signals nor its umask or working folder.
pub trait Sandbox: Send + Sync + 'static {
    /// Checks what the host can do, without changing it. 60 s.
    fn probe(&self, call: &Call<'_>) -> Result<Vec<Finding>, Failure>;

    /// Unpacks the archive of a toolchain, once, after checking its SHA-256, which is `toolchain`. An hour.
    fn prepare(&self, toolchain: &str, archive: &Path, call: &Call<'_>) -> Result<(), Failure>;

    /// Whether the toolchain is prepared. 60 s.
    fn has_toolchain(&self, toolchain: &str, call: &Call<'_>) -> Result<bool, Failure>;

    /// Runs to the end; a program that fails is a result, and only a fault of the sandbox is a failure. When cancelled,
    /// kills the whole tree. The request's `wall_seconds`, and `patience-seconds`, a setting.
    fn run(
        &self,
        request: &RunRequest<'_>,
        transcript: &mut Transcript<'_>,
        call: &Call<'_>,
    ) -> Result<RunResult, Failure>;

    /// At each start of a node, before its first run: clears away what a killed run has left, and gives a line for
    /// each. Other nodes of the host may run builds. Ten minutes.
    fn remove_leftovers(&self, _call: &Call<'_>) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}

/// One checked requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is checked, such as "user namespaces".
    pub name: String,
    /// What was found; when not met, what is wanted.
    pub detail: String,
    /// Whether the host has it.
    pub is_met: bool,
    /// Met, but by less than a better host gives; the detail says what.
    pub is_weaker: bool,
    /// One line that would mend it.
    pub mend: Option<String>,
}

impl Finding {
    /// A requirement that is met.
    pub fn met(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), detail: detail.into(), is_met: true, is_weaker: false, mend: None }
    }
}

/// What of the host is seen inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount<'a> {
    /// Where it is.
    pub host_path: &'a Path,
    /// Where it is seen.
    pub inside_path: &'a Path,
    /// Whether the program may write there.
    pub is_writable: bool,
}

/// One program to run. The host has checked it: names, paths, that mounts are there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunRequest<'a> {
    /// 1 to 100 letters, digits, `-`, `_`, `.`; unique on this host.
    pub run_id: &'a str,
    /// One that was prepared; its tree is the root.
    pub toolchain: &'a str,
    /// Absolute path inside, then the arguments.
    pub command: Vec<&'a str>,
    /// The whole of it, name and value, in the order given.
    pub environment: Vec<(&'a str, &'a str)>,
    /// Where the program begins, inside.
    pub working_directory: &'a Path,
    /// What of the host is seen inside.
    pub mounts: Vec<Mount<'a>>,
    /// Fixed inside.
    pub host_name: &'a str,
    /// A folder of the host for this run's private files: there, and empty again afterwards.
    pub scratch_directory: &'a Path,
    /// The bounds, all at least 1.
    pub wall_seconds: u64,
    /// Of the whole tree.
    pub cpu_seconds: u64,
    /// Of the whole tree.
    pub memory_bytes: u64,
    /// At one time.
    pub processes: u64,
    /// What is written, in all.
    pub disk_bytes: u64,
    /// What is printed.
    pub transcript_bytes: u64,
}

impl<'a> RunRequest<'a> {
    /// Where on the host the mount is that is seen at this path.
    pub fn host_path(&self, inside_path: impl AsRef<Path>) -> Option<&'a Path> {
        let wanted = inside_path.as_ref();
        self.mounts.iter().find(|mount| mount.inside_path == wanted).map(|mount| mount.host_path)
    }

    unsafe fn read(raw: &'a sys::sync_run_request) -> Result<Self, Failure> {
        let environment = unsafe { read_texts(raw.environment, raw.environment_count, "The environment") }?;
        let environment = environment.into_iter().map(|line| {
            line.split_once('=').ok_or_else(|| {
                Failure::new(FailureCode::Invalid, format!("The environment has {:?}, not NAME=value", line))
            })
        });
        let mounts = unsafe { text::slice(raw.mounts, raw.mounts_count) };
        let mounts = mounts.iter().map(|mount| Mount {
            host_path: unsafe { text::path(mount.host_path) },
            inside_path: unsafe { text::path(mount.inside_path) },
            is_writable: mount.is_writable != 0,
        });
        Ok(Self {
            run_id: unsafe { read_text(raw.run_id, "The run's name") }?,
            toolchain: unsafe { read_text(raw.toolchain, "The toolchain") }?,
            command: unsafe { read_texts(raw.command, raw.command_count, "The command") }?,
            environment: environment.collect::<Result<_, _>>()?,
            working_directory: unsafe { text::path(raw.working_directory) },
            mounts: mounts.collect(),
            host_name: unsafe { read_text(raw.host_name, "The host's name") }?,
            scratch_directory: unsafe { text::path(raw.scratch_directory) },
            wall_seconds: raw.wall_seconds,
            cpu_seconds: raw.cpu_seconds,
            memory_bytes: raw.memory_bytes,
            processes: raw.processes,
            disk_bytes: raw.disk_bytes,
            transcript_bytes: raw.transcript_bytes,
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// By itself, with this exit status.
    Exited(u8),
    /// By the signal of this number, 1 to 64.
    Signalled(u8),
    /// Its time was over.
    WallTimeExceeded,
    /// It computed for too long.
    CpuTimeExceeded,
    /// It wanted more memory.
    MemoryExceeded,
    /// It wanted more processes.
    ProcessesExceeded,
    /// It wrote more.
    DiskExceeded,
    /// It printed more: [`Transcript::add`] says so.
    TranscriptExceeded,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// How it ended.
    pub ending: Ending,
    /// How long it took.
    pub wall_time: Duration,
    /// Of the whole tree, where it is known.
    pub cpu_time: Option<Duration>,
    /// Where it is known.
    pub memory_peak_bytes: Option<u64>,
}

impl RunResult {
    /// A result of which no more is known.
    pub fn new(ending: Ending, wall_time: Duration) -> Self {
        Self { ending, wall_time, cpu_time: None, memory_peak_bytes: None }
    }

    fn as_raw(&self) -> sys::sync_run_result {
        let (ending, status) = match self.ending {
            Ending::Exited(status) => (sys::SYNC_RUN_EXITED, status),
            Ending::Signalled(number) => (sys::SYNC_RUN_SIGNALLED, number),
            Ending::WallTimeExceeded => (sys::SYNC_RUN_WALL_TIME_EXCEEDED, 0),
            Ending::CpuTimeExceeded => (sys::SYNC_RUN_CPU_TIME_EXCEEDED, 0),
            Ending::MemoryExceeded => (sys::SYNC_RUN_MEMORY_EXCEEDED, 0),
            Ending::ProcessesExceeded => (sys::SYNC_RUN_PROCESSES_EXCEEDED, 0),
            Ending::DiskExceeded => (sys::SYNC_RUN_DISK_EXCEEDED, 0),
            Ending::TranscriptExceeded => (sys::SYNC_RUN_TRANSCRIPT_EXCEEDED, 0),
        };
        let mut raw = sys::sync_run_result::new();
        raw.ending = ending;
        raw.status = status.into();
        raw.wall_nanoseconds = nanoseconds(self.wall_time);
        raw.cpu_nanoseconds = self.cpu_time.map_or(0, nanoseconds);
        raw.memory_peak_bytes = self.memory_peak_bytes.unwrap_or(0);
        raw
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What the program that runs has printed: standard output and error, in the order in which they came.
pub struct Transcript<'call> {
    raw: *mut sys::sync_call,
    _call: PhantomData<&'call mut ()>,
}

// A number, not a pointer; whoever adds has it alone.
unsafe impl Send for Transcript<'_> {}

impl Transcript<'_> {
    /// Adds what came next. False when the run's `transcript_bytes` are passed: what fits is kept, and the run is to
    /// end with [`Ending::TranscriptExceeded`]. Nothing is kept once the call is over.
    #[must_use]
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        let status = host().call_add_transcript.map(|add| unsafe { add(self.raw, bytes.as_ptr().cast(), bytes.len()) });
        status != Some(sys::SYNC_ERROR_TOO_LARGE)
    }
}

impl fmt::Debug for Transcript<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transcript").finish_non_exhaustive()
    }
}

extern "C" {
    fn sigemptyset(set: *mut c_void) -> i32;
    fn pthread_sigmask(how: i32, set: *const c_void, old: *mut c_void) -> i32;
}

const SIG_SETMASK: i32 = 2;

/// Lets the command's process receive signals, which the threads of calls block.
pub fn unblock_signals(command: &mut Command) -> &mut Command {
    let unblock = || {
        // Linux' sigset_t has 128 bytes.
        let mut set = [0u64; 16];
        let set = set.as_mut_ptr().cast();
        match unsafe { (sigemptyset(set), pthread_sigmask(SIG_SETMASK, set, std::ptr::null_mut())) } {
            (0, 0) => Ok(()),
            (0, number) => Err(io::Error::from_raw_os_error(number)),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // Both functions may be called between fork and exec.
    unsafe { command.pre_exec(unblock) }
}

type Self_ = *mut c_void;

unsafe fn borrow<'a, S>(this: Self_) -> &'a S {
    unsafe { &*this.cast::<S>() }
}

unsafe extern "C" fn probe<S: Sandbox>(
    this: Self_,
    _: *const sys::sync_plain_request,
    call: *mut sys::sync_call,
) -> i32 {
    serve(
        call,
        |call| unsafe { borrow::<S>(this) }.probe(call),
        |host, raw, findings| {
            for finding in findings {
                let (name, detail) = (text::sentence(&finding.name), text::sentence(&finding.detail));
                let mend: Option<CString> = finding.mend.as_deref().map(text::sentence);
                let mut one = sys::sync_finding::new();
                one.is_met = finding.is_met.into();
                one.is_weaker = finding.is_weaker.into();
                one.name = name.as_ptr();
                one.detail = detail.as_ptr();
                one.mend = mend.as_ref().map_or(std::ptr::null(), |mend| mend.as_ptr());
                host.call_add_finding.map(|add| unsafe { add(raw, &one) });
            }
            finish(host, raw, ())
        },
    )
}

unsafe extern "C" fn prepare<S: Sandbox>(
    this: Self_,
    request: *const sys::sync_toolchain_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { read(request) }?;
        let toolchain = unsafe { read_text(request.toolchain, "The toolchain") }?;
        unsafe { borrow::<S>(this) }.prepare(toolchain, unsafe { text::path(request.archive) }, call)
    };
    serve(call, method, finish)
}

unsafe extern "C" fn has_toolchain<S: Sandbox>(
    this: Self_,
    request: *const sys::sync_toolchain_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { read(request) }?;
        let toolchain = unsafe { read_text(request.toolchain, "The toolchain") }?;
        match unsafe { borrow::<S>(this) }.has_toolchain(toolchain, call)? {
            true => Ok(()),
            false => Err(FailureCode::NotFound.into()),
        }
    };
    serve(call, method, finish)
}

unsafe extern "C" fn run<S: Sandbox>(
    this: Self_,
    request: *const sys::sync_run_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { RunRequest::read(read(request)?) }?;
        let mut transcript = Transcript { raw: call.as_ptr(), _call: PhantomData };
        unsafe { borrow::<S>(this) }.run(&request, &mut transcript, call)
    };
    serve(call, method, |host, raw, result| {
        let result = result.as_raw();
        host.call_finish_run.map_or(sys::SYNC_ERROR_STATE, |finish| unsafe { finish(raw, &result) })
    })
}

unsafe extern "C" fn remove_leftovers<S: Sandbox>(
    this: Self_,
    _: *const sys::sync_plain_request,
    call: *mut sys::sync_call,
) -> i32 {
    serve(
        call,
        |call| unsafe { borrow::<S>(this) }.remove_leftovers(call),
        |host, raw, lines| {
            for line in lines {
                let line = text::sentence(&line);
                host.call_add_text.map(|add| unsafe { add(raw, line.as_ptr()) });
            }
            finish(host, raw, ())
        },
    )
}

pub(super) fn methods<S: Sandbox>() -> sys::sync_sandbox_methods {
    let mut methods = sys::sync_sandbox_methods::new();
    methods.probe = Some(probe::<S>);
    methods.prepare = Some(prepare::<S>);
    methods.has_toolchain = Some(has_toolchain::<S>);
    methods.run = Some(run::<S>);
    methods.remove_leftovers = Some(remove_leftovers::<S>);
    methods
}
