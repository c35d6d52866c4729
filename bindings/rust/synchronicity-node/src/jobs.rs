use std::ffi::CString;
use std::os::raw::c_char;
use std::ptr;

use synchronicity::Verdict;
use synchronicity_node_sys as sys;

use crate::{Code, Error};

/// Which package is to be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SubmitRequest {
    /// Such as "pkg:cargo/itoa@1.0.1".
    pub package: String,
    /// Beside the default ones.
    pub features: Vec<String>,
    /// Leaves the default features out.
    pub without_default_features: bool,
    /// `None`: release.
    pub profile: Option<String>,
    /// `None`: the toolchain's own host.
    pub target: Option<String>,
    /// 64 hexadecimal digits; `None`: the configuration's.
    pub toolchain: Option<String>,
    /// A number that was not used before asks for a fresh rebuild.
    pub rebuild: u64,
    /// -100 to 100, in this node's own queue.
    pub priority: i32,
}

impl SubmitRequest {
    /// A request of which all but the package is as usual.
    pub fn new(package: impl Into<String>) -> Self {
        Self { package: package.into(), ..Self::default() }
    }

    /// Calls with what C is given, which is gone afterwards.
    pub(crate) fn with_raw<T>(
        &self,
        call: impl FnOnce(&sys::sync_submit_request) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let optional = |text: &Option<String>, name: &str| text.as_deref().map(|text| c_text(text, name)).transpose();
        let start = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let package = c_text(&self.package, "The package")?;
        let features = self.features.iter().map(|text| c_text(text, "A feature")).collect::<Result<Vec<_>, _>>()?;
        let starts: Vec<*const c_char> = features.iter().map(|text| text.as_ptr()).collect();
        let profile = optional(&self.profile, "The profile")?;
        let target = optional(&self.target, "The target")?;
        let toolchain = optional(&self.toolchain, "The toolchain")?;
        let mut raw = sys::sync_submit_request::new();
        raw.package = package.as_ptr();
        raw.features = if starts.is_empty() { ptr::null() } else { starts.as_ptr() };
        raw.features_count = starts.len();
        raw.profile = start(&profile);
        raw.target = start(&target);
        raw.toolchain = start(&toolchain);
        raw.rebuild = self.rebuild;
        raw.without_default_features = self.without_default_features.into();
        raw.priority = self.priority;
        call(&raw)
    }
}

pub(crate) fn c_text(text: &str, name: &str) -> Result<CString, Error> {
    CString::new(text)
        .map_err(|_| Error::new(Code::InvalidArgument, format!("{} is {:?}, which holds a NUL", name, text)))
}

/// How far a job has come, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The node does not know it, or in a way that is newer than this crate.
    Unknown,
    /// Ordered: builders rebuild and commit.
    Commit,
    /// Builders open their commitments.
    Reveal,
    /// The verdict stands, and its evidence is in the log.
    Logged,
    /// A quorum has cosigned the log with it: the proof can be had.
    Cosigned,
}

impl Phase {
    fn from_number(number: i32) -> Self {
        match number {
            sys::SYNC_PHASE_COMMIT => Phase::Commit,
            sys::SYNC_PHASE_REVEAL => Phase::Reveal,
            sys::SYNC_PHASE_LOGGED => Phase::Logged,
            sys::SYNC_PHASE_COSIGNED => Phase::Cosigned,
            _ => Phase::Unknown,
        }
    }

    pub(crate) fn number(self) -> i32 {
        match self {
            Phase::Unknown => sys::SYNC_PHASE_UNKNOWN,
            Phase::Commit => sys::SYNC_PHASE_COMMIT,
            Phase::Reveal => sys::SYNC_PHASE_REVEAL,
            Phase::Logged => sys::SYNC_PHASE_LOGGED,
            Phase::Cosigned => sys::SYNC_PHASE_COSIGNED,
        }
    }
}

/// How far a job has come, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobStatus {
    /// How far.
    pub phase: Phase,
    /// `None` while there is none.
    pub verdict: Option<Verdict>,
    /// Builders that agree on the outcome that gave the verdict.
    pub agreeing: u32,
    /// Builders that have committed to an outcome.
    pub committed: u32,
    /// The evidence's, from [`Phase::Logged`] on.
    pub leaf_index: Option<u64>,
}

impl JobStatus {
    pub(crate) fn from_raw(raw: &sys::sync_job_status) -> Self {
        let phase = Phase::from_number(raw.phase);
        Self {
            phase,
            verdict: if raw.verdict == 0 { None } else { Some(Verdict::from_number(raw.verdict)) },
            agreeing: raw.agreeing,
            committed: raw.committed,
            leaf_index: if phase >= Phase::Logged { Some(raw.leaf_index) } else { None },
        }
    }
}
