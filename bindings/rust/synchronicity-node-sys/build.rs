//! Finds libsync and its headers: in the folder that `SYNC_LIBSYNC_DIR` names, else where pkg-config says.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for variable in ["SYNC_LIBSYNC_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"] {
        println!("cargo:rerun-if-env-changed={}", variable);
    }
    if env::var_os("CARGO_FEATURE_LINK").is_none() {
        return;
    }
    let (library, include) = match env::var_os("SYNC_LIBSYNC_DIR") {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            if folder.is_relative() {
                eprintln!("SYNC_LIBSYNC_DIR is {}; make it absolute, since cargo builds elsewhere", folder.display());
                exit(1);
            }
            let include = folder.join("../include");
            (folder, include)
        }
        None => ask_pkg_config().unwrap_or_else(|why| {
            eprintln!("libsync is not found: {}", why);
            eprintln!("Set SYNC_LIBSYNC_DIR to the folder that holds libsync.so, or PKG_CONFIG_PATH to its pkgconfig.");
            exit(1);
        }),
    };
    let file = library.join("libsync.so");
    if !file.exists() {
        eprintln!("{} does not exist", file.display());
        exit(1);
    }
    println!("cargo:rerun-if-changed={}", file.display());
    println!("cargo:rustc-link-search=native={}", library.display());
    println!("cargo:rustc-link-lib=dylib=sync");
    // For this crate's tests, and as DEP_SYNC_INCLUDE for the build scripts of crates that depend on it.
    println!("cargo:rustc-env=SYNC_INCLUDE_DIR={}", include.display());
    println!("cargo:include={}", include.display());
}

/// The library's folder and the headers' folder.
fn ask_pkg_config() -> Result<(PathBuf, PathBuf), String> {
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_string());
    let run = |option: &str| {
        let output = Command::new(&program)
            // Without these it keeps silent about a library that lies in a system folder.
            .env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1")
            .env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1")
            .args([option, "libsync"])
            .output()
            .map_err(|error| format!("{} does not run: {}", program, error))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let folder = |flags: String, prefix: &str| match flags.strip_prefix(prefix) {
        Some(path) => Ok(Path::new(path.trim()).to_path_buf()),
        None => Err(format!("{} printed {:?} instead of one folder", program, flags)),
    };
    Ok((folder(run("--libs-only-L")?, "-L")?, folder(run("--cflags-only-I")?, "-I")?))
}
