//! Proofs that travel inside their artifact's file, behind the artifact's own bytes.

use core::cmp::min;
use synchronicity_sys as sys;

use crate::Error;

/// How much of a file's start [`find`] wants to see.
pub const HEAD_SIZE: usize = sys::SYNC_EMBEDDED_HEAD_SIZE;
/// How much of a file's end [`find`] wants to see.
pub const TAIL_SIZE: usize = sys::SYNC_EMBEDDED_TAIL_SIZE;

/// How a proof is embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Behind the end of the content: proof, length, magic.
    Trailer,
    /// The same inside a last member of an ar archive, such as an `.rlib`.
    ArchiveMember,
    /// A number that is newer than this crate.
    Unknown(i32),
}

/// Where in a file its proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Embedded {
    /// How it is embedded.
    pub form: Form,
    /// The artifact that the proof is about is the file's first `content_size` bytes.
    pub content_size: u64,
    /// From the file's start.
    pub proof_offset: u64,
    /// Bytes of the proof.
    pub proof_size: u64,
}

/// Looks for a proof inside a file of `file_size` bytes, from the file's ends alone.
///
/// `head` is the file's first [`HEAD_SIZE`] bytes and `tail` its last [`TAIL_SIZE`], or the whole file where it is
/// smaller. `None` if the file does not end like one that holds a proof; a file that does and holds none is an error.
///
/// ```
/// let file = b"an artifact without a proof";
/// let (head, tail) = (&file[..synchronicity::embedded::HEAD_SIZE], &file[..]);
/// assert_eq!(synchronicity::embedded::find(head, tail, file.len() as u64), Ok(None));
/// ```
pub fn find(head: &[u8], tail: &[u8], file_size: u64) -> Result<Option<Embedded>, Error> {
    let mut found = sys::sync_embedded::new();
    Error::check(|error| unsafe {
        sys::sync_embedded_find(head.as_ptr(), head.len(), tail.as_ptr(), tail.len(), file_size, 0, &mut found, error)
    })?;
    let form = match found.form {
        sys::SYNC_EMBEDDED_NONE => return Ok(None),
        sys::SYNC_EMBEDDED_TRAILER => Form::Trailer,
        sys::SYNC_EMBEDDED_ARCHIVE_MEMBER => Form::ArchiveMember,
        unknown => Form::Unknown(unknown),
    };
    Ok(Some(Embedded {
        form,
        content_size: found.content_size,
        proof_offset: found.proof_offset,
        proof_size: found.proof_size,
    }))
}

/// [`find`] in a file whose bytes are all there.
pub fn find_in(file: &[u8]) -> Result<Option<Embedded>, Error> {
    let head = &file[..min(file.len(), HEAD_SIZE)];
    let tail = &file[file.len() - min(file.len(), TAIL_SIZE)..];
    find(head, tail, file.len() as u64)
}
