//! The C interface of libsync, declaration by declaration: `sync/version.h`, `sync/plugin.h` and `sync/node.h`.
//!
//! The headers say what each function does, who owns what and which thread may call it. The safe crate
//! `synchronicity-node` stands on this one; use that unless you have a reason not to.
//!
//! With the feature `link` the program is linked with `libsync.so.1`, from the folder that the environment variable
//! `SYNC_LIBSYNC_DIR` names or that `pkg-config libsync` prints. Plugins that are shared objects go without it: what
//! they call is in [`sync_host`].

#![no_std]
#![allow(non_camel_case_types)]
#![deny(unsafe_op_in_unsafe_fn)]

#[macro_use]
mod macros;
mod constants;
mod node;
mod plugin;

pub use constants::*;
pub use node::*;
pub use plugin::*;

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

opaque! {
    /// Why a call failed.
    sync_error
    /// One call of a plugin's method. Not a pointer to anything: a number that is never used again.
    sync_call
    /// Where a transport tells what comes in. Not a pointer to anything either.
    sync_link
    /// Bytes that a call gave.
    sync_bytes
    /// Plugins that nodes can choose by name.
    sync_registry
    /// A builder.
    sync_node
    /// One subscription.
    sync_events
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
}

/// Calls `visit` with each struct's name, size and its fields' names, offsets and sizes, for the tests.
#[doc(hidden)]
#[allow(clippy::type_complexity)]
pub fn visit_layouts(visit: &mut dyn FnMut(&str, usize, &[(&str, usize, usize)])) {
    plugin::visit_open(visit);
    plugin::visit_fixed(visit);
    node::visit_open(visit);
    node::visit_fixed(visit);
}
