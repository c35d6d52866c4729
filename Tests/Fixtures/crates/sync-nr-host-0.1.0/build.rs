use std::{env, fs};

// Not reproducible: names the machine and whoever builds.
fn main() {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    println!("cargo:rustc-env=SEEN={} of {}", env::var("USER").unwrap_or_default(), host.trim());
}
