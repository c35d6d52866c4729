use core::slice;
use core::str;
use synchronicity_sys::c_char;

/// The library's string as Rust's. `CStr` is not in `core` in the oldest Rust that this crate supports.
///
/// # Safety
///
/// `start` is a string of the library's, and lives for `'a`.
pub(crate) unsafe fn borrow<'a>(start: *const c_char) -> &'a str {
    // It promises UTF-8; checking that costs little, and a broken promise must not become undefined behaviour.
    str::from_utf8(unsafe { bytes(start) }).expect("libsyncverify gives UTF-8")
}

/// The same for what only people read: as much of it as is UTF-8.
///
/// # Safety
///
/// As for [`borrow`].
pub(crate) unsafe fn borrow_sentence<'a>(start: *const c_char) -> &'a str {
    let bytes = unsafe { bytes(start) };
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

unsafe fn bytes<'a>(start: *const c_char) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    let start = start as *const u8;
    let mut length = 0;
    // The library ends each string with a NUL.
    while unsafe { *start.add(length) } != 0 {
        length += 1;
    }
    unsafe { slice::from_raw_parts(start, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_utf_8_does() {
        let sentence = |bytes: &'static [u8]| unsafe { borrow_sentence(bytes.as_ptr().cast()) };
        assert_eq!(sentence("größer\0".as_bytes()), "größer");
        assert_eq!(sentence(b"a key \xc3(\0"), "a key ");
        assert_eq!(unsafe { borrow_sentence(core::ptr::null()) }, "");
    }
}
