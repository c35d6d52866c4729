use std::ffi::c_void;

use synchronicity_node_sys as sys;

use super::serve::{finish_bytes, read, serve};
use super::{Call, Failure, FailureCode};
use crate::text;

/// Keeps private keys and signs with them (Ed25519, RFC 8032).
///
/// The node waits for its answers: no method may ask the node for anything.
pub trait Signer: Send + Sync + 'static {
    /// The role's public key. Asked once for each role. 10 s.
    fn public_key(&self, role: KeyRole, call: &Call<'_>) -> Result<[u8; 32], Failure>;

    /// The signature of exactly this message. 10 s.
    fn sign(&self, role: KeyRole, message: &[u8], call: &Call<'_>) -> Result<[u8; 64], Failure>;
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// The log's checkpoints.
    Log,
    /// Cosignatures on checkpoints.
    Cosigner,
    /// Submissions, commitments, reveals, abstentions, hand-overs.
    Builder,
    /// Votes and timeouts.
    Consensus,
    /// The connections between nodes.
    Transport,
}

impl KeyRole {
    /// All of them, in the order of their numbers.
    pub const ALL: [KeyRole; 5] =
        [KeyRole::Log, KeyRole::Cosigner, KeyRole::Builder, KeyRole::Consensus, KeyRole::Transport];

    /// The word for it, such as "cosigner".
    pub fn name(self) -> &'static str {
        match self {
            KeyRole::Log => "log",
            KeyRole::Cosigner => "cosigner",
            KeyRole::Builder => "builder",
            KeyRole::Consensus => "consensus",
            KeyRole::Transport => "transport",
        }
    }

    fn from_number(number: i32) -> Result<Self, Failure> {
        match number {
            sys::SYNC_KEY_LOG => Ok(KeyRole::Log),
            sys::SYNC_KEY_COSIGNER => Ok(KeyRole::Cosigner),
            sys::SYNC_KEY_BUILDER => Ok(KeyRole::Builder),
            sys::SYNC_KEY_CONSENSUS => Ok(KeyRole::Consensus),
            sys::SYNC_KEY_TRANSPORT => Ok(KeyRole::Transport),
            unknown => Err(Failure::new(
                FailureCode::Invalid,
                format!("There are keys of five roles, and none of {}", unknown),
            )),
        }
    }
}

unsafe extern "C" fn public_key<S: Signer>(
    this: *mut c_void,
    request: *const sys::sync_sign_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { read(request) }?;
        unsafe { &*this.cast::<S>() }.public_key(KeyRole::from_number(request.role)?, call)
    };
    serve(call, method, |host, raw, key| finish_bytes(host, raw, &key))
}

unsafe extern "C" fn sign<S: Signer>(
    this: *mut c_void,
    request: *const sys::sync_sign_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { read(request) }?;
        let message = unsafe { text::slice(request.message, request.message_size) };
        unsafe { &*this.cast::<S>() }.sign(KeyRole::from_number(request.role)?, message, call)
    };
    serve(call, method, |host, raw, signature| finish_bytes(host, raw, &signature))
}

pub(super) fn methods<S: Signer>() -> sys::sync_signer_methods {
    let mut methods = sys::sync_signer_methods::new();
    methods.public_key = Some(public_key::<S>);
    methods.sign = Some(sign::<S>);
    methods
}
