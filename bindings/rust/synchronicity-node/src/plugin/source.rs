use std::ffi::c_void;
use std::os::raw::c_char;
use std::path::Path;

use synchronicity_node_sys as sys;

use super::serve::{finish, finish_bytes, read, read_text, read_texts, serve};
use super::{Call, Failure};
use crate::text;

/// Finds packages of one type and fetches their sources.
pub trait Source: Send + Sync + 'static {
    /// Pins every input of a package: a build spec, as `docs/FORMATS.md` has it. An hour.
    fn resolve(&self, request: &ResolveRequest<'_>, call: &Call<'_>) -> Result<Vec<u8>, Failure>;

    /// Puts a source's tree into the directory; its digest is checked by the node. An hour.
    fn fetch(&self, request: &FetchRequest<'_>, call: &Call<'_>) -> Result<(), Failure>;
}

/// Which package is to be pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolveRequest<'a> {
    /// Such as "pkg:cargo/itoa@1.0.1".
    pub package: &'a str,
    /// Beside the default ones.
    pub features: Vec<&'a str>,
    /// These alone.
    pub programs: Vec<&'a str>,
    /// The library, with the named programs.
    pub library: bool,
    /// Leaves the default features out.
    pub without_default_features: bool,
    /// `None`: the package's choice.
    pub profile: Option<&'a str>,
    /// `None`: the toolchain's own host.
    pub target: Option<&'a str>,
    /// Its SHA-256, 64 hexadecimal digits; the spec's.
    pub toolchain: &'a str,
    /// The spec's.
    pub rebuild: u64,
    /// Names, sorted, of what the recipe shall hold still.
    pub normalise: Vec<&'a str>,
    /// A folder for this call.
    pub scratch_directory: &'a Path,
}

impl<'a> ResolveRequest<'a> {
    unsafe fn read(raw: &'a sys::sync_resolve_request) -> Result<Self, Failure> {
        let optional = |text: *const c_char, name| match text.is_null() {
            true => Ok(None),
            false => unsafe { read_text(text, name) }.map(Some),
        };
        Ok(Self {
            package: unsafe { read_text(raw.package, "The package") }?,
            features: unsafe { read_texts(raw.features, raw.features_count, "A feature") }?,
            programs: unsafe { read_texts(raw.programs, raw.programs_count, "A program") }?,
            library: raw.library != 0,
            without_default_features: raw.without_default_features != 0,
            profile: optional(raw.profile, "The profile")?,
            target: optional(raw.target, "The target")?,
            toolchain: unsafe { read_text(raw.toolchain, "The toolchain") }?,
            rebuild: raw.rebuild,
            normalise: unsafe { read_texts(raw.normalise, raw.normalise_count, "A name") }?,
            scratch_directory: unsafe { text::path(raw.scratch_directory) },
        })
    }
}

/// Which source is to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchRequest<'a> {
    /// The package's.
    pub purl: &'a str,
    /// The spec's word for where it is.
    pub origin: &'a str,
    /// The tree's digest, 64 hexadecimal digits.
    pub tree_sha256: &'a str,
    /// Absolute path; does not exist yet.
    pub directory: &'a Path,
}

unsafe extern "C" fn resolve<S: Source>(
    this: *mut c_void,
    request: *const sys::sync_resolve_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let request = unsafe { ResolveRequest::read(read(request)?) }?;
        unsafe { &*this.cast::<S>() }.resolve(&request, call)
    };
    serve(call, method, |host, raw, spec| finish_bytes(host, raw, &spec))
}

unsafe extern "C" fn fetch<S: Source>(
    this: *mut c_void,
    request: *const sys::sync_fetch_request,
    call: *mut sys::sync_call,
) -> i32 {
    let method = |call: &Call<'_>| {
        let raw = unsafe { read(request) }?;
        let request = FetchRequest {
            purl: unsafe { read_text(raw.purl, "The package") }?,
            origin: unsafe { read_text(raw.origin, "The origin") }?,
            tree_sha256: unsafe { read_text(raw.tree_sha256, "The digest") }?,
            directory: unsafe { text::path(raw.directory) },
        };
        unsafe { &*this.cast::<S>() }.fetch(&request, call)
    };
    serve(call, method, finish)
}

/// The texts are the table's and stay.
pub(super) fn methods<S: Source>() -> sys::sync_source_methods {
    let mut methods = sys::sync_source_methods::new();
    methods.resolve = Some(resolve::<S>);
    methods.fetch = Some(fetch::<S>);
    methods
}
