use core::fmt;
use core::ptr;
use synchronicity_sys as sys;

use crate::{Error, Sha256Digest};

/// SHA-256 of bytes that come in pieces.
///
/// With the feature `std` it is an [`io::Write`](std::io::Write), so that `io::copy` fills it:
///
/// ```
/// # #[cfg(feature = "std")] {
/// let mut hasher = synchronicity::Hasher::new();
/// std::io::copy(&mut &b"abc"[..], &mut hasher)?;
/// assert!(hasher.finish().to_string().starts_with("ba7816bf"));
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Hasher {
    raw: ptr::NonNull<sys::sync_hasher>,
}

// The library wants one thread at a time for each hasher, which `&mut self` and ownership see to.
unsafe impl Send for Hasher {}
unsafe impl Sync for Hasher {}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        let mut raw = ptr::null_mut();
        let made = Error::check(|error| unsafe { sys::sync_hasher_create(0, &mut raw, error) });
        // Flags are what it could refuse, and none are given.
        made.expect("libsyncverify makes a hasher");
        Self { raw: ptr::NonNull::new(raw).expect("libsyncverify gives a hasher") }
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        Error::check(|error| unsafe {
            sys::sync_hasher_update(self.raw.as_ptr(), bytes.as_ptr().cast(), bytes.len(), error)
        })
        .expect("libsyncverify hashes any bytes");
    }

    /// The digest of all pieces. The hasher is then as new.
    pub fn finish(&mut self) -> Sha256Digest {
        let mut digest = [0; 32];
        Error::check(|error| unsafe { sys::sync_hasher_finish(self.raw.as_ptr(), digest.as_mut_ptr(), error) })
            .expect("libsyncverify finishes any hasher");
        Sha256Digest(digest)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        unsafe { sys::sync_hasher_destroy(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hasher").finish_non_exhaustive()
    }
}

#[cfg(feature = "std")]
impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
