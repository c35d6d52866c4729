use std::time::{SystemTime, UNIX_EPOCH};

// Deliberately not reproducible: no two builds have the same clock.
fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    println!("cargo:rustc-env=BUILT_AT={now}");
}
