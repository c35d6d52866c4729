use std::ffi::{c_void, CString};
use std::fmt;
use std::path::Path;

use synchronicity_node_sys as sys;

use super::serve::{guarded, read, read_text, serve, Inside};
use super::{sandbox, signer, source, storage};
use super::{Call, Failure, Sandbox, Signer, Source, Storage};
use crate::text;

/// For whom an instance is made: one node, or one epoch of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateRequest<'a> {
    /// The builder's name in its group.
    pub node: &'a str,
    /// Absolute, and there: what the plugin keeps between starts goes in. This node's alone, but the instances of two
    /// epochs of the node, or of a check, may share it.
    pub state_directory: &'a Path,
    /// `[settings.NAME]` of the configuration, in the order of the names; with the host's own, such as
    /// `patience-seconds`.
    pub settings: Vec<(&'a str, &'a str)>,
}

impl<'a> CreateRequest<'a> {
    /// The setting of this name.
    pub fn setting(&self, name: &str) -> Option<&'a str> {
        self.settings.iter().find(|setting| setting.0 == name).map(|setting| setting.1)
    }

    unsafe fn read(raw: &'a sys::sync_create_request) -> Result<Self, Failure> {
        let settings = unsafe { text::slice(raw.settings, raw.settings_count) };
        let settings = settings.iter().map(|setting| {
            Ok((unsafe { read_text(setting.name, "A setting") }?, unsafe { read_text(setting.value, "A setting") }?))
        });
        Ok(Self {
            node: unsafe { read_text(raw.node, "The node's name") }?,
            state_directory: unsafe { text::path(raw.state_directory) },
            settings: settings.collect::<Result<_, Failure>>()?,
        })
    }
}

type Make = dyn Fn(&CreateRequest<'_>) -> Result<*mut c_void, Failure> + Send + Sync;

/// Makes and ends instances: what C keeps as the user data.
pub(crate) struct Maker {
    make: Box<Make>,
    destroy: unsafe extern "C" fn(*mut c_void),
}

enum Methods {
    Sandbox(sys::sync_sandbox_methods),
    Signer(sys::sync_signer_methods),
    Source { methods: sys::sync_source_methods, package_type: CString, origin_type: CString },
    Storage(sys::sync_storage_methods),
}

// Functions, and a source's pointers, which are NULL until `Fixed::table` points them to the texts beside them.
unsafe impl Send for Methods {}
unsafe impl Sync for Methods {}

/// A plugin: a name by which configurations choose it, and a function that makes an instance for each node.
///
/// The name has 1 to 64 lower-case letters, digits and hyphens, the version 1 to 64 printable characters.
pub struct Plugin {
    name: CString,
    version: CString,
    methods: Methods,
    maker: Maker,
}

impl Plugin {
    /// A plugin whose instances are sandboxes.
    pub fn sandbox<S: Sandbox>(
        name: &str,
        version: &str,
        make: impl Fn(&CreateRequest<'_>) -> Result<S, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, version, Methods::Sandbox(sandbox::methods::<S>()), make)
    }

    /// A plugin whose instances are signers. The member's card is made with them: `synchronicity group card`.
    pub fn signer<S: Signer>(
        name: &str,
        version: &str,
        make: impl Fn(&CreateRequest<'_>) -> Result<S, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, version, Methods::Signer(signer::methods::<S>()), make)
    }

    /// A plugin whose instances are sources of packages of one type, such as "cargo". `origin_type` is the type of the
    /// purl in its sources' origins, such as "generic".
    pub fn source<S: Source>(
        name: &str,
        version: &str,
        package_type: &str,
        origin_type: &str,
        make: impl Fn(&CreateRequest<'_>) -> Result<S, Failure> + Send + Sync + 'static,
    ) -> Self {
        let methods = Methods::Source {
            methods: source::methods::<S>(),
            package_type: text::sentence(package_type),
            origin_type: text::sentence(origin_type),
        };
        Self::new(name, version, methods, make)
    }

    /// A plugin whose instances are storages.
    pub fn storage<S: Storage>(
        name: &str,
        version: &str,
        make: impl Fn(&CreateRequest<'_>) -> Result<S, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, version, Methods::Storage(storage::methods::<S>()), make)
    }

    fn new<S: Send + Sync + 'static>(
        name: &str,
        version: &str,
        methods: Methods,
        make: impl Fn(&CreateRequest<'_>) -> Result<S, Failure> + Send + Sync + 'static,
    ) -> Self {
        let make = move |request: &CreateRequest<'_>| Ok(Box::into_raw(Box::new(make(request)?)).cast());
        let maker = Maker { make: Box::new(make), destroy: destroy::<S> };
        Self { name: text::sentence(name), version: text::sentence(version), methods, maker }
    }

    /// Gives C's table, which points into `fixed`, and what it calls.
    pub(crate) fn split(self) -> (Fixed, Box<Maker>) {
        let Plugin { name, version, methods, maker } = self;
        (Fixed { name, version, methods }, Box::new(maker))
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Plugin").field("name", &self.name).field("version", &self.version).finish()
    }
}

/// What the table points to.
pub(crate) struct Fixed {
    name: CString,
    version: CString,
    methods: Methods,
}

/// What creates an instance, as C calls it.
pub(crate) type Create = unsafe extern "C" fn(*mut c_void, *const sys::sync_create_request, *mut sys::sync_call) -> i32;

impl Fixed {
    /// C's table, which is good for as long as `self` stays where it is.
    pub(crate) fn table(&mut self, create: Create, maker: &Maker) -> sys::sync_plugin {
        let mut table = sys::sync_plugin::new();
        table.name = self.name.as_ptr();
        table.version = self.version.as_ptr();
        table.create = Some(create);
        table.destroy = Some(maker.destroy);
        match &mut self.methods {
            Methods::Sandbox(methods) => table.sandbox = methods,
            Methods::Signer(methods) => table.signer = methods,
            Methods::Source { methods, package_type, origin_type } => {
                methods.type_ = package_type.as_ptr();
                methods.origin_type = origin_type.as_ptr();
                table.source = methods;
            }
            Methods::Storage(methods) => table.storage = methods,
        }
        table
    }
}

impl Maker {
    /// Makes an instance and gives it to the host.
    ///
    /// # Safety
    ///
    /// The request and the call are the host's.
    pub(crate) unsafe fn create(&self, request: *const sys::sync_create_request, call: *mut sys::sync_call) -> i32 {
        let method = |_: &Call<'_>| {
            let request = unsafe { CreateRequest::read(read(request)?) }?;
            (self.make)(&request)
        };
        serve(call, method, |host, raw, instance| {
            let status =
                host.call_finish_instance.map_or(sys::SYNC_ERROR_STATE, |finish| unsafe { finish(raw, instance) });
            if status != sys::SYNC_OK {
                // Nobody wants it any more.
                unsafe { (self.destroy)(instance) };
            }
            status
        })
    }
}

#[cfg(feature = "node")]
pub(crate) mod registered {
    //! A plugin whose user data C keeps.

    use super::*;

    pub(crate) unsafe extern "C" fn create(
        user_data: *mut c_void,
        request: *const sys::sync_create_request,
        call: *mut sys::sync_call,
    ) -> i32 {
        unsafe { (*user_data.cast::<Maker>()).create(request, call) }
    }

    pub(crate) unsafe extern "C" fn forget(user_data: *mut c_void) {
        let _inside = Inside::enter();
        // Nobody is left to tell of a panic.
        let _ = guarded(|| drop(unsafe { Box::from_raw(user_data.cast::<Maker>()) }));
    }
}

unsafe extern "C" fn destroy<S>(this: *mut c_void) {
    let _inside = Inside::enter();
    let _ = guarded(|| drop(unsafe { Box::from_raw(this.cast::<S>()) }));
}

/// Whether the table has all that this crate calls.
///
/// # Safety
///
/// It is NULL or a host's.
pub(crate) unsafe fn is_known(table: *const sys::sync_host) -> bool {
    match unsafe { table.as_ref() } {
        Some(table) => {
            table.abi_version == sys::SYNC_ABI_VERSION
                && table.struct_size as usize >= std::mem::size_of::<sys::sync_host>()
        }
        None => false,
    }
}
