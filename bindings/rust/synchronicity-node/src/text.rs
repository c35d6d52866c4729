//! Texts and paths on their way from and to C.

use std::ffi::{CStr, CString, OsStr};
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A sentence as C has it; a NUL inside becomes a space.
pub(crate) fn sentence(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }).collect();
    // Nothing is left that could fail.
    CString::new(bytes).unwrap_or_default()
}

/// The bytes of a C string; of NULL there are none.
///
/// # Safety
///
/// The text is NULL, or ends with a NUL and stays as it is for as long as the borrow.
pub(crate) unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// The same as a path.
///
/// # Safety
///
/// As [`bytes`].
pub(crate) unsafe fn path<'a>(text: *const c_char) -> &'a Path {
    Path::new(OsStr::from_bytes(unsafe { bytes(text) }))
}

/// A slice of C's, where NULL has no elements.
///
/// # Safety
///
/// There are so many, and they stay as they are for as long as the borrow.
pub(crate) unsafe fn slice<'a, T>(start: *const T, count: usize) -> &'a [T] {
    if start.is_null() || count == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(start, count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_everything_but_nuls() {
        assert_eq!(sentence("a\0ü").to_bytes(), "a ü".as_bytes());
        assert_eq!(sentence("").to_bytes(), b"");
    }

    #[test]
    fn null_is_empty() {
        assert!(unsafe { bytes(std::ptr::null()) }.is_empty());
        assert!(unsafe { slice::<u64>(std::ptr::null(), 3) }.is_empty());
    }
}
