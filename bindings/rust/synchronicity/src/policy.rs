use core::fmt;
use core::ptr;
use synchronicity_sys as sys;

use crate::{Error, Sha256Digest, Verification};

/// A parsed trust policy: which logs, cosigners and builders count, and how many of them.
pub struct Policy {
    raw: ptr::NonNull<sys::sync_policy>,
}

// The library's policies are immutable and may be used from any thread; whoever drops one has it alone.
unsafe impl Send for Policy {}
unsafe impl Sync for Policy {}

impl Policy {
    /// Parses a policy file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut raw = ptr::null_mut();
        Error::check(|error| unsafe { sys::sync_policy_create(bytes.as_ptr(), bytes.len(), 0, &mut raw, error) })?;
        Ok(Self { raw: ptr::NonNull::new(raw).expect("libsyncverify gives a policy") })
    }

    /// Checks a proof file's bytes against this policy and an artifact.
    ///
    /// `Ok` only if the proof holds. It is about the package that it names, which [`Proof`](crate::Proof) shows.
    pub fn verify(&self, proof: &[u8], artifact: &Sha256Digest) -> Result<Verification, Error> {
        let mut shown = sys::sync_verification::new();
        Error::check(|error| unsafe {
            sys::sync_policy_verify(
                self.raw.as_ptr(),
                proof.as_ptr(),
                proof.len(),
                artifact.0.as_ptr(),
                0,
                &mut shown,
                error,
            )
        })?;
        Ok(Verification::from_raw(&shown))
    }

    pub(crate) fn as_ptr(&self) -> *const sys::sync_policy {
        self.raw.as_ptr()
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        unsafe { sys::sync_policy_destroy(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Policy").finish_non_exhaustive()
    }
}

/// Checks one proof against one policy: [`Policy::parse`] and [`Policy::verify`] at once.
pub fn verify(policy: &[u8], proof: &[u8], artifact: &Sha256Digest) -> Result<Verification, Error> {
    let mut shown = sys::sync_verification::new();
    Error::check(|error| unsafe {
        sys::sync_verify(
            policy.as_ptr(),
            policy.len(),
            proof.as_ptr(),
            proof.len(),
            artifact.0.as_ptr(),
            0,
            &mut shown,
            error,
        )
    })?;
    Ok(Verification::from_raw(&shown))
}
