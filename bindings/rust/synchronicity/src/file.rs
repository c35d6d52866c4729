use std::error;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::embedded::{self, Embedded};
use crate::{Error, Hasher, Policy, Proof, Sha256Digest, Verification, PROOF_BYTES_MAX};

/// Why a file was not verified.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// A file cannot be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No proof is in the file, nor beside it.
    NoProof {
        /// The file.
        path: PathBuf,
    },
    /// There is a proof, and it does not prove the file.
    Refused {
        /// The file that holds the proof.
        path: PathBuf,
        /// Why.
        source: Error,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io { path, source } => write!(formatter, "{}: {}", path.display(), source),
            FileError::NoProof { path } => {
                write!(formatter, "{0} holds no proof, and {0}.tlog-proof does not exist", path.display())
            }
            FileError::Refused { path, source } => write!(formatter, "{}: {}", path.display(), source),
        }
    }
}

impl error::Error for FileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            FileError::Io { source, .. } => Some(source),
            FileError::NoProof { .. } => None,
            FileError::Refused { source, .. } => Some(source),
        }
    }
}

/// Checks a file against the proof that is embedded in it, or else the one beside it: `libitoa.rlib.tlog-proof` for
/// `libitoa.rlib`.
///
/// The proof is read and parsed first, never more than [`PROOF_BYTES_MAX`] bytes and one; the file is read once, in
/// pieces.
///
/// ```no_run
/// # let policy = synchronicity::Policy::parse(b"")?;
/// match synchronicity::verify_file("libitoa.rlib", &policy) {
///     Ok(shown) => println!("rebuilt by {} builders", shown.reproducers),
///     Err(why) => eprintln!("{}", why),
/// }
/// # Ok::<(), synchronicity::Error>(())
/// ```
pub fn verify_file(path: impl AsRef<Path>, policy: &Policy) -> Result<Verification, FileError> {
    let path = path.as_ref();
    let mut file = open(path)?;
    let found = find_embedded(&mut file).map_err(|source| unreadable(path, source))?;
    let found = found.map_err(|source| refused(path, source))?;
    if let Some(found) = found {
        let proof =
            read_range(&mut file, found.proof_offset, found.proof_size).map_err(|source| unreadable(path, source))?;
        return verify_content(path, file, found.content_size, path, &proof, policy);
    }
    let mut sidecar: OsString = path.into();
    sidecar.push(".tlog-proof");
    let sidecar = PathBuf::from(sidecar);
    match File::open(&sidecar) {
        Ok(proof) => verify_beside(path, file, &sidecar, proof, policy),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileError::NoProof { path: path.into() }),
        Err(error) => Err(unreadable(&sidecar, error)),
    }
}

/// Checks all of a file, whatever is embedded in it, against the proof in another file.
pub fn verify_file_with(
    path: impl AsRef<Path>,
    proof: impl AsRef<Path>,
    policy: &Policy,
) -> Result<Verification, FileError> {
    let (path, proof) = (path.as_ref(), proof.as_ref());
    verify_beside(path, open(path)?, proof, open(proof)?, policy)
}

fn verify_beside(
    path: &Path,
    file: File,
    proof_path: &Path,
    proof: File,
    policy: &Policy,
) -> Result<Verification, FileError> {
    let mut bytes = Vec::new();
    // One byte more than is taken is enough to have it refused.
    proof.take(PROOF_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|source| unreadable(proof_path, source))?;
    verify_content(path, file, u64::MAX, proof_path, &bytes, policy)
}

fn verify_content(
    path: &Path,
    file: File,
    size: u64,
    proof_path: &Path,
    proof: &[u8],
    policy: &Policy,
) -> Result<Verification, FileError> {
    // Before the artifact is read, which may be large.
    let proof = Proof::parse(proof).map_err(|source| refused(proof_path, source))?;
    let digest = hash(file, size).map_err(|source| unreadable(path, source))?;
    proof.verify(policy, &digest).map_err(|source| refused(proof_path, source))
}

fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> FileError {
    FileError::Io { path: path.into(), source }
}

fn refused(path: &Path, source: Error) -> FileError {
    FileError::Refused { path: path.into(), source }
}

fn find_embedded(file: &mut File) -> io::Result<Result<Option<Embedded>, Error>> {
    let size = file.seek(SeekFrom::End(0))?;
    let head = read_range(file, 0, size.min(embedded::HEAD_SIZE as u64))?;
    let tail_size = size.min(embedded::TAIL_SIZE as u64);
    let tail = read_range(file, size - tail_size, tail_size)?;
    Ok(embedded::find(&head, &tail, size))
}

fn read_range(file: &mut File, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    // Never larger than the tail, which is what bounds it.
    let mut bytes = vec![0; size as usize];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The digest of the file's first `size` bytes, or of all of it where it is smaller.
fn hash(mut file: File, size: u64) -> io::Result<Sha256Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut rest = size;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    while rest > 0 {
        let wanted = rest.min(buffer.len() as u64) as usize;
        match file.read(&mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                rest -= count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finish())
}
