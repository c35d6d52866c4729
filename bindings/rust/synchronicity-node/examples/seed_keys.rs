//! A signer over the seed that `synchronicity init` has made: the same keys as the program's own. It shows how a signer
//! is written; who has a device instead asks that.
//!
//!     [settings.seed-keys]
//!     seed = "/home/alder/seed"
//!
//! As a shared object: `cargo build --package synchronicity-node --no-default-features --example seed_keys`.

use std::fs;
use std::os::raw::{c_char, c_int, c_ulonglong, c_void};

use synchronicity_node::plugin::{Call, CreateRequest, Failure, FailureCode, KeyRole, Signer};

#[link(name = "sodium")]
extern "C" {
    fn crypto_auth_hmacsha256(output: *mut u8, input: *const u8, size: c_ulonglong, key: *const u8) -> c_int;
    fn crypto_sign_seed_keypair(public: *mut u8, secret: *mut u8, seed: *const u8) -> c_int;
    fn crypto_sign_detached(
        signature: *mut u8,
        size: *mut c_ulonglong,
        message: *const u8,
        message_size: c_ulonglong,
        secret: *const u8,
    ) -> c_int;
    fn sodium_hex2bin(
        output: *mut u8,
        output_size: usize,
        hex: *const c_char,
        hex_size: usize,
        ignore: *const c_char,
        size: *mut usize,
        end: *mut *const c_char,
    ) -> c_int;
    fn sodium_memzero(start: *mut c_void, size: usize);
}

/// Bytes that are wiped when they go.
struct Secret<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Drop for Secret<SIZE> {
    fn drop(&mut self) {
        unsafe { sodium_memzero(self.0.as_mut_ptr().cast(), SIZE) }
    }
}

pub struct SeedKeys {
    keys: Vec<([u8; 32], Secret<64>)>,
}

impl SeedKeys {
    pub fn make(request: &CreateRequest<'_>) -> Result<Self, Failure> {
        let path = request.setting("seed").ok_or_else(|| {
            Failure::new(FailureCode::Invalid, "There is no setting seed; give it the path of the builder's seed")
        })?;
        let text = fs::read(path).map_err(|error| Failure::new(FailureCode::Io, format!("{}: {}", path, error)))?;
        let mut text = Secret::<65>::of(&text).ok_or_else(|| {
            Failure::new(FailureCode::Invalid, format!("{} does not hold 64 hexadecimal digits", path))
        })?;
        let mut seed = Secret([0; 32]);
        let mut size = 0;
        let status = unsafe {
            let (digits, null) = (text.0.as_mut_ptr().cast(), std::ptr::null());
            sodium_hex2bin(seed.0.as_mut_ptr(), 32, digits, 64, null, &mut size, std::ptr::null_mut())
        };
        if status != 0 || size != 32 {
            return Err(Failure::new(FailureCode::Invalid, format!("{} does not hold 64 hexadecimal digits", path)));
        }
        Ok(Self { keys: KeyRole::ALL.iter().map(|role| derive(&seed, *role)).collect() })
    }

    fn key(&self, role: KeyRole) -> &([u8; 32], Secret<64>) {
        &self.keys[role as usize]
    }
}

impl<const SIZE: usize> Secret<SIZE> {
    /// The first bytes, if there are so many or one less, as behind a last line without an end.
    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SIZE];
        if text.len() != SIZE && text.len() != SIZE - 1 {
            return None;
        }
        bytes[..text.len()].copy_from_slice(text);
        Some(Secret(bytes))
    }
}

/// HKDF-SHA256 (RFC 5869) of the seed without a salt, with the role's label, is the seed of the role's key.
fn derive(seed: &Secret<32>, role: KeyRole) -> ([u8; 32], Secret<64>) {
    let (mut extracted, mut expanded) = (Secret([0; 32]), Secret([0; 32]));
    let mut label = format!("synchronicity/v1/{}", role.name()).into_bytes();
    label.push(1);
    let (mut public, mut secret) = ([0; 32], Secret([0; 64]));
    unsafe {
        crypto_auth_hmacsha256(extracted.0.as_mut_ptr(), seed.0.as_ptr(), 32, [0; 32].as_ptr());
        let size = label.len() as c_ulonglong;
        crypto_auth_hmacsha256(expanded.0.as_mut_ptr(), label.as_ptr(), size, extracted.0.as_ptr());
        crypto_sign_seed_keypair(public.as_mut_ptr(), secret.0.as_mut_ptr(), expanded.0.as_ptr());
    }
    (public, secret)
}

impl Signer for SeedKeys {
    fn public_key(&self, role: KeyRole, _: &Call<'_>) -> Result<[u8; 32], Failure> {
        Ok(self.key(role).0)
    }

    fn sign(&self, role: KeyRole, message: &[u8], _: &Call<'_>) -> Result<[u8; 64], Failure> {
        let mut signature = [0; 64];
        let (start, size) = (message.as_ptr(), message.len() as c_ulonglong);
        unsafe {
            let secret = self.key(role).1 .0.as_ptr();
            crypto_sign_detached(signature.as_mut_ptr(), std::ptr::null_mut(), start, size, secret);
        }
        Ok(signature)
    }
}

#[cfg(not(test))]
synchronicity_node::sync_plugin!(synchronicity_node::Plugin::signer("seed-keys", "1", SeedKeys::make));
