use core::fmt;
use core::str::FromStr;

/// A SHA-256 digest.
///
/// ```
/// use synchronicity::Sha256Digest;
///
/// let digest = Sha256Digest::of(b"abc");
/// let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(digest.to_string(), text);
/// assert_eq!(text.parse(), Ok(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// The digest of bytes that are all there. [`Hasher`](crate::Hasher) takes them in pieces.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = crate::Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `None` for the zero that stands for no digest.
    pub(crate) fn unless_zero(bytes: [u8; 32]) -> Option<Self> {
        if bytes == [0; 32] {
            None
        } else {
            Some(Self(bytes))
        }
    }
}

impl From<[u8; 32]> for Sha256Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Sha256Digest> for [u8; 32] {
    fn from(digest: Sha256Digest) -> Self {
        digest.0
    }
}

impl AsRef<[u8]> for Sha256Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// 64 lowercase hexadecimal digits.
impl fmt::Display for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{:02x}", byte))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sha256Digest({})", self)
    }
}

/// Reads 64 hexadecimal digits of either case.
impl FromStr for Sha256Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(ParseDigestError(()));
        }
        let value = |digit: u8| (digit as char).to_digit(16).ok_or(ParseDigestError(()));
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (value(pair[0])? << 4 | value(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDigestError(());

impl fmt::Display for ParseDigestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a SHA-256 digest is 64 hexadecimal digits")
    }
}

#[cfg(feature = "std")]
impl std::error::Error for ParseDigestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_digest_are_refused() {
        let good = "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0011223344";
        assert!(good.parse::<Sha256Digest>().is_ok());
        for bad in
            ["", "00", &good[1..], &format!("{}0", good), &good.replacen('0', "g", 1), &good.replacen("01", "é", 1)]
        {
            assert!(bad.parse::<Sha256Digest>().is_err(), "{}", bad);
        }
    }
}
