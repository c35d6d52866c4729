//! What stands between C and the methods: one answer for each call, whatever the method does.

use std::any::Any;
use std::cell::Cell;
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, Ordering};

use synchronicity_node_sys as sys;

use super::{Call, Failure, FailureCode};
use crate::text;

/// The table of the host, which stays.
static HOST: AtomicPtr<sys::sync_host> = AtomicPtr::new(std::ptr::null_mut());

/// Before the first call of a method.
///
/// # Safety
///
/// The table is the host's, and so stays.
pub(crate) unsafe fn set_host(table: *const sys::sync_host) {
    HOST.store(table as *mut _, Ordering::Release);
}

pub(super) fn host() -> &'static sys::sync_host {
    let table = HOST.load(Ordering::Acquire);
    assert!(!table.is_null(), "a method is called by a host that has given its table");
    unsafe { &*table }
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// While it lives, this thread is inside a function that the library calls, and must not wait for the library's end.
pub(crate) struct Inside(());

impl Inside {
    pub(crate) fn enter() -> Self {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
        Inside(())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
    }
}

#[cfg(feature = "node")]
pub(crate) fn is_inside() -> bool {
    DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(false)
}

/// Runs it, and gives a sentence for a panic.
pub(crate) fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let sentence = said(&*payload);
        // What was thrown may throw again when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
            std::mem::forget(again);
        }
        sentence
    })
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    match text {
        Some(text) => format!("it panicked: {}", text),
        None => "it panicked".to_string(),
    }
}

/// Runs a method and gives its answer with `finish`, or its failure.
pub(super) fn serve<T>(
    raw: *mut sys::sync_call,
    method: impl FnOnce(&Call<'_>) -> Result<T, Failure>,
    finish: impl FnOnce(&sys::sync_host, *mut sys::sync_call, T) -> sys::sync_status,
) -> i32 {
    let _inside = Inside::enter();
    // The answer is dropped inside too, since that is the plugin's code.
    let served = guarded(|| {
        let call = Call::new(raw);
        match method(&call) {
            Ok(answer) => finish(host(), raw, answer),
            Err(failure) => fail(raw, &failure),
        }
    });
    match served {
        // What was refused has ended the call as well, or nobody waits for it.
        Ok(_) => sys::SYNC_PLUGIN_OK,
        Err(sentence) => {
            // Does nothing where the answer was given before the panic.
            let failed = guarded(|| fail(raw, &Failure::new(FailureCode::Io, sentence)));
            failed.map_or(sys::SYNC_PLUGIN_IO, |_| sys::SYNC_PLUGIN_OK)
        }
    }
}

fn fail(raw: *mut sys::sync_call, failure: &Failure) -> sys::sync_status {
    let message = text::sentence(failure.message());
    let message = if failure.message().is_empty() { std::ptr::null() } else { message.as_ptr() };
    match host().call_fail {
        Some(call_fail) => unsafe { call_fail(raw, failure.code().number(), message) },
        None => sys::SYNC_ERROR_STATE,
    }
}

/// Ends a call that has no more to say than that it was done.
pub(super) fn finish(host: &sys::sync_host, raw: *mut sys::sync_call, (): ()) -> sys::sync_status {
    host.call_finish.map_or(sys::SYNC_ERROR_STATE, |finish| unsafe { finish(raw) })
}

/// Ends a call whose answer is bytes.
pub(super) fn finish_bytes(host: &sys::sync_host, raw: *mut sys::sync_call, bytes: &[u8]) -> sys::sync_status {
    host.call_finish_bytes
        .map_or(sys::SYNC_ERROR_STATE, |finish| unsafe { finish(raw, bytes.as_ptr().cast(), bytes.len()) })
}

/// A request as this crate knows it, or a failure where the host is older than that.
///
/// # Safety
///
/// It is one of this type's, maybe of another size, and stays for as long as the borrow.
pub(super) unsafe fn read<'a, Request: Sized>(raw: *const Request) -> Result<&'a Request, Failure> {
    let (got, wanted) = match unsafe { (raw as *const u32).as_ref() } {
        Some(size) => (*size as usize, std::mem::size_of::<Request>()),
        None => return Err(Failure::new(FailureCode::Invalid, "There is no request")),
    };
    if got < wanted {
        let sentence = format!("The host is too old for this plugin: a request has {} bytes, not {}", got, wanted);
        return Err(Failure::new(FailureCode::Invalid, sentence));
    }
    Ok(unsafe { &*raw })
}

/// A text of a request.
///
/// # Safety
///
/// As [`text::bytes`].
pub(super) unsafe fn read_text<'a>(raw: *const c_char, name: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(unsafe { text::bytes(raw) })
        .map_err(|_| Failure::new(FailureCode::Invalid, format!("{} is not UTF-8", name)))
}

/// The texts of a request.
///
/// # Safety
///
/// There are so many, each as for [`text::bytes`].
pub(super) unsafe fn read_texts<'a>(
    raw: *const *const c_char,
    count: usize,
    name: &str,
) -> Result<Vec<&'a str>, Failure> {
    unsafe { text::slice(raw, count) }.iter().map(|text| unsafe { read_text(*text, name) }).collect()
}
