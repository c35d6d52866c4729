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

    /// Goes on by a hand-over: a proof file's bytes, by which the builders of this policy hand over to those of the
    /// next epoch.
    ///
    /// Gives another policy, by which proofs of either epoch hold. This one stays as it is, and neither needs the
    /// other.
    ///
    /// `epoch` is the one that this policy is of, which the hand-over must end, else [`Code::WrongEpoch`]: 0 for a
    /// group's first policy, and one more behind each hand-over. Take it from where the policy came from and never from
    /// the hand-over: most builders stay from epoch to epoch, so that an earlier epoch's hand-over, which leads back to
    /// members who have left, may hold as well.
    ///
    /// ```
    /// # use std::fs::read;
    /// # use synchronicity::Policy;
    /// # let vectors = "../../../Tests/Vectors";
    /// # let (policy, first, second) = (
    /// #     format!("{}/policies/four.policy", vectors),
    /// #     format!("{}/handovers/zero-to-one.tlog-proof", vectors),
    /// #     format!("{}/handovers/one-to-two.tlog-proof", vectors),
    /// # );
    /// let policy = Policy::parse(&read(policy)?)?;
    /// let policy = policy.follow(0, &read(first)?)?.follow(1, &read(second)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Code::WrongEpoch`]: crate::Code::WrongEpoch
    pub fn follow(&self, epoch: u64, handover: &[u8]) -> Result<Self, Error> {
        let mut raw = ptr::null_mut();
        Error::check(|error| unsafe {
            sys::sync_policy_follow(self.raw.as_ptr(), epoch, handover.as_ptr(), handover.len(), 0, &mut raw, error)
        })?;
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
