//! Compares the declarations with what C makes of the headers: sizes, offsets, constants, names.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use synchronicity_sys::*;

const DECLARATIONS: &str = include_str!("../src/lib.rs");

fn include_folder() -> PathBuf {
    PathBuf::from(env!("SYNC_INCLUDE_DIR"))
}

fn headers() -> String {
    ["sync/version.h", "sync/verify.h"]
        .iter()
        .map(|name| fs::read_to_string(include_folder().join(name)).expect(name))
        .collect()
}

/// Removes comments and, line by line, what the preprocessor reads.
fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    for (index, part) in text.split("/*").enumerate() {
        let code = if index == 0 { part } else { part.split_once("*/").map_or("", |parts| parts.1) };
        kept.push_str(code);
    }
    kept.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// The names behind which C's parameter lists begin.
fn functions(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, _) in text.match_indices('(') {
        let name: String = text[..index].chars().rev().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        if name.starts_with("sync_") {
            names.insert(name);
        }
    }
    names
}

#[test]
fn every_function_of_the_headers_is_declared_and_no_other() {
    let declared = DECLARATIONS.split_once("extern \"C\" {").expect("an extern block").1;
    let declared: String =
        declared.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let wanted = functions(&without_comments(&headers()));
    assert!(wanted.len() >= 20, "only {} functions found in the headers", wanted.len());
    assert_eq!(functions(&declared), wanted);
}

#[test]
fn every_constant_of_the_headers_is_declared_and_no_other() {
    let text = headers();
    let wanted: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define SYNC_"))
        .filter_map(|rest| rest.split_once(' '))
        .map(|(name, _)| name)
        .filter(|name| !name.ends_with("_H") && !name.ends_with("_INIT"))
        .collect();
    let declared: BTreeSet<&str> = CONSTANTS.iter().map(|(name, _)| &name["SYNC_".len()..]).collect();
    assert_eq!(declared, wanted);
}

#[test]
fn sizes_offsets_and_values_are_those_of_the_c_compiler() {
    let mut program =
        String::from("#include <stddef.h>\n#include <stdio.h>\n#include <sync/verify.h>\nint main(void) {\n");
    let mut wanted = String::new();
    for (name, value) in CONSTANTS {
        writeln!(program, "  printf(\"{0} %lld\\n\", (long long)({0}));", name).unwrap();
        writeln!(wanted, "{} {}", name, value).unwrap();
    }
    visit_layouts(&mut |name, size, fields| {
        writeln!(program, "  printf(\"{0} %zu\\n\", sizeof({0}));", name).unwrap();
        writeln!(wanted, "{} {}", name, size).unwrap();
        for (field, offset, size) in fields {
            writeln!(
                program,
                "  printf(\"{0}.{1} %zu %zu\\n\", offsetof({0}, {1}), sizeof((({0} *)0)->{1}));",
                name, field
            )
            .unwrap();
            writeln!(wanted, "{}.{} {} {}", name, field, offset, size).unwrap();
        }
    });
    program.push_str("  return 0;\n}\n");

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("probe.c");
    let executable = folder.join("probe");
    fs::write(&source, program).unwrap();
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_string());
    let compiled = Command::new(&compiler)
        .args(["-std=c99", "-Wall", "-Werror", "-I"])
        .arg(include_folder())
        .arg("-o")
        .args([&executable, &source])
        .status()
        .unwrap_or_else(|error| panic!("{} does not run: {}", compiler, error));
    assert!(compiled.success());
    let printed = Command::new(&executable).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), wanted);
}

#[test]
fn char_is_the_compilers_char() {
    let byte: std::os::raw::c_char = 0;
    let _: c_char = byte;
}

#[test]
fn the_library_answers() {
    assert_eq!(unsafe { sync_get_abi_version() }, SYNC_ABI_VERSION);
    let version = unsafe { std::ffi::CStr::from_ptr(sync_get_version()) };
    assert_eq!(
        version.to_str().unwrap(),
        format!("{}.{}.{}", SYNC_VERSION_MAJOR, SYNC_VERSION_MINOR, SYNC_VERSION_PATCH)
    );
}
