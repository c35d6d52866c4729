use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::unix::io::BorrowedFd;
use std::time::{Duration, Instant};

use synchronicity_node_sys as sys;

use super::serve::host;

/// How a method fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCode {
    /// The host lacks something: a program, a permission, a kernel feature, a device.
    Unavailable,
    /// There is no such package, toolchain or record.
    NotFound,
    /// Bytes do not have the digest that was asked for.
    ChecksumMismatch,
    /// The request is malformed or out of bounds.
    Invalid,
    /// Reading or writing failed, or anything else.
    Io,
    /// The call was cancelled.
    Cancelled,
}

impl FailureCode {
    /// The C interface's number.
    pub fn number(self) -> i32 {
        match self {
            FailureCode::Unavailable => sys::SYNC_PLUGIN_UNAVAILABLE,
            FailureCode::NotFound => sys::SYNC_PLUGIN_NOT_FOUND,
            FailureCode::ChecksumMismatch => sys::SYNC_PLUGIN_CHECKSUM_MISMATCH,
            FailureCode::Invalid => sys::SYNC_PLUGIN_INVALID,
            FailureCode::Io => sys::SYNC_PLUGIN_IO,
            FailureCode::Cancelled => sys::SYNC_PLUGIN_CANCELLED,
        }
    }
}

/// Why a method has no answer: a code for the node, and a sentence for people, of which 1,000 bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: FailureCode,
    message: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What the node goes by.
    pub fn code(&self) -> FailureCode {
        self.code
    }

    /// What people read.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => write!(formatter, "{:?}", self.code),
            message => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::new(FailureCode::Io, error.to_string())
    }
}

impl From<FailureCode> for Failure {
    fn from(code: FailureCode) -> Self {
        Failure::new(code, "")
    }
}

/// One call of a method, while the method runs: tells whether anybody still waits for the answer.
pub struct Call<'call> {
    raw: *mut sys::sync_call,
    _method: PhantomData<&'call ()>,
}

// Not a pointer but a number, which libsync takes on any thread at any time.
unsafe impl Send for Call<'_> {}
unsafe impl Sync for Call<'_> {}

const POLLIN: i16 = 1;

#[repr(C)]
struct PollDescriptor {
    descriptor: i32,
    events: i16,
    returned: i16,
}

extern "C" {
    fn poll(descriptors: *mut PollDescriptor, count: std::os::raw::c_ulong, milliseconds: i32) -> i32;
}

impl Call<'_> {
    pub(super) fn new(raw: *mut sys::sync_call) -> Self {
        Self { raw, _method: PhantomData }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::sync_call {
        self.raw
    }

    /// Whether nobody waits for the answer any more: the call was cancelled, or its deadline is over. Whoever is
    /// cancelled has ten seconds to return.
    pub fn is_cancelled(&self) -> bool {
        host().call_is_cancelled.map_or(true, |is_cancelled| unsafe { is_cancelled(self.raw) } != 0)
    }

    /// A descriptor that becomes readable when the call is cancelled, to poll beside others; do not read from it.
    /// `None` when the call is over already.
    pub fn cancel_descriptor(&self) -> Option<BorrowedFd<'_>> {
        let descriptor = unsafe { host().call_get_cancel_descriptor?(self.raw) };
        // It stays until the method has answered, which is behind this borrow.
        if descriptor < 0 {
            None
        } else {
            Some(unsafe { BorrowedFd::borrow_raw(descriptor) })
        }
    }

    /// Waits, at most so long, until the call is cancelled; whether it is.
    pub fn wait_until_cancelled(&self, timeout: Duration) -> bool {
        let begun = Instant::now();
        loop {
            if self.is_cancelled() {
                return true;
            }
            let left = match timeout.checked_sub(begun.elapsed()) {
                Some(left) if left > Duration::ZERO => left,
                _ => return false,
            };
            let descriptor = match self.cancel_descriptor() {
                Some(descriptor) => std::os::unix::io::AsRawFd::as_raw_fd(&descriptor),
                None => return true,
            };
            // Rounded up, so that it does not spin through the last millisecond.
            let milliseconds = left.as_millis().saturating_add(1).min(60_000) as i32;
            let mut polled = PollDescriptor { descriptor, events: POLLIN, returned: 0 };
            unsafe { poll(&mut polled, 1, milliseconds) };
        }
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").field("is_cancelled", &self.is_cancelled()).finish()
    }
}
