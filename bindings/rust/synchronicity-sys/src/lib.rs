//! The C interface of libsyncverify, declaration by declaration: `sync/version.h` and `sync/verify.h`.
//!
//! The headers say what each function does, who owns what and which thread may call it. The safe crate `synchronicity`
//! stands on this one; use that unless you have a reason not to.
//!
//! The library is linked statically, from the folder that the environment variable `SYNC_LIB_DIR` names or that
//! `pkg-config libsyncverify` prints. The feature `dynamic` links the shared library instead.

#![no_std]
#![allow(non_camel_case_types)]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

use core::ffi::c_void;
use core::marker::{PhantomData, PhantomPinned};

/// C's `char`, which `core` does not have in the oldest Rust that this crate supports.
#[cfg(any(
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "riscv32",
    target_arch = "riscv64",
    target_arch = "s390x"
))]
pub type c_char = u8;
/// C's `char`, which `core` does not have in the oldest Rust that this crate supports.
#[cfg(not(any(
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "riscv32",
    target_arch = "riscv64",
    target_arch = "s390x"
)))]
pub type c_char = i8;

/// 0, or why not. Treat a number that you do not know as a refusal.
pub type sync_status = i32;

macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: $type = $value;)*
        /// Every constant as a number, so that the tests compare them with the headers'.
        #[doc(hidden)]
        pub const CONSTANTS: &[(&str, i64)] = &[$((stringify!($name), $value as i64)),*];
    };
}

constants! {
    /// The version whose headers these declarations follow.
    SYNC_VERSION_MAJOR: u32 = 0;
    /// The second part of that version.
    SYNC_VERSION_MINOR: u32 = 1;
    /// The third part of that version.
    SYNC_VERSION_PATCH: u32 = 0;
    /// Goes into every struct's `abi_version`.
    SYNC_ABI_VERSION: u32 = 1;

    /// Success.
    SYNC_OK: sync_status = 0;
    /// The bytes are not in the format: truncated, not canonical, trailing, out of bounds.
    SYNC_ERROR_MALFORMED: sync_status = 1;
    /// A named limit was passed (size, count).
    SYNC_ERROR_TOO_LARGE: sync_status = 2;
    /// The format's first line names a version that this library does not know.
    SYNC_ERROR_UNSUPPORTED_VERSION: sync_status = 3;
    /// A Merkle path does not lead to the root.
    SYNC_ERROR_INCLUSION_MISMATCH: sync_status = 4;
    /// A consistency path does not lead from the old root to the new one.
    SYNC_ERROR_CONSISTENCY_MISMATCH: sync_status = 5;
    /// No log of the policy signed the checkpoint.
    SYNC_ERROR_UNTRUSTED_LOG: sync_status = 6;
    /// A signature by a known key does not verify.
    SYNC_ERROR_INVALID_SIGNATURE: sync_status = 7;
    /// Too few cosignatures for the policy's quorum.
    SYNC_ERROR_QUORUM_MISSED: sync_status = 8;
    /// Too few builders of the policy revealed the artifact, or approved the hand-over.
    SYNC_ERROR_REPRODUCERS_MISSED: sync_status = 9;
    /// The artifact's digest is not among the artifacts on which the builders agreed.
    SYNC_ERROR_ARTIFACT_MISMATCH: sync_status = 10;
    /// The evidence's verdict is not the one that its own lines give.
    SYNC_ERROR_VERDICT_MISMATCH: sync_status = 11;
    /// A verifier key is not in the vkey form, of a type that is not verified here, or its key ID is not its own.
    SYNC_ERROR_INVALID_KEY: sync_status = 12;
    /// A trust policy is well-formed but does not hold together.
    SYNC_ERROR_INVALID_POLICY: sync_status = 13;
    /// The evidence names another group than the log that holds it.
    SYNC_ERROR_GROUP_MISMATCH: sync_status = 14;
    /// The proof carries no leaf, or one that is not evidence.
    SYNC_ERROR_NOT_EVIDENCE: sync_status = 15;
    /// The evidence's verdict is sound but is not "reproduced".
    SYNC_ERROR_NOT_REPRODUCED: sync_status = 16;
    /// A reveal by a builder that the policy knows is not signed by that builder.
    SYNC_ERROR_INVALID_REVEAL: sync_status = 17;
    /// A build spec is well-formed but out of a bound or out of order.
    SYNC_ERROR_INVALID_SPEC: sync_status = 18;
    /// The proof carries no leaf, or one that is no hand-over.
    SYNC_ERROR_NOT_HANDOVER: sync_status = 19;
    /// A hand-over is another epoch's than the one that comes next.
    SYNC_ERROR_WRONG_EPOCH: sync_status = 20;
    /// NULL where an object or bytes are wanted.
    SYNC_ERROR_NULL_ARGUMENT: sync_status = 100;
    /// A flag that this library does not know.
    SYNC_ERROR_UNKNOWN_FLAG: sync_status = 101;
    /// A `struct_size` that is smaller than the struct's first published form.
    SYNC_ERROR_STRUCT_SIZE: sync_status = 102;
    /// An `abi_version` that is not this library's.
    SYNC_ERROR_ABI_VERSION: sync_status = 103;
    /// An index at or above the count that belongs to it.
    SYNC_ERROR_OUT_OF_RANGE: sync_status = 104;
    /// Sizes that do not fit together.
    SYNC_ERROR_INVALID_ARGUMENT: sync_status = 105;

    /// Bytes of a SHA-256 digest.
    SYNC_SHA256_SIZE: usize = 32;
    /// Bytes of the largest policy.
    SYNC_POLICY_BYTES_MAX: usize = 1048576;
    /// Bytes of the largest proof.
    SYNC_PROOF_BYTES_MAX: usize = 1048576;
    /// Hand-overs that one policy may be followed through.
    SYNC_HANDOVERS_MAX: usize = 1024;
    /// Builders in one piece of evidence.
    SYNC_BUILDERS_MAX: usize = 100;
    /// Signature lines on one checkpoint.
    SYNC_SIGNATURES_MAX: usize = 100;
    /// Artifacts in one piece of evidence.
    SYNC_ARTIFACTS_MAX: usize = 1000;
    /// Sources in one build spec.
    SYNC_SOURCES_MAX: usize = 1000;

    /// The value of a verification that did not succeed.
    SYNC_VERDICT_NONE: i32 = 0;
    /// As many builders as the log's group asks for revealed the same artifacts.
    SYNC_VERDICT_REPRODUCED: i32 = 1;
    /// Builders revealed different outcomes, and none has enough builders behind it.
    SYNC_VERDICT_DIVERGED: i32 = 2;
    /// As many builders as the group asks for revealed the same failure.
    SYNC_VERDICT_FAILED: i32 = 3;
    /// Too few builders revealed anything.
    SYNC_VERDICT_INCONCLUSIVE: i32 = 4;

    /// The builder revealed an outcome.
    SYNC_BUILDER_REVEALED: i32 = 1;
    /// It committed to nothing before the deadline.
    SYNC_BUILDER_NO_COMMITMENT: i32 = 2;
    /// It committed and never opened its commitment.
    SYNC_BUILDER_NO_REVEAL: i32 = 3;
    /// What it revealed was not what it had committed to.
    SYNC_BUILDER_WRONG_OPENING: i32 = 4;
    /// Its sandbox failed, by its own word.
    SYNC_BUILDER_SANDBOX_FAULT: i32 = 5;

    /// No proof is embedded.
    SYNC_EMBEDDED_NONE: i32 = 0;
    /// Behind the end of the content: proof, length, magic.
    SYNC_EMBEDDED_TRAILER: i32 = 1;
    /// The same inside a last member of an ar archive.
    SYNC_EMBEDDED_ARCHIVE_MEMBER: i32 = 2;
    /// How much of a file's start `sync_embedded_find` wants to see.
    SYNC_EMBEDDED_HEAD_SIZE: usize = 8;
    /// How much of a file's end `sync_embedded_find` wants to see.
    SYNC_EMBEDDED_TAIL_SIZE: usize = 1048704;
}

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])*
        #[repr(C)]
        pub struct $name {
            _bytes: [u8; 0],
            // Neither Send, Sync nor Unpin: the library alone knows what lies there.
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        })*
    };
}

opaque! {
    /// Why a call failed.
    sync_error
    /// A parsed trust policy.
    sync_policy
    /// A proof that is taken apart.
    sync_proof
    /// SHA-256 of bytes that come in pieces.
    sync_hasher
}

macro_rules! open_structs {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            /// In: the struct's size in bytes.
            pub struct_size: u32,
            /// In: [`SYNC_ABI_VERSION`].
            pub abi_version: u32,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// A struct that is ready for a call: its size and version are set, the rest is zero.
            pub const fn new() -> Self {
                // Zero bytes are a value of every field: numbers, arrays of numbers and pointers.
                let mut new: Self = unsafe { zeroed() };
                new.struct_size = core::mem::size_of::<Self>() as u32;
                new.abi_version = SYNC_ABI_VERSION;
                new
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        })*

        /// Calls `$visit` with each struct's name, size and its fields' names, offsets and sizes, for the tests.
        #[doc(hidden)]
        pub fn visit_layouts(visit: &mut dyn FnMut(&str, usize, &[(&str, usize, usize)])) {
            $({
                let value = $name::new();
                let start = &value as *const $name as usize;
                let fields = [
                    ("struct_size", &value.struct_size as *const u32 as usize - start, 4),
                    ("abi_version", &value.abi_version as *const u32 as usize - start, 4),
                    $((
                        stringify!($field),
                        &value.$field as *const $type as usize - start,
                        core::mem::size_of::<$type>(),
                    )),*
                ];
                visit(stringify!($name), core::mem::size_of::<$name>(), &fields);
            })*
        }
    };
}

/// `core::mem::zeroed`, which is not `const` in the oldest Rust that this crate supports.
const unsafe fn zeroed<T: Copy>() -> T {
    union Zero<T: Copy> {
        bytes: [u64; 64],
        value: T,
    }
    assert!(core::mem::size_of::<T>() <= 512);
    unsafe { Zero { bytes: [0; 64] }.value }
}

open_structs! {
    /// What a proof showed; all zero when it was refused.
    struct sync_verification {
        /// A `SYNC_VERDICT_` number.
        verdict: i32,
        /// Witnesses of the policy whose cosignatures on the checkpoint count.
        cosigners: u32,
        /// Builders of the policy that signed for this very artifact.
        reproducers: u32,
        /// Members that the evidence accounts for, present or absent.
        builders: u32,
        /// Zero-based number of the evidence in the log.
        leaf_index: u64,
        /// Leaves in the log at the checkpoint.
        tree_size: u64,
        /// Height of the decided block that gave the verdict.
        height: u64,
        /// That block's decided time, since 1970-01-01 UTC.
        time_milliseconds: u64,
        /// Bit `i % 8` of byte `i / 8` is set if builder `i` is one of the reproducers.
        reproducer_bits: [u8; 16],
        /// The same for signature `i` and the cosigners.
        cosigner_bits: [u8; 16],
    }

    /// What the proof says as a whole.
    struct sync_proof_info {
        /// The log's name, which is its group's.
        log_origin: *const c_char,
        /// The package URL.
        package: *const c_char,
        /// What stands between the URL's type and its version.
        package_name: *const c_char,
        /// The URL's version; "" where it has none.
        package_version: *const c_char,
        /// The member that asked for the rebuild.
        submitter: *const c_char,
        /// Digest of the build spec.
        job_id: [u8; SYNC_SHA256_SIZE],
        /// Tree digest of the package's own source; zero where there is none.
        source_sha256: [u8; SYNC_SHA256_SIZE],
        /// Digest of the toolchain.
        toolchain_sha256: [u8; SYNC_SHA256_SIZE],
        /// As in [`sync_verification`].
        leaf_index: u64,
        /// As in [`sync_verification`].
        tree_size: u64,
        /// The group's membership in force.
        epoch: u64,
        /// As in [`sync_verification`].
        height: u64,
        /// As in [`sync_verification`].
        time_milliseconds: u64,
        /// A `SYNC_VERDICT_` number, never [`SYNC_VERDICT_NONE`].
        verdict: i32,
        /// Builders behind the first outcome.
        agreeing: u32,
        /// How many the group asks for.
        reproducers: u32,
        /// For [`sync_proof_get_builder`].
        builder_count: u32,
        /// For [`sync_proof_get_artifact`].
        artifact_count: u32,
        /// For [`sync_proof_get_source`].
        source_count: u32,
        /// For [`sync_proof_get_signature`].
        signature_count: u32,
        /// Distinct outcomes that were revealed.
        outcome_count: u32,
    }

    /// What the proof says of one builder.
    struct sync_builder_info {
        /// A `SYNC_BUILDER_` number.
        state: i32,
        /// Which outcome it revealed; 0 unless it revealed.
        outcome: u32,
        /// Its name in the group.
        name: *const c_char,
        /// What it says of its sandbox; "" unless it revealed.
        sandbox: *const c_char,
        /// What it says of its processor; "" unless it revealed.
        processor: *const c_char,
        /// What it says of its kernel; "" unless it revealed.
        kernel: *const c_char,
        /// Digest of that outcome; zero unless it revealed.
        outcome_sha256: [u8; SYNC_SHA256_SIZE],
    }

    /// One artifact on which the builders agree.
    struct sync_artifact_info {
        /// Below the build's output folder.
        path: *const c_char,
        /// Bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
        /// 0.
        reserved: u32,
        /// Digest of the artifact.
        sha256: [u8; SYNC_SHA256_SIZE],
    }

    /// One source that the build was given.
    struct sync_source_info {
        /// Its package URL.
        package: *const c_char,
        /// Where it came from, by the submitter's word.
        origin: *const c_char,
        /// Digest of the tree that was built.
        tree_sha256: [u8; SYNC_SHA256_SIZE],
        /// The packager's checksum of its archive; zero where there is none.
        claimed_sha256: [u8; SYNC_SHA256_SIZE],
        /// 1 if `claimed_sha256` counts, else 0.
        has_claim: u32,
        /// 0.
        reserved: u32,
    }

    /// One signature line of the checkpoint, whoever made it.
    struct sync_signature_info {
        /// The key's name.
        name: *const c_char,
        /// The key's ID, its four bytes read big-endian.
        key_id: u32,
        /// 1 if it has the size of a timestamped cosignature, else 0.
        is_timed: u32,
        /// When it says that it was made, since 1970-01-01 UTC; 0 unless timed.
        time_seconds: u64,
    }

    /// Where in a file its proof is.
    struct sync_embedded {
        /// A `SYNC_EMBEDDED_` number.
        form: i32,
        /// 0.
        reserved: u32,
        /// Bytes of the artifact; the file's size where nothing is embedded.
        content_size: u64,
        /// From the file's start; 0 where nothing is embedded.
        proof_offset: u64,
        /// Bytes of the proof; 0 where nothing is embedded.
        proof_size: u64,
    }
}

extern "C" {
    /// The library's own version.
    pub fn sync_get_version() -> *const c_char;
    /// The library's own [`SYNC_ABI_VERSION`].
    pub fn sync_get_abi_version() -> u32;

    /// The status that the call returned.
    pub fn sync_error_get_code(error: *const sync_error) -> sync_status;
    /// One sentence for people, valid until the error is destroyed.
    pub fn sync_error_get_message(error: *const sync_error) -> *const c_char;
    /// The byte offset into the input at which reading stopped, or -1.
    pub fn sync_error_get_offset(error: *const sync_error) -> i64;
    /// Frees the error.
    pub fn sync_error_destroy(error: *mut sync_error);

    /// Checks a proof against a policy and an artifact.
    pub fn sync_verify(
        policy: *const u8,
        policy_size: usize,
        proof: *const u8,
        proof_size: usize,
        artifact_sha256: *const u8,
        flags: u32,
        verification: *mut sync_verification,
        error: *mut *mut sync_error,
    ) -> sync_status;

    /// Parses a policy.
    pub fn sync_policy_create(
        policy: *const u8,
        policy_size: usize,
        flags: u32,
        created: *mut *mut sync_policy,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Goes on by a hand-over, to a policy by which proofs of either epoch hold.
    pub fn sync_policy_follow(
        policy: *const sync_policy,
        epoch: u64,
        handover: *const u8,
        handover_size: usize,
        flags: u32,
        created: *mut *mut sync_policy,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// [`sync_verify`] with a policy that is parsed already.
    pub fn sync_policy_verify(
        policy: *const sync_policy,
        proof: *const u8,
        proof_size: usize,
        artifact_sha256: *const u8,
        flags: u32,
        verification: *mut sync_verification,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Frees the policy.
    pub fn sync_policy_destroy(policy: *mut sync_policy);

    /// Takes a proof apart and believes none of it.
    pub fn sync_proof_create(
        proof: *const u8,
        proof_size: usize,
        flags: u32,
        created: *mut *mut sync_proof,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// [`sync_verify`] with a policy and a proof that are parsed already.
    pub fn sync_proof_verify(
        proof: *const sync_proof,
        policy: *const sync_policy,
        artifact_sha256: *const u8,
        flags: u32,
        verification: *mut sync_verification,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Frees the proof and every string that its getters gave.
    pub fn sync_proof_destroy(proof: *mut sync_proof);
    /// Fills `info`.
    pub fn sync_proof_get_info(
        proof: *const sync_proof,
        info: *mut sync_proof_info,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Fills `builder`.
    pub fn sync_proof_get_builder(
        proof: *const sync_proof,
        index: u32,
        builder: *mut sync_builder_info,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Fills `artifact`.
    pub fn sync_proof_get_artifact(
        proof: *const sync_proof,
        index: u32,
        artifact: *mut sync_artifact_info,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Fills `source`.
    pub fn sync_proof_get_source(
        proof: *const sync_proof,
        index: u32,
        source: *mut sync_source_info,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Fills `signature`.
    pub fn sync_proof_get_signature(
        proof: *const sync_proof,
        index: u32,
        signature: *mut sync_signature_info,
        error: *mut *mut sync_error,
    ) -> sync_status;

    /// Gives a hasher that has seen nothing.
    pub fn sync_hasher_create(flags: u32, created: *mut *mut sync_hasher, error: *mut *mut sync_error) -> sync_status;
    /// Takes the next piece.
    pub fn sync_hasher_update(
        hasher: *mut sync_hasher,
        bytes: *const c_void,
        size: usize,
        error: *mut *mut sync_error,
    ) -> sync_status;
    /// Writes the digest of all pieces; the hasher is then as new.
    pub fn sync_hasher_finish(hasher: *mut sync_hasher, sha256: *mut u8, error: *mut *mut sync_error) -> sync_status;
    /// Frees the hasher.
    pub fn sync_hasher_destroy(hasher: *mut sync_hasher);

    /// Looks for a proof inside an artifact's file, from the file's ends alone.
    pub fn sync_embedded_find(
        head: *const u8,
        head_size: usize,
        tail: *const u8,
        tail_size: usize,
        file_size: u64,
        flags: u32,
        found: *mut sync_embedded,
        error: *mut *mut sync_error,
    ) -> sync_status;
}
