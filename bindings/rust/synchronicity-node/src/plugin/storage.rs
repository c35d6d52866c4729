use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;

use synchronicity_node_sys as sys;

use super::serve::{finish, finish_bytes, host, read, serve};
use super::{Call, Failure, FailureCode};
use crate::text;

/// One ordered map from byte strings to byte strings, on a disk.
///
/// The node waits for each answer, one at a time: no method may ask the node for anything. A minute behind the deadline
/// the node ends with an error, and signs nothing that is not stored.
pub trait Storage: Send + Sync + 'static {
    /// The key's value.
    fn get(&self, key: &[u8], call: &Call<'_>) -> Result<Option<Vec<u8>>, Failure>;

    /// Adds what is asked for, with ascending keys.
    fn scan(&self, request: &ScanRequest<'_>, records: &mut Records<'_>, call: &Call<'_>) -> Result<(), Failure>;

    /// All changes or none, in the order given: of two with one key the later counts. What is `durable` survives a
    /// power cut once this returns, with all that was applied before; also without a change.
    fn apply(&self, changes: &[Change<'_>], durable: bool, call: &Call<'_>) -> Result<(), Failure>;
}

/// Which records are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanRequest<'a> {
    /// With which the keys begin; may be empty.
    pub prefix: &'a [u8],
    /// The lowest key that is wanted.
    pub start: &'a [u8],
    /// The most records.
    pub limit: u64,
}

/// One record to store or to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change<'a> {
    /// 1 to 1,024 bytes.
    pub key: &'a [u8],
    /// `None` deletes the key.
    pub value: Option<&'a [u8]>,
}

/// What a scan has found.
pub struct Records<'call> {
    raw: *mut sys::sync_call,
    _call: PhantomData<&'call mut ()>,
}

// A number, not a pointer; whoever adds has it alone.
unsafe impl Send for Records<'_> {}

impl Records<'_> {
    /// Adds a record. False when the answer is full: return then, and the rest is asked for.
    #[must_use]
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> bool {
        let status = host()
            .call_add_record
            .map(|add| unsafe { add(self.raw, key.as_ptr().cast(), key.len(), value.as_ptr().cast(), value.len()) });
        status != Some(sys::SYNC_ERROR_TOO_LARGE)
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Records").finish_non_exhaustive()
    }
}

unsafe extern "C" fn get<S: Storage>(
    this: *mut c_void,
    request: *const sys::sync_storage_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { read(request) }?;
        let key = unsafe { text::slice(request.key, request.key_size) };
        unsafe { &*this.cast::<S>() }.get(key, call)?.ok_or_else(|| FailureCode::NotFound.into())
    };
    serve(call, method, |host, raw, value| finish_bytes(host, raw, &value))
}

unsafe extern "C" fn scan<S: Storage>(
    this: *mut c_void,
    request: *const sys::sync_storage_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let raw = unsafe { read(request) }?;
        let request = ScanRequest {
            prefix: unsafe { text::slice(raw.key, raw.key_size) },
            start: unsafe { text::slice(raw.start, raw.start_size) },
            limit: raw.limit,
        };
        let mut records = Records { raw: call.as_ptr(), _call: PhantomData };
        unsafe { &*this.cast::<S>() }.scan(&request, &mut records, call)
    };
    serve(call, method, finish)
}

unsafe extern "C" fn apply<S: Storage>(
    this: *mut c_void,
    request: *const sys::sync_apply_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { read(request) }?;
        let changes = unsafe { text::slice(request.changes, request.changes_count) };
        let changes: Vec<Change<'_>> = changes
            .iter()
            .map(|change| Change {
                key: unsafe { text::slice(change.key, change.key_size) },
                // A value of no bytes is not NULL.
                value: if change.value.is_null() {
                    None
                } else {
                    Some(unsafe { text::slice(change.value, change.value_size) })
                },
            })
            .collect();
        unsafe { &*this.cast::<S>() }.apply(&changes, request.durable != 0, call)
    };
    serve(call, method, finish)
}

pub(super) fn methods<S: Storage>() -> sys::sync_storage_methods {
    let mut methods = sys::sync_storage_methods::new();
    methods.get = Some(get::<S>);
    methods.scan = Some(scan::<S>);
    methods.apply = Some(apply::<S>);
    methods
}
