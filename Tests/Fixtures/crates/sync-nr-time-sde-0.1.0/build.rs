use std::time::{SystemTime, UNIX_EPOCH};

// Not reproducible, unless SOURCE_DATE_EPOCH is given.
fn main() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string();
    println!("cargo:rustc-env=SEEN={}", std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| now()));
}
