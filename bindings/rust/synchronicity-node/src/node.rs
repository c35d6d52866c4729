use std::ffi::{c_void, CStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::raw::c_char;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::thread;
use std::time::Duration;

use synchronicity::Sha256Digest;
use synchronicity_node_sys as sys;

use crate::plugin::{guarded, is_inside, Inside};
use crate::registry::c_path;
use crate::{Code, Error, Event, Events, JobStatus, NodeStatus, Phase, Registry, SubmitRequest, Watch};

/// A timeout that is never over. So is whatever does not fit into 64 bits of nanoseconds.
pub const FOREVER: Duration = Duration::MAX;

pub(crate) fn nanoseconds(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap_or(sys::SYNC_FOREVER)
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LogLevel {
    /// For finding faults.
    Debug,
    /// What happens.
    Info,
    /// What happens seldom.
    Notice,
    /// What somebody should look at.
    Warning,
    /// What failed.
    Error,
    /// What ends the node; also a number that is newer than this crate.
    Critical,
}

impl LogLevel {
    fn from_number(number: i32) -> Self {
        match number {
            sys::SYNC_LOG_DEBUG => LogLevel::Debug,
            sys::SYNC_LOG_INFO => LogLevel::Info,
            sys::SYNC_LOG_NOTICE => LogLevel::Notice,
            sys::SYNC_LOG_WARNING => LogLevel::Warning,
            sys::SYNC_LOG_ERROR => LogLevel::Error,
            _ => LogLevel::Critical,
        }
    }
}

type Log = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

unsafe extern "C" fn log(user_data: *mut c_void, level: i32, line: *const c_char) {
    let _inside = Inside::enter();
    // Nobody is there to be told of a panic but the panic's own hook.
    let _ = guarded(|| {
        let line = unsafe { CStr::from_ptr(line) }.to_string_lossy();
        (unsafe { &*user_data.cast::<Log>() })(LogLevel::from_number(level), &line)
    });
}

/// What a node is made with, beside its configuration.
#[derive(Default)]
pub struct NodeBuilder<'a> {
    registry: Option<&'a Registry>,
    log: Option<Log>,
    is_restored: bool,
}

impl<'a> NodeBuilder<'a> {
    /// Plugins that the configuration may choose, beside those that are built in.
    pub fn registry(mut self, registry: &'a Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Gets the node's log, line by line, on a thread of its own, until the node is dropped. Of more than 4,096 lines
    /// that wait, the newest are dropped.
    pub fn log(mut self, function: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        self.log = Some(Box::new(function));
        self
    }

    /// For one start: the data folder was put back from an older copy, or is new although this builder has signed
    /// before.
    pub fn restored(mut self, is_restored: bool) -> Self {
        self.is_restored = is_restored;
        self
    }

    /// Makes the node of a configuration, as `synchronicity node run` takes it, and of the group file that it names.
    /// Nothing else is touched. Its gateway is not served: that is the program's. Relative paths begin in `folder`.
    pub fn create(self, configuration: impl AsRef<[u8]>, folder: impl AsRef<Path>) -> Result<Node, Error> {
        let configuration = configuration.as_ref();
        let folder = match folder.as_ref() {
            absolute if absolute.is_absolute() => absolute.to_path_buf(),
            relative => {
                let here = std::env::current_dir().map_err(|error| {
                    Error::new(Code::Io, format!("The working folder is not known: {}; give an absolute one", error))
                })?;
                here.join(relative)
            }
        };
        let folder = c_path(&folder)?;
        let log_function = self.log.map(Box::new);
        let mut options = sys::sync_node_options::new();
        options.is_restored = self.is_restored.into();
        if let Some(function) = &log_function {
            options.log = Some(log);
            options.log_user_data = &**function as *const Log as *mut c_void;
        }
        let registry = self.registry.map_or(ptr::null(), Registry::as_ptr);
        let mut raw = ptr::null_mut();
        Error::check(|error| unsafe {
            let (start, size) = (configuration.as_ptr(), configuration.len());
            sys::sync_node_create(start, size, folder.as_ptr(), registry, &options, &mut raw, error)
        })?;
        let raw = NonNull::new(raw).expect("libsync gives a node");
        Ok(Node { owned: Some(Owned { raw, log: log_function }) })
    }

    /// The same from a configuration file, in whose folder relative paths begin.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Node, Error> {
        let path = path.as_ref();
        let mut text = Vec::new();
        // One byte more than is allowed, which the library refuses.
        let limit = sys::SYNC_CONFIGURATION_BYTES_MAX as u64 + 1;
        File::open(path)
            .and_then(|file| file.take(limit).read_to_end(&mut text))
            .map_err(|error| Error::new(Code::Io, format!("{} cannot be read: {}", path.display(), error)))?;
        // The folder of a bare file name is "".
        self.create(text, path.parent().unwrap_or_else(|| Path::new("")))
    }
}

impl fmt::Debug for NodeBuilder<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NodeBuilder").field("is_restored", &self.is_restored).finish_non_exhaustive()
    }
}

/// What the library has until it is destroyed.
struct Owned {
    raw: NonNull<sys::sync_node>,
    /// Double, so that C has a pointer of one word.
    #[allow(dead_code, clippy::redundant_allocation)]
    log: Option<Box<Log>>,
}

// Whoever drops it has it alone, and what it holds may be used on any thread.
unsafe impl Send for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        // The log's function is called until this returns, and dropped behind it.
        unsafe { sys::sync_node_destroy(self.raw.as_ptr()) }
    }
}

/// A builder. Its methods may be called from any thread.
///
/// Dropping it stops it, waits for that, and frees it. In a method of a plugin or in the log's function, where it would
/// wait for itself, it is ended by a thread of its own instead.
pub struct Node {
    owned: Option<Owned>,
}

// Each function of the library's that takes a node may be called on any thread at any time.
unsafe impl Send for Node {}
unsafe impl Sync for Node {}

impl Node {
    /// For nodes with plugins, or with a log.
    pub fn builder<'a>() -> NodeBuilder<'a> {
        NodeBuilder::default()
    }

    /// [`NodeBuilder::create`] without anything of that.
    pub fn create(configuration: impl AsRef<[u8]>, folder: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().create(configuration, folder)
    }

    /// [`NodeBuilder::load`] without anything of that.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().load(path)
    }

    /// Opens keys, journal and plugins, listens, and begins to take part; returns when it does. Once.
    pub fn start(&self) -> Result<(), Error> {
        Error::check(|error| unsafe { sys::sync_node_start(self.as_ptr(), error) })
    }

    /// Ends the node: builds are killed and begin anew at the next start; nothing is lost. Returns when all is closed.
    ///
    /// With [`Code::TimedOut`] it goes on ending. Another error is the one with which the node ended by itself or did
    /// not start; or [`Code::State`] in a function that the node calls, which would wait for itself.
    pub fn stop(&self, timeout: Duration) -> Result<(), Error> {
        if is_inside() && nanoseconds(timeout) > 0 {
            return Err(Error::new(
                Code::State,
                "A function that the node calls cannot stop it: it would wait for itself",
            ));
        }
        Error::check(|error| unsafe { sys::sync_node_stop(self.as_ptr(), nanoseconds(timeout), error) })
    }

    /// Pins a package's inputs, signs the job and hands it to the group. The same spec is the same job.
    ///
    /// With [`Code::TimedOut`] it may be submitted all the same.
    pub fn submit(&self, request: &SubmitRequest, timeout: Duration) -> Result<Sha256Digest, Error> {
        let mut job = [0; 32];
        request.with_raw(|raw| {
            Error::check(|error| unsafe {
                sys::sync_node_submit(self.as_ptr(), raw, nanoseconds(timeout), job.as_mut_ptr(), error)
            })
        })?;
        Ok(Sha256Digest(job))
    }

    /// How far a job has come.
    pub fn job(&self, job: &Sha256Digest) -> Result<JobStatus, Error> {
        let mut raw = sys::sync_job_status::new();
        Error::check(|error| unsafe { sys::sync_node_get_job(self.as_ptr(), job.0.as_ptr(), &mut raw, error) })?;
        Ok(JobStatus::from_raw(&raw))
    }

    /// Waits until the job has come as far as the phase. [`Code::TimedOut`] when time is up, [`Code::State`] when the
    /// node ends.
    pub fn wait(&self, job: &Sha256Digest, phase: Phase, timeout: Duration) -> Result<JobStatus, Error> {
        let mut raw = sys::sync_job_status::new();
        let (start, number, time) = (job.0.as_ptr(), phase.number(), nanoseconds(timeout));
        Error::check(|error| unsafe { sys::sync_node_wait(self.as_ptr(), start, number, time, &mut raw, error) })?;
        Ok(JobStatus::from_raw(&raw))
    }

    /// The static proof file of a job that is [`Phase::Cosigned`], else [`Code::NotFound`].
    pub fn proof(&self, job: &Sha256Digest) -> Result<Vec<u8>, Error> {
        copied(|created, error| unsafe { sys::sync_node_copy_proof(self.as_ptr(), job.0.as_ptr(), created, error) })
    }

    /// A local file that holds the artifact, else [`Code::NotFound`].
    pub fn artifact_path(&self, artifact: &Sha256Digest) -> Result<PathBuf, Error> {
        let path = copied(|created, error| unsafe {
            sys::sync_node_copy_artifact_path(self.as_ptr(), artifact.0.as_ptr(), created, error)
        })?;
        Ok(PathBuf::from(OsString::from_vec(path)))
    }

    /// The node at a glance, in every state.
    pub fn status(&self) -> Result<NodeStatus, Error> {
        let mut raw = sys::sync_node_status::new();
        Error::check(|error| unsafe { sys::sync_node_get_status(self.as_ptr(), &mut raw, error) })?;
        Ok(NodeStatus::from_raw(&raw))
    }

    /// The same and more, as the gateway's `/v1/status` gives it: one JSON object.
    pub fn status_json(&self) -> Result<String, Error> {
        let json = copied(|created, error| unsafe { sys::sync_node_copy_status_json(self.as_ptr(), created, error) })?;
        String::from_utf8(json).map_err(|error| Error::new(Code::Invalid, error.to_string()))
    }

    /// Waits until the node has no open job, or [`Code::TimedOut`]. Whoever wants it to stay so submits no more: other
    /// members may.
    pub fn drain(&self, timeout: Duration) -> Result<(), Error> {
        Error::check(|error| unsafe { sys::sync_node_drain(self.as_ptr(), nanoseconds(timeout), error) })
    }

    /// The events from now on, in any state of the node. `capacity`: events that wait at most, 1 to 65,536; of more,
    /// the newest are dropped and counted.
    pub fn events(&self, capacity: u32) -> Result<Events, Error> {
        let mut raw = ptr::null_mut();
        Error::check(|error| unsafe { sys::sync_node_subscribe(self.as_ptr(), capacity, &mut raw, error) })?;
        Ok(Events::new(NonNull::new(raw).expect("libsync gives a subscription")))
    }

    /// The same for a function, which gets them on a thread of its own.
    pub fn on_event(&self, capacity: u32, function: impl FnMut(Event) + Send + 'static) -> Result<Watch, Error> {
        Watch::new(self.events(capacity)?, function)
    }

    fn as_ptr(&self) -> *mut sys::sync_node {
        self.owned.as_ref().expect("a node is owned until it is dropped").raw.as_ptr()
    }
}

/// The bytes that a call gives.
pub(crate) fn copied(
    call: impl FnOnce(*mut *mut sys::sync_bytes, *mut *mut sys::sync_error) -> sys::sync_status,
) -> Result<Vec<u8>, Error> {
    let mut raw = ptr::null_mut();
    Error::check(|error| call(&mut raw, error))?;
    let (start, size) = unsafe { (sys::sync_bytes_get_start(raw), sys::sync_bytes_get_size(raw)) };
    let bytes = unsafe { crate::text::slice(start, size) }.to_vec();
    unsafe { sys::sync_bytes_destroy(raw) };
    Ok(bytes)
}

impl Drop for Node {
    fn drop(&mut self) {
        let owned = self.owned.take();
        if is_inside() {
            // Where no thread can be had, the closure is dropped here, and so never with the node in it.
            let kept = std::mem::ManuallyDrop::new(owned);
            let end = move || drop(std::mem::ManuallyDrop::into_inner(kept));
            let _ = thread::Builder::new().name("sync-drop".to_string()).spawn(end);
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Node").field("state", &self.status().map(|status| status.state)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_nanoseconds_and_what_does_not_fit_is_for_ever() {
        for (timeout, wanted) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(3600), 3_600_000_000_000),
            (Duration::from_nanos(u64::MAX - 1), u64::MAX - 1),
            (Duration::from_secs(u64::MAX / 1_000_000_000 + 1), sys::SYNC_FOREVER),
            (FOREVER, sys::SYNC_FOREVER),
        ] {
            assert_eq!(nanoseconds(timeout), wanted, "{:?}", timeout);
        }
    }
}
