//! A plugin that is a shared object.

use std::sync::Mutex;

use synchronicity_node_sys as sys;

use super::serve::{guarded, set_host};
use super::table::{is_known, Create, Fixed, Maker};
use super::Plugin;

/// Makes the crate, a `cdylib`, a plugin: from an expression of type [`Plugin`].
///
/// ```
/// use synchronicity_node::plugin::{Call, Failure, KeyRole, Plugin, Signer};
///
/// struct Keys;
///
/// impl Signer for Keys {
///     fn public_key(&self, role: KeyRole, _: &Call<'_>) -> Result<[u8; 32], Failure> {
///         # let _ = role;
///         # /*
///         …
///         # */ Ok([0; 32])
///     }
///     fn sign(&self, role: KeyRole, message: &[u8], _: &Call<'_>) -> Result<[u8; 64], Failure> {
///         # let _ = (role, message);
///         # /*
///         …
///         # */ Ok([0; 64])
///     }
/// }
///
/// synchronicity_node::sync_plugin!(Plugin::signer("my-keys", "1", |_| Ok(Keys)));
/// ```
///
/// Such a crate takes this one without its default features, and so needs no libsync itself.
#[macro_export]
macro_rules! sync_plugin {
    ($plugin:expr) => {
        /// # Safety
        ///
        /// The table is the host's, and stays.
        #[no_mangle]
        pub unsafe extern "C" fn sync_plugin_entry(
            host: *const $crate::sys::sync_host,
        ) -> *const $crate::sys::sync_plugin {
            static EXPORT: $crate::plugin::Export = $crate::plugin::Export::new();

            unsafe extern "C" fn create(
                _: *mut ::std::ffi::c_void,
                request: *const $crate::sys::sync_create_request,
                call: *mut $crate::sys::sync_call,
            ) -> i32 {
                unsafe { EXPORT.create(request, call) }
            }

            unsafe { EXPORT.enter(host, create, || $plugin) }
        }
    };
}

/// What [`sync_plugin!`](crate::sync_plugin) keeps, for as long as the shared object is loaded.
#[doc(hidden)]
#[derive(Debug)]
pub struct Export(Mutex<Option<Exported>>);

#[derive(Clone, Copy)]
struct Exported {
    maker: &'static Maker,
    table: &'static sys::sync_plugin,
}

// Both are never changed again, and a maker may be called from any thread.
unsafe impl Send for Exported {}

impl std::fmt::Debug for Exported {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Exported").finish_non_exhaustive()
    }
}

impl Export {
    #[allow(clippy::new_without_default, missing_docs)]
    pub const fn new() -> Self {
        Export(Mutex::new(None))
    }

    fn get(&self) -> std::sync::MutexGuard<'_, Option<Exported>> {
        // What a panic left is as good as before: it is set in one step.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The plugin's table, made once; NULL for a host with which it cannot work, or when it panics.
    ///
    /// # Safety
    ///
    /// The table is the host's, and stays.
    pub unsafe fn enter(
        &self,
        host: *const sys::sync_host,
        create: Create,
        plugin: impl FnOnce() -> Plugin,
    ) -> *const sys::sync_plugin {
        if !unsafe { is_known(host) } {
            return std::ptr::null();
        }
        unsafe { set_host(host) };
        let mut exported = self.get();
        if exported.is_none() {
            let (fixed, maker) = match guarded(|| plugin().split()) {
                Ok(parts) => parts,
                Err(_) => return std::ptr::null(),
            };
            // They stay as long as the shared object, which is never unloaded.
            let (fixed, maker): (&mut Fixed, &Maker) = (Box::leak(Box::new(fixed)), Box::leak(maker));
            let table = Box::leak(Box::new(fixed.table(create, maker)));
            *exported = Some(Exported { maker, table });
        }
        exported.map_or(std::ptr::null(), |exported| exported.table)
    }

    /// Makes an instance.
    ///
    /// # Safety
    ///
    /// The request and the call are the host's.
    pub unsafe fn create(&self, request: *const sys::sync_create_request, call: *mut sys::sync_call) -> i32 {
        let exported = *self.get();
        match exported {
            Some(exported) => unsafe { exported.maker.create(request, call) },
            None => sys::SYNC_PLUGIN_UNAVAILABLE,
        }
    }
}
