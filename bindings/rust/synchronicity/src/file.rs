use std::error;
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::embedded::{self, Embedded};
use crate::{Error, Hasher, Policy, Proof, Sha256Digest, Verification, POLICY_BYTES_MAX, PROOF_BYTES_MAX};

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
    /// There is a proof, and it does not prove the file; or a policy that is none.
    Refused {
        /// The file that holds the proof or policy.
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

/// Where a file's proof came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofOrigin {
    /// The caller named it.
    Given,
    /// It was inside the file.
    Embedded,
    /// It was beside the file, under its name with `.tlog-proof` behind.
    Sidecar,
}

/// What a proof that holds has shown of a file.
///
/// The proof is about the package that it names, whatever the file is called: compare [`Proof::package`] with the
/// package that you want.
#[derive(Debug)]
#[non_exhaustive]
pub struct FileVerification {
    /// What the proof showed.
    pub verification: Verification,
    /// The proof, now to be believed.
    pub proof: Proof,
    /// The artifact's digest.
    pub digest: Sha256Digest,
    /// Bytes of the artifact: all of the file, but for a proof that is embedded in it.
    pub content_size: u64,
    /// Where the proof came from.
    pub proof_origin: ProofOrigin,
    /// The file that held the proof; the artifact's own for [`ProofOrigin::Embedded`].
    pub proof_path: PathBuf,
}

/// Checks a file against the proof that is embedded in it, or else the one beside it: `libitoa.rlib.tlog-proof` for
/// `libitoa.rlib`.
///
/// The proof is read and parsed first, never more than [`PROOF_BYTES_MAX`] bytes and one; the file is read once, in
/// pieces.
///
/// A pipe, a folder or a device is refused with [`FileError::Io`], as file and as proof.
///
/// ```no_run
/// # let policy = synchronicity::Policy::parse(b"")?;
/// match synchronicity::verify_file("libitoa.rlib", &policy) {
///     Ok(shown) => println!("{} builders rebuilt {}", shown.verification.reproducers, shown.proof.package()),
///     Err(why) => eprintln!("{}", why),
/// }
/// # Ok::<(), synchronicity::Error>(())
/// ```
pub fn verify_file(path: impl AsRef<Path>, policy: &Policy) -> Result<FileVerification, FileError> {
    let path = path.as_ref();
    let mut file = open(path).map_err(|source| unreadable(path, source))?;
    let found = find_embedded(&mut file).map_err(|source| unreadable(path, source))?;
    let found = found.map_err(|source| refused(path, source))?;
    if let Some(found) = found {
        let bytes =
            read_range(&mut file, found.proof_offset, found.proof_size).map_err(|source| unreadable(path, source))?;
        let proof = ProofBytes { bytes, origin: ProofOrigin::Embedded, path: path.into() };
        return verify_content(path, file, found.content_size, proof, policy);
    }
    let mut sidecar: OsString = path.into();
    sidecar.push(".tlog-proof");
    let sidecar = PathBuf::from(sidecar);
    let opened = match open(&sidecar) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileError::NoProof { path: path.into() }),
        opened => opened.map_err(|source| unreadable(&sidecar, source)),
    };
    let proof = ProofBytes::read(opened?, ProofOrigin::Sidecar, sidecar)?;
    verify_content(path, file, u64::MAX, proof, policy)
}

/// Checks all of a file, whatever is embedded in it, against the proof in another file.
pub fn verify_file_with(
    path: impl AsRef<Path>,
    proof: impl AsRef<Path>,
    policy: &Policy,
) -> Result<FileVerification, FileError> {
    let (path, proof) = (path.as_ref(), proof.as_ref());
    let file = open(path).map_err(|source| unreadable(path, source))?;
    let opened = open(proof).map_err(|source| unreadable(proof, source))?;
    let proof = ProofBytes::read(opened, ProofOrigin::Given, proof.into())?;
    verify_content(path, file, u64::MAX, proof, policy)
}

impl Policy {
    /// Reads and parses a policy file, of which it reads no more than [`POLICY_BYTES_MAX`] bytes and one.
    ///
    /// A pipe, a folder or a device is refused with [`FileError::Io`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let file = open(path).map_err(|source| unreadable(path, source))?;
        let bytes = read_bounded(file, POLICY_BYTES_MAX).map_err(|source| unreadable(path, source))?;
        Self::parse(&bytes).map_err(|source| refused(path, source))
    }
}

/// All of a file, or one byte more than is taken, which is enough to have it refused.
fn read_bounded(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A proof that nobody has looked at yet.
struct ProofBytes {
    bytes: Vec<u8>,
    origin: ProofOrigin,
    path: PathBuf,
}

impl ProofBytes {
    fn read(file: File, origin: ProofOrigin, path: PathBuf) -> Result<Self, FileError> {
        let bytes = read_bounded(file, PROOF_BYTES_MAX).map_err(|source| unreadable(&path, source))?;
        Ok(Self { bytes, origin, path })
    }
}

/// Checks the file's first `size` bytes, or all of it where it is smaller.
fn verify_content(
    path: &Path,
    file: File,
    size: u64,
    proof: ProofBytes,
    policy: &Policy,
) -> Result<FileVerification, FileError> {
    let ProofBytes { bytes, origin: proof_origin, path: proof_path } = proof;
    // Before the artifact is read, which may be large.
    let proof = Proof::parse(&bytes).map_err(|source| refused(&proof_path, source))?;
    let (digest, content_size) = hash(file, size).map_err(|source| unreadable(path, source))?;
    let verification = proof.verify(policy, &digest).map_err(|source| refused(&proof_path, source))?;
    Ok(FileVerification { verification, proof, digest, content_size, proof_origin, proof_path })
}

/// `O_NONBLOCK`, which `std` does not name: of Linux's `asm-generic/fcntl.h`, else of `sys/fcntl.h` in macOS and the
/// BSDs. 0 where it is another number: the open itself then waits for a pipe's writer.
#[cfg(unix)]
const NONBLOCK: i32 =
    if cfg!(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc", target_arch = "sparc64")) {
        0
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        0o4000
    } else if cfg!(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    )) {
        0x4
    } else {
        0
    };

/// Opens a regular file, and refuses what would block or never end.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    options.custom_flags(NONBLOCK);
    let file = options.open(path)?;
    // Asked of what was opened, since the path may name something else by now.
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
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

/// The digest of the file's first `size` bytes, or of all of it where it is smaller, and how many they were.
fn hash(mut file: File, size: u64) -> io::Result<(Sha256Digest, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hashed = 0;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    while hashed < size {
        let wanted = (size - hashed).min(buffer.len() as u64) as usize;
        match file.read(&mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                hashed += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
    Ok((hasher.finish(), hashed))
}
