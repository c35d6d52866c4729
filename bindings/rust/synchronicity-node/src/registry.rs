use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use synchronicity_node_sys as sys;

use crate::plugin::{is_known, registered, set_host, Plugin};
use crate::{Code, Error};

/// Plugins that nodes can choose by name, beside those that are built in. Nodes keep what they need of it.
pub struct Registry {
    raw: NonNull<sys::sync_registry>,
}

// It is changed with `&mut` alone, and nodes are made with it on any thread.
unsafe impl Send for Registry {}
unsafe impl Sync for Registry {}

impl Registry {
    /// A registry without plugins.
    pub fn new() -> Result<Self, Error> {
        let host = unsafe { sys::sync_get_host() };
        if !unsafe { is_known(host) } {
            let version = unsafe { sys::sync_get_abi_version() };
            let sentence = format!("This libsync has ABI version {}; {} is wanted", version, sys::SYNC_ABI_VERSION);
            return Err(Error::new(Code::AbiVersion, sentence));
        }
        unsafe { set_host(host) };
        let mut raw = ptr::null_mut();
        Error::check(|error| unsafe { sys::sync_registry_create(0, &mut raw, error) })?;
        Ok(Self { raw: NonNull::new(raw).expect("libsync gives a registry") })
    }

    /// Adds a plugin. What it holds is dropped on a thread of the runtime's: when the registry and the nodes that were
    /// made with it are gone, or when it is refused.
    pub fn add(&mut self, plugin: Plugin) -> Result<&mut Self, Error> {
        let (mut fixed, maker) = plugin.split();
        let table = fixed.table(registered::create, &maker);
        let maker = Box::into_raw(maker).cast();
        // From here on the maker is the library's, whatever comes.
        Error::check(|error| unsafe {
            sys::sync_registry_add(self.raw.as_ptr(), &table, maker, Some(registered::forget), error)
        })?;
        Ok(self)
    }

    /// Adds the plugin that a shared object holds, by its absolute path; it stays loaded.
    ///
    /// # Safety
    ///
    /// Its code runs in this process with all its rights.
    pub unsafe fn load(&mut self, path: impl AsRef<Path>) -> Result<&mut Self, Error> {
        let path = c_path(path.as_ref())?;
        Error::check(|error| unsafe { sys::sync_registry_load(self.raw.as_ptr(), path.as_ptr(), error) })?;
        Ok(self)
    }

    pub(crate) fn as_ptr(&self) -> *const sys::sync_registry {
        self.raw.as_ptr()
    }
}

pub(crate) fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(Code::InvalidArgument, format!("The path {:?} holds a NUL", path)))
}

impl Drop for Registry {
    fn drop(&mut self) {
        unsafe { sys::sync_registry_destroy(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Registry").finish_non_exhaustive()
    }
}
