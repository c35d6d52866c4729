use std::ffi::CStr;
use std::fmt;
use std::ptr;

use synchronicity_node_sys as sys;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:ident,)*) => {
        /// Why a call failed. The numbers are the C interface's and never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// Another number: one of the verifier's, of a source's, or newer than this crate.
            Other(i32),
        }

        impl Code {
            /// The code that the C interface gives as `status`, which is not 0.
            pub fn from_status(status: i32) -> Self {
                match status {
                    $(sys::$number => Code::$name,)*
                    other => Code::Other(other),
                }
            }

            /// The C interface's number.
            pub fn status(self) -> i32 {
                match self {
                    $(Code::$name => sys::$number,)*
                    Code::Other(status) => status,
                }
            }
        }
    };
}

codes! {
    /// A named limit was passed (size, count).
    TooLarge = SYNC_ERROR_TOO_LARGE,
    /// NULL where something is wanted. Nothing in this crate leads to it.
    NullArgument = SYNC_ERROR_NULL_ARGUMENT,
    /// The library found at run time speaks another version of the interface.
    AbiVersion = SYNC_ERROR_ABI_VERSION,
    /// The library found at run time is older than this crate.
    StructSize = SYNC_ERROR_STRUCT_SIZE,
    /// A number is out of its bounds.
    OutOfRange = SYNC_ERROR_OUT_OF_RANGE,
    /// An argument that means nothing here.
    InvalidArgument = SYNC_ERROR_INVALID_ARGUMENT,
    /// Not in this state of the node, or not on this thread.
    State = SYNC_ERROR_STATE,
    /// Time is up; what was asked for may happen all the same.
    TimedOut = SYNC_ERROR_TIMED_OUT,
    /// The host lacks something: a program, a permission, a kernel feature, a device.
    Unavailable = SYNC_ERROR_UNAVAILABLE,
    /// There is no such package, toolchain, job or artifact.
    NotFound = SYNC_ERROR_NOT_FOUND,
    /// Bytes do not have the digest that was asked for.
    ChecksumMismatch = SYNC_ERROR_CHECKSUM_MISMATCH,
    /// Malformed or out of bounds: a configuration, a package's name.
    Invalid = SYNC_ERROR_INVALID,
    /// Reading or writing failed.
    Io = SYNC_ERROR_IO,
    /// It was cancelled.
    Cancelled = SYNC_ERROR_CANCELLED,
}

/// Why a call failed: a code for programs, a sentence for people. Errors are equal if their codes are.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    offset: Option<u64>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), offset: None }
    }

    /// Runs a call of the library's and takes over the error that it leaves.
    pub(crate) fn check(call: impl FnOnce(*mut *mut sys::sync_error) -> sys::sync_status) -> Result<(), Error> {
        let mut raw = ptr::null_mut();
        let status = call(&mut raw);
        if status == sys::SYNC_OK {
            return Ok(());
        }
        let message = unsafe { CStr::from_ptr(sys::sync_error_get_message(raw)) }.to_string_lossy().into_owned();
        // -1 stands for none.
        let offset = u64::try_from(unsafe { sys::sync_error_get_offset(raw) }).ok();
        unsafe { sys::sync_error_destroy(raw) };
        Err(Error { code: Code::from_status(status), message, offset })
    }

    /// What programs compare.
    pub fn code(&self) -> Code {
        self.code
    }

    /// One sentence for people: what was got, what was wanted.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The byte offset into the input at which reading stopped, where one applies.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.code == other.code
    }
}

impl Eq for Error {}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => write!(formatter, "{:?} ({})", self.code, self.code.status())?,
            message => formatter.write_str(message)?,
        }
        match self.offset {
            Some(offset) => write!(formatter, " (at byte {})", offset),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_that_is_a_node_s_has_a_code() {
        for (name, number) in sys::CONSTANTS.iter().filter(|(name, _)| name.starts_with("SYNC_ERROR_")) {
            let code = Code::from_status(*number as i32);
            assert_eq!(code.status() as u64, *number);
            if *number > 105 {
                assert!(!matches!(code, Code::Other(_)), "{} has no code", name);
            }
        }
    }

    #[test]
    fn an_error_without_a_sentence_still_reads() {
        let error = Error::check(|_| 106).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (Code::State, "State (106)"));
        assert_eq!((error.message(), error.offset()), ("", None));
    }
}
