use proc_macro::TokenStream;
use std::{fs::File, io::Read};

/// Expands to a number from the device of random bytes.
#[proc_macro]
pub fn random(_: TokenStream) -> TokenStream {
    let mut bytes = [0; 8];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    format!("{}u64", u64::from_le_bytes(bytes)).parse().unwrap()
}
