//! Finds libsyncverify and its headers: in the folder that `SYNC_LIB_DIR` names, else where pkg-config says. With the
//! feature `libsync` it is libsync that is found, and `SYNC_LIBSYNC_DIR` that names its folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for variable in ["SYNC_LIB_DIR", "SYNC_LIBSYNC_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"] {
        println!("cargo:rerun-if-env-changed={}", variable);
    }
    let feature = |name: &str| env::var_os(name).is_some();
    let (variable, name, kind, file) = if feature("CARGO_FEATURE_LIBSYNC") {
        ("SYNC_LIBSYNC_DIR", "sync", "dylib", "libsync.so")
    } else if feature("CARGO_FEATURE_DYNAMIC") {
        ("SYNC_LIB_DIR", "syncverify", "dylib", "libsyncverify.so")
    } else {
        ("SYNC_LIB_DIR", "syncverify", "static", "libsyncverify.a")
    };
    let (library, include) = match env::var_os(variable) {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            if folder.is_relative() {
                eprintln!("{} is {}; make it absolute, since cargo builds elsewhere", variable, folder.display());
                exit(1);
            }
            let include = folder.join("../include");
            (folder, include)
        }
        None => ask_pkg_config(name).unwrap_or_else(|why| {
            eprintln!("lib{} is not found: {}", name, why);
            eprintln!("Set {} to the folder that holds {}, or PKG_CONFIG_PATH to its pkgconfig.", variable, file);
            exit(1);
        }),
    };
    let file = library.join(file);
    if !file.exists() {
        eprintln!("{} does not exist", file.display());
        exit(1);
    }
    println!("cargo:rerun-if-changed={}", file.display());
    println!("cargo:rustc-link-search=native={}", library.display());
    println!("cargo:rustc-link-lib={}={}", kind, name);
    // For this crate's tests, and as DEP_SYNCVERIFY_INCLUDE for the build scripts of crates that depend on it.
    println!("cargo:rustc-env=SYNC_INCLUDE_DIR={}", include.display());
    println!("cargo:include={}", include.display());
}

/// The library's folder and the headers' folder.
fn ask_pkg_config(name: &str) -> Result<(PathBuf, PathBuf), String> {
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_string());
    let run = |option: &str| {
        let output = Command::new(&program)
            // Without these it keeps silent about a library that lies in a system folder.
            .env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1")
            .env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1")
            .arg(option)
            .arg(format!("lib{}", name))
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
