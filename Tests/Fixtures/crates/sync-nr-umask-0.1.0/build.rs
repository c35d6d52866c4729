use std::{env, fs, os::unix::fs::PermissionsExt, path::Path};

// Not reproducible: the mode of a new file is the umask's.
fn main() {
    let path = Path::new(&env::var("OUT_DIR").unwrap()).join("new");
    fs::write(&path, "").unwrap();
    println!("cargo:rustc-env=SEEN=mode {:o}", fs::metadata(&path).unwrap().permissions().mode());
}
