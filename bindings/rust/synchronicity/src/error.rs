use core::fmt;
use core::ptr;
use synchronicity_sys as sys;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:ident,)*) => {
        /// Why something was refused. The numbers are the C interface's and never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A number that is newer than this crate: a refusal like any other.
            Unknown(i32),
        }

        impl Code {
            /// The code that the C interface gives as `status`, which is not 0.
            pub fn from_status(status: i32) -> Self {
                match status {
                    $(sys::$number => Code::$name,)*
                    unknown => Code::Unknown(unknown),
                }
            }

            /// The C interface's number.
            pub fn status(self) -> i32 {
                match self {
                    $(Code::$name => sys::$number,)*
                    Code::Unknown(status) => status,
                }
            }
        }
    };
}

codes! {
    /// The bytes are not in the format: truncated, not canonical, trailing, out of bounds.
    Malformed = SYNC_ERROR_MALFORMED,
    /// A named limit was passed (size, count).
    TooLarge = SYNC_ERROR_TOO_LARGE,
    /// The format's first line names a version that this library does not know.
    UnsupportedVersion = SYNC_ERROR_UNSUPPORTED_VERSION,
    /// A Merkle path does not lead to the root.
    InclusionMismatch = SYNC_ERROR_INCLUSION_MISMATCH,
    /// A consistency path does not lead from the old root to the new one.
    ConsistencyMismatch = SYNC_ERROR_CONSISTENCY_MISMATCH,
    /// No log of the policy signed the checkpoint.
    UntrustedLog = SYNC_ERROR_UNTRUSTED_LOG,
    /// A signature by a known key does not verify.
    InvalidSignature = SYNC_ERROR_INVALID_SIGNATURE,
    /// Too few cosignatures for the policy's quorum.
    QuorumMissed = SYNC_ERROR_QUORUM_MISSED,
    /// Too few builders of the policy revealed the artifact, or approved the hand-over.
    ReproducersMissed = SYNC_ERROR_REPRODUCERS_MISSED,
    /// The artifact's digest is not among the artifacts on which the builders agreed.
    ArtifactMismatch = SYNC_ERROR_ARTIFACT_MISMATCH,
    /// The evidence's verdict is not the one that its own lines give.
    VerdictMismatch = SYNC_ERROR_VERDICT_MISMATCH,
    /// A verifier key is not in the vkey form, of a type that is not verified here, or its key ID is not its own.
    InvalidKey = SYNC_ERROR_INVALID_KEY,
    /// A trust policy is well-formed but does not hold together: a name twice, an unknown name, no quorum.
    InvalidPolicy = SYNC_ERROR_INVALID_POLICY,
    /// The evidence names another group than the log that holds it.
    GroupMismatch = SYNC_ERROR_GROUP_MISMATCH,
    /// The proof carries no leaf, or one that is not evidence.
    NotEvidence = SYNC_ERROR_NOT_EVIDENCE,
    /// The evidence's verdict is sound but is not "reproduced".
    NotReproduced = SYNC_ERROR_NOT_REPRODUCED,
    /// A reveal by a builder that the policy knows is not signed by that builder.
    InvalidReveal = SYNC_ERROR_INVALID_REVEAL,
    /// A build spec is well-formed but out of a bound or out of order.
    InvalidSpec = SYNC_ERROR_INVALID_SPEC,
    /// The proof carries no leaf, or one that is no hand-over.
    NotHandover = SYNC_ERROR_NOT_HANDOVER,
    /// A hand-over is another epoch's than the one that comes next.
    WrongEpoch = SYNC_ERROR_WRONG_EPOCH,
    /// NULL where an object or bytes are wanted. Nothing in this crate leads to it.
    NullArgument = SYNC_ERROR_NULL_ARGUMENT,
    /// A flag that the library does not know. Nothing in this crate leads to it.
    UnknownFlag = SYNC_ERROR_UNKNOWN_FLAG,
    /// A struct that is too small for the library. Nothing in this crate leads to it.
    StructSize = SYNC_ERROR_STRUCT_SIZE,
    /// The shared library found at run time speaks another version of the interface.
    AbiVersion = SYNC_ERROR_ABI_VERSION,
    /// An index at or above the count that belongs to it. Nothing in this crate leads to it.
    OutOfRange = SYNC_ERROR_OUT_OF_RANGE,
    /// Sizes that do not fit together, which [`embedded::find`](crate::embedded::find) may be given.
    InvalidArgument = SYNC_ERROR_INVALID_ARGUMENT,
}

impl Code {
    /// Whether the input was not even well-formed: not in its format, above a limit, or a policy that does not hold
    /// together. The command line exits with 2 for these.
    pub fn is_malformed(self) -> bool {
        use Code::*;
        matches!(self, Malformed | TooLarge | UnsupportedVersion | InvalidKey | InvalidPolicy)
    }

    /// Whether well-formed input does not prove the artifact. The command line exits with 1 for these.
    pub fn is_not_verified(self) -> bool {
        self.status() < sys::SYNC_ERROR_NULL_ARGUMENT && !self.is_malformed()
    }
}

/// The C interface's number and the code's name, such as `8 QuorumMissed`.
impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Unknown(status) => write!(formatter, "{} Unknown", status),
            known => write!(formatter, "{} {:?}", known.status(), known),
        }
    }
}

/// Why a call failed: a code for programs, a sentence for people, and where in the input it is.
///
/// Errors are equal if their codes are.
///
/// ```
/// use synchronicity::{Code, Policy};
///
/// let error = Policy::parse(b"log\n").unwrap_err();
/// assert_eq!(error.code(), Code::Malformed);
/// assert!(error.offset().is_some());
/// eprintln!("{}", error);
/// ```
pub struct Error {
    code: Code,
    /// What the library made, or null; owned.
    raw: *mut sys::sync_error,
}

// The library's errors are immutable and may be read from any thread; whoever drops one has it alone.
unsafe impl Send for Error {}
unsafe impl Sync for Error {}

impl Error {
    /// Runs a call of the library's and takes over the error that it leaves.
    pub(crate) fn check(call: impl FnOnce(*mut *mut sys::sync_error) -> sys::sync_status) -> Result<(), Error> {
        let mut raw = ptr::null_mut();
        match call(&mut raw) {
            sys::SYNC_OK => Ok(()),
            status => Err(Error { code: Code::from_status(status), raw }),
        }
    }

    /// What programs compare.
    pub fn code(&self) -> Code {
        self.code
    }

    /// One sentence for people: what was got, what was wanted.
    pub fn message(&self) -> &str {
        unsafe { crate::text::borrow_sentence(sys::sync_error_get_message(self.raw)) }
    }

    /// The byte offset into the input at which reading stopped, where one applies.
    pub fn offset(&self) -> Option<u64> {
        // -1 stands for none.
        let offset = unsafe { sys::sync_error_get_offset(self.raw) };
        if offset < 0 {
            None
        } else {
            Some(offset as u64)
        }
    }
}

impl Drop for Error {
    fn drop(&mut self) {
        unsafe { sys::sync_error_destroy(self.raw) }
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
        match self.message() {
            "" => write!(formatter, "{}", self.code)?,
            message => formatter.write_str(message)?,
        }
        match self.offset() {
            Some(offset) => write!(formatter, " (at byte {})", offset),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Error")
            .field("code", &self.code)
            .field("message", &self.message())
            .field("offset", &self.offset())
            .finish()
    }
}

#[cfg(feature = "std")]
impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_interface_has_a_code_and_one_class_at_most() {
        let numbers = sys::CONSTANTS.iter().filter(|(name, _)| name.starts_with("SYNC_ERROR_"));
        for (name, number) in numbers {
            let code = Code::from_status(*number as i32);
            assert_eq!(i64::from(code.status()), *number);
            assert!(!matches!(code, Code::Unknown(_)), "{} has no code", name);
            assert!(!(code.is_malformed() && code.is_not_verified()), "{}", name);
            assert_eq!(*number < 100, code.is_malformed() || code.is_not_verified(), "{}", name);
        }
        assert_eq!(Code::from_status(77), Code::Unknown(77));
        assert!(Code::Unknown(77).is_not_verified());
    }

    #[test]
    fn an_error_without_the_library_s_object_still_reads() {
        let error = Error::check(|_| 8).unwrap_err();
        assert_eq!(error.to_string(), "8 QuorumMissed");
        assert_eq!((error.message(), error.offset()), ("", None));
    }
}
