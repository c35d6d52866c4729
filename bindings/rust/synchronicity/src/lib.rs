//! Checks, offline, that independent builders rebuilt an artifact: from a proof file (`.tlog-proof`), a trust policy
//! and the artifact's digest, and from nothing else.
//!
//! ```
//! # use std::fs::read;
//! use synchronicity::{Policy, Proof, Sha256Digest};
//!
//! # let artifact_digest = "c41270e6934b116c8845129b874a203bc3a0209142e2f77db9f3319d1509d16a";
//! # let (policy, proof) =
//! #     ("../../../Tests/CABI/samples/itoa.policy", "../../../Tests/CABI/samples/itoa.tlog-proof");
//! let policy = Policy::parse(&read(policy)?)?;
//! let artifact: Sha256Digest = artifact_digest.parse()?;
//! let proof = Proof::parse(&read(proof)?)?;
//! let shown = proof.verify(&policy, &artifact)?;
//! println!("{} of {} builders rebuilt {}", shown.reproducers, shown.builders, proof.package());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `Ok` means that both of the policy's thresholds hold for these very bytes: enough cosigners saw the log, enough
//! builders signed for the artifact. They are the artifact of the package that the proof names, whatever the file is
//! called: compare [`Proof::package`] with the package that you want. Everything else is an [`Error`] whose [`Code`]
//! says why.
//!
//! | you have | you call |
//! |---|---|
//! | a file on disk, its proof inside it or beside it | [`verify_file`] |
//! | the file's digest and the proof's bytes | [`Policy::verify`], or [`verify`] for a single one |
//! | a hand-over to the group's next members | [`Policy::follow`] |
//! | bytes that come in pieces | [`Hasher`] |
//! | a proof to show to somebody | [`Proof`] |
//! | a file that may hold a proof | [`embedded::find`] |
//!
//! Nothing here opens a socket, reads a clock, starts a thread or keeps anything between calls; only the functions
//! that take a path or a reader touch files. All types are [`Send`] and [`Sync`].
//!
//! Without the feature `std` the crate is `no_std`, and needs no allocator of Rust's (the library below uses C's).

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(missing_debug_implementations)]

mod digest;
pub mod embedded;
mod error;
#[cfg(feature = "std")]
mod file;
mod hasher;
mod policy;
mod proof;
mod text;
mod verification;

pub use digest::{ParseDigestError, Sha256Digest};
pub use error::{Code, Error};
#[cfg(feature = "std")]
pub use file::{verify_file, verify_file_with, FileError, FileVerification, ProofOrigin};
pub use hasher::Hasher;
pub use policy::{verify, Policy};
pub use proof::{Artifact, Artifacts, Builder, BuilderState, Builders, Proof, Signature, Signatures, Source, Sources};
pub use verification::{Verdict, Verification};

/// The most that [`Policy::parse`] takes, in bytes.
pub const POLICY_BYTES_MAX: usize = synchronicity_sys::SYNC_POLICY_BYTES_MAX;
/// The most that [`Policy::verify`], [`Policy::follow`] and [`Proof::parse`] take, in bytes.
pub const PROOF_BYTES_MAX: usize = synchronicity_sys::SYNC_PROOF_BYTES_MAX;

/// The version of the library below, such as `0.1.0`.
pub fn library_version() -> &'static str {
    // The library's string lives for as long as the library is loaded, and nothing here unloads it.
    unsafe { text::borrow(synchronicity_sys::sync_get_version()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send_and_sync<T: Send + Sync>() {}

    #[test]
    fn everything_may_be_shared_between_threads() {
        assert_send_and_sync::<Policy>();
        assert_send_and_sync::<Proof>();
        assert_send_and_sync::<Hasher>();
        assert_send_and_sync::<Error>();
        assert_send_and_sync::<Verification>();
        assert_send_and_sync::<Sha256Digest>();
        assert_send_and_sync::<Builders<'_>>();
        assert_send_and_sync::<Artifact<'_>>();
        assert_send_and_sync::<embedded::Embedded>();
        #[cfg(feature = "std")]
        {
            assert_send_and_sync::<FileError>();
            assert_send_and_sync::<FileVerification>();
        }
    }

    #[test]
    fn the_library_is_the_one_that_the_declarations_describe() {
        assert_eq!(library_version(), env!("CARGO_PKG_VERSION"));
    }
}
