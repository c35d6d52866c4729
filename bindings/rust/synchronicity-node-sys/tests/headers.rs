//! Compares the declarations with what C makes of the headers: sizes, offsets, constants, names.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use synchronicity_node_sys::*;

const DECLARATIONS: [&str; 3] =
    [include_str!("../src/lib.rs"), include_str!("../src/plugin.rs"), include_str!("../src/node.rs")];

fn include_folder() -> PathBuf {
    PathBuf::from(env!("SYNC_INCLUDE_DIR"))
}

fn headers() -> String {
    ["sync/version.h", "sync/plugin.h", "sync/node.h"]
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

/// The names behind which parameter lists begin.
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

/// The names of the structs that have fields.
fn structs(text: &str) -> BTreeSet<&str> {
    text.match_indices("typedef struct ")
        .map(|(index, start)| &text[index + start.len()..])
        .filter_map(|rest| rest.split_once(' '))
        .filter(|(_, rest)| rest.starts_with('{'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_function_of_the_headers_is_declared_and_no_other() {
    let mut declared = String::new();
    for file in DECLARATIONS {
        let block = file.split_once("\nextern \"C\" {").expect("an extern block").1;
        let block = block.split_once("\n}").expect("its end").0;
        for line in block.lines().filter(|line| !line.trim_start().starts_with("//")) {
            writeln!(declared, "{}", line).unwrap();
        }
    }
    let wanted = functions(&without_comments(&headers()));
    assert!(wanted.len() >= 40, "only {} functions found in the headers", wanted.len());
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
        .filter(|name| !name.ends_with("_H") && !name.ends_with("_INIT") && *name != "PLUGIN_ENTRY")
        .collect();
    let declared: BTreeSet<&str> = CONSTANTS.iter().map(|(name, _)| &name["SYNC_".len()..]).collect();
    assert_eq!(declared, wanted);
    let entry = std::str::from_utf8(SYNC_PLUGIN_ENTRY).unwrap().trim_end_matches('\0');
    assert!(text.contains(&format!("#define SYNC_PLUGIN_ENTRY \"{}\"\n", entry)));
}

#[test]
fn sizes_offsets_and_values_are_those_of_the_c_compiler() {
    let mut program =
        String::from("#include <stddef.h>\n#include <stdio.h>\n#include <sync/node.h>\nint main(void) {\n");
    let mut wanted = String::new();
    for (name, value) in CONSTANTS {
        writeln!(program, "  printf(\"{0} %llu\\n\", (unsigned long long)({0}));", name).unwrap();
        writeln!(wanted, "{} {}", name, value).unwrap();
    }
    let mut declared = BTreeSet::new();
    visit_layouts(&mut |name, size, fields| {
        declared.insert(name.to_string());
        writeln!(program, "  printf(\"{0} %zu\\n\", sizeof({0}));", name).unwrap();
        writeln!(wanted, "{} {}", name, size).unwrap();
        let mut sum = 0;
        for (field, offset, size) in fields {
            // A word that Rust keeps for itself.
            let field = field.trim_end_matches('_');
            writeln!(
                program,
                "  printf(\"{0}.{1} %zu %zu\\n\", offsetof({0}, {1}), sizeof((({0} *)0)->{1}));",
                name, field
            )
            .unwrap();
            writeln!(wanted, "{}.{} {} {}", name, field, offset, size).unwrap();
            sum += size;
        }
        // Without gaps no field can be missing.
        assert_eq!(sum, size, "{} has fields that are not declared", name);
    });
    program.push_str("  return 0;\n}\n");
    let text = headers();
    assert_eq!(declared.iter().map(String::as_str).collect::<BTreeSet<_>>(), structs(&text));

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("node-probe.c");
    let executable = folder.join("node-probe");
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
fn the_library_answers_and_its_table_is_this_one() {
    assert_eq!(unsafe { sync_get_abi_version() }, SYNC_ABI_VERSION);
    let host = unsafe { &*sync_get_host() };
    assert_eq!(host.abi_version, SYNC_ABI_VERSION);
    assert_eq!(host.struct_size as usize, std::mem::size_of::<sync_host>());
    // A call that never was.
    let call = usize::MAX as *mut sync_call;
    let statuses = unsafe { (host.call_finish.unwrap()(call), sync_call_finish(call)) };
    assert_eq!(statuses, (SYNC_ERROR_STATE, SYNC_ERROR_STATE));
    let char: std::os::raw::c_char = 0;
    let _: c_char = char;
}
