use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;
use core::ptr;
use synchronicity_sys as sys;

use crate::text::borrow;
use crate::{Error, Policy, Sha256Digest, Verdict, Verification};

/// A proof that is taken apart, to be shown.
///
/// Parsing believes nothing: what the getters give is the file's own word until [`Proof::verify`] says `Ok`.
///
/// ```
/// # let (policy, proof) =
/// #     ("../../../Tests/CABI/samples/itoa.policy", "../../../Tests/CABI/samples/itoa.tlog-proof");
/// # let artifact = "c41270e6934b116c8845129b874a203bc3a0209142e2f77db9f3319d1509d16a".parse()?;
/// # let policy = synchronicity::Policy::parse(&std::fs::read(policy)?)?;
/// let proof = synchronicity::Proof::parse(&std::fs::read(proof)?)?;
/// let shown = proof.verify(&policy, &artifact)?;
/// println!("{} as decided by {}:", proof.package(), proof.log_origin());
/// for (index, builder) in proof.builders().enumerate() {
///     let mark = if shown.is_reproducer(index) { "rebuilt it" } else { "did not" };
///     println!("  {} {} ({})", builder.name, mark, builder.processor);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Proof {
    raw: ptr::NonNull<sys::sync_proof>,
    /// Its strings belong to `raw`.
    info: sys::sync_proof_info,
}

// The library's proofs are immutable and may be used from any thread; whoever drops one has it alone.
unsafe impl Send for Proof {}
unsafe impl Sync for Proof {}

impl Proof {
    /// Takes a proof file's bytes apart.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut raw = ptr::null_mut();
        Error::check(|error| unsafe { sys::sync_proof_create(bytes.as_ptr(), bytes.len(), 0, &mut raw, error) })?;
        let raw = ptr::NonNull::new(raw).expect("libsyncverify gives a proof");
        let mut proof = Self { raw, info: sys::sync_proof_info::new() };
        Error::check(|error| unsafe { sys::sync_proof_get_info(raw.as_ptr(), &mut proof.info, error) })?;
        Ok(proof)
    }

    /// Checks the proof against a policy and an artifact, as [`Policy::verify`] does.
    pub fn verify(&self, policy: &Policy, artifact: &Sha256Digest) -> Result<Verification, Error> {
        let mut shown = sys::sync_verification::new();
        Error::check(|error| unsafe {
            sys::sync_proof_verify(self.raw.as_ptr(), policy.as_ptr(), artifact.0.as_ptr(), 0, &mut shown, error)
        })?;
        Ok(Verification::from_raw(&shown))
    }

    /// The log's name, which is its group's.
    pub fn log_origin(&self) -> &str {
        unsafe { borrow(self.info.log_origin) }
    }

    /// The package URL, such as `pkg:cargo/itoa@1.0.4`.
    pub fn package(&self) -> &str {
        unsafe { borrow(self.info.package) }
    }

    /// What stands between the URL's type and its version, as it stands there: `itoa`.
    pub fn package_name(&self) -> &str {
        unsafe { borrow(self.info.package_name) }
    }

    /// The URL's version: `1.0.4`.
    pub fn package_version(&self) -> Option<&str> {
        match unsafe { borrow(self.info.package_version) } {
            "" => None,
            version => Some(version),
        }
    }

    /// The member that asked for the rebuild.
    pub fn submitter(&self) -> &str {
        unsafe { borrow(self.info.submitter) }
    }

    /// Digest of the build spec.
    pub fn job_id(&self) -> Sha256Digest {
        Sha256Digest(self.info.job_id)
    }

    /// Tree digest of the package's own source.
    pub fn source_sha256(&self) -> Option<Sha256Digest> {
        Sha256Digest::unless_zero(self.info.source_sha256)
    }

    /// Digest of the toolchain.
    pub fn toolchain_sha256(&self) -> Sha256Digest {
        Sha256Digest(self.info.toolchain_sha256)
    }

    /// Zero-based number of the evidence in the log.
    pub fn leaf_index(&self) -> u64 {
        self.info.leaf_index
    }

    /// Leaves in the log at the checkpoint.
    pub fn tree_size(&self) -> u64 {
        self.info.tree_size
    }

    /// The group's membership in force.
    pub fn epoch(&self) -> u64 {
        self.info.epoch
    }

    /// Height of the decided block that gave the verdict.
    pub fn height(&self) -> u64 {
        self.info.height
    }

    /// That block's decided time, in milliseconds since 1970-01-01 UTC.
    pub fn time_milliseconds(&self) -> u64 {
        self.info.time_milliseconds
    }

    /// What the evidence says that the reveals add up to.
    pub fn verdict(&self) -> Verdict {
        Verdict::from_number(self.info.verdict)
    }

    /// Builders behind the first outcome.
    pub fn agreeing(&self) -> u32 {
        self.info.agreeing
    }

    /// How many builders the group asks for.
    pub fn reproducers(&self) -> u32 {
        self.info.reproducers
    }

    /// Distinct outcomes that were revealed.
    pub fn outcome_count(&self) -> u32 {
        self.info.outcome_count
    }

    /// The members that the evidence accounts for, sorted by name.
    pub fn builders(&self) -> Builders<'_> {
        Builders { proof: self, indices: 0..self.info.builder_count }
    }

    /// The artifacts on which the builders agree, sorted by path; none unless the verdict is
    /// [`Verdict::Reproduced`].
    pub fn artifacts(&self) -> Artifacts<'_> {
        Artifacts { proof: self, indices: 0..self.info.artifact_count }
    }

    /// The sources that the build was given, in the spec's order.
    pub fn sources(&self) -> Sources<'_> {
        Sources { proof: self, indices: 0..self.info.source_count }
    }

    /// The checkpoint's signature lines, in their order, whoever made them.
    pub fn signatures(&self) -> Signatures<'_> {
        Signatures { proof: self, indices: 0..self.info.signature_count }
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        unsafe { sys::sync_proof_destroy(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proof")
            .field("package", &self.package())
            .field("log_origin", &self.log_origin())
            .field("leaf_index", &self.leaf_index())
            .finish_non_exhaustive()
    }
}

/// How a builder fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuilderState {
    /// It revealed an outcome.
    Revealed,
    /// It committed to nothing before the deadline.
    NoCommitment,
    /// It committed and never opened its commitment.
    NoReveal,
    /// What it revealed was not what it had committed to.
    WrongOpening,
    /// Its sandbox failed, by its own word.
    SandboxFault,
    /// A number that is newer than this crate.
    Unknown(i32),
}

impl BuilderState {
    fn from_number(number: i32) -> Self {
        match number {
            sys::SYNC_BUILDER_REVEALED => BuilderState::Revealed,
            sys::SYNC_BUILDER_NO_COMMITMENT => BuilderState::NoCommitment,
            sys::SYNC_BUILDER_NO_REVEAL => BuilderState::NoReveal,
            sys::SYNC_BUILDER_WRONG_OPENING => BuilderState::WrongOpening,
            sys::SYNC_BUILDER_SANDBOX_FAULT => BuilderState::SandboxFault,
            unknown => BuilderState::Unknown(unknown),
        }
    }

    /// The C interface's number.
    pub fn number(self) -> i32 {
        match self {
            BuilderState::Revealed => sys::SYNC_BUILDER_REVEALED,
            BuilderState::NoCommitment => sys::SYNC_BUILDER_NO_COMMITMENT,
            BuilderState::NoReveal => sys::SYNC_BUILDER_NO_REVEAL,
            BuilderState::WrongOpening => sys::SYNC_BUILDER_WRONG_OPENING,
            BuilderState::SandboxFault => sys::SYNC_BUILDER_SANDBOX_FAULT,
            BuilderState::Unknown(number) => number,
        }
    }
}

/// What a proof says of one builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Builder<'proof> {
    /// Its name in the group.
    pub name: &'proof str,
    /// How it fared.
    pub state: BuilderState,
    /// Which outcome it revealed, 0 being the one with most builders; `None` unless it revealed.
    pub outcome: Option<u32>,
    /// Digest of that outcome.
    pub outcome_sha256: Option<Sha256Digest>,
    /// What it says of its sandbox; "" unless it revealed, as for the next two.
    pub sandbox: &'proof str,
    /// What it says of its processor.
    pub processor: &'proof str,
    /// What it says of its kernel.
    pub kernel: &'proof str,
}

/// One artifact on which the builders agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact<'proof> {
    /// Below the build's output folder.
    pub path: &'proof str,
    /// Bytes.
    pub size: u64,
    /// Permission bits, such as `0o644`.
    pub mode: u32,
    /// The artifact's digest.
    pub sha256: Sha256Digest,
}

/// One source that the build was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source<'proof> {
    /// Its package URL.
    pub package: &'proof str,
    /// Where it came from, by the submitter's word.
    pub origin: &'proof str,
    /// Digest of the tree that was built.
    pub tree_sha256: Sha256Digest,
    /// The packager's checksum of its archive.
    pub claimed_sha256: Option<Sha256Digest>,
}

/// One signature line of the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature<'proof> {
    /// The key's name.
    pub name: &'proof str,
    /// The key's ID, its four bytes read big-endian.
    pub key_id: u32,
    /// When it says that it was made, in seconds since 1970-01-01 UTC; `None` unless it has the size of a timestamped
    /// cosignature.
    pub time_seconds: Option<u64>,
}

/// Members of a proof, each read when it is asked for.
macro_rules! members {
    ($(
        $(#[$doc:meta])*
        $iterator:ident of $item:ident from $raw:ident by $get:ident |$value:ident| $make:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $iterator<'proof> {
            proof: &'proof Proof,
            indices: Range<u32>,
        }

        impl<'proof> $iterator<'proof> {
            fn get(&self, index: u32) -> $item<'proof> {
                let mut $value = sys::$raw::new();
                Error::check(|error| unsafe { sys::$get(self.proof.raw.as_ptr(), index, &mut $value, error) })
                    .expect("libsyncverify knows each index below its count");
                // The strings belong to the proof, which `'proof` borrows.
                unsafe { $make }
            }
        }

        impl<'proof> Iterator for $iterator<'proof> {
            type Item = $item<'proof>;

            fn next(&mut self) -> Option<Self::Item> {
                self.indices.next().map(|index| self.get(index))
            }

            fn nth(&mut self, count: usize) -> Option<Self::Item> {
                self.indices.nth(count).map(|index| self.get(index))
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.indices.size_hint()
            }
        }

        impl DoubleEndedIterator for $iterator<'_> {
            fn next_back(&mut self) -> Option<Self::Item> {
                self.indices.next_back().map(|index| self.get(index))
            }
        }

        impl ExactSizeIterator for $iterator<'_> {}
        impl FusedIterator for $iterator<'_> {}
    )*};
}

members! {
    /// What [`Proof::builders`] gives.
    Builders of Builder from sync_builder_info by sync_proof_get_builder |raw| {
        let state = BuilderState::from_number(raw.state);
        let revealed = state == BuilderState::Revealed;
        Builder {
            name: borrow(raw.name),
            state,
            outcome: revealed.then_some(raw.outcome),
            outcome_sha256: revealed.then_some(Sha256Digest(raw.outcome_sha256)),
            sandbox: borrow(raw.sandbox),
            processor: borrow(raw.processor),
            kernel: borrow(raw.kernel),
        }
    };
    /// What [`Proof::artifacts`] gives.
    Artifacts of Artifact from sync_artifact_info by sync_proof_get_artifact |raw| Artifact {
        path: borrow(raw.path),
        size: raw.size,
        mode: raw.mode,
        sha256: Sha256Digest(raw.sha256),
    };
    /// What [`Proof::sources`] gives.
    Sources of Source from sync_source_info by sync_proof_get_source |raw| Source {
        package: borrow(raw.package),
        origin: borrow(raw.origin),
        tree_sha256: Sha256Digest(raw.tree_sha256),
        claimed_sha256: (raw.has_claim != 0).then_some(Sha256Digest(raw.claimed_sha256)),
    };
    /// What [`Proof::signatures`] gives.
    Signatures of Signature from sync_signature_info by sync_proof_get_signature |raw| Signature {
        name: borrow(raw.name),
        key_id: raw.key_id,
        time_seconds: (raw.is_timed != 0).then_some(raw.time_seconds),
    };
}
