//! Greets, with a path of its own in a panic message so that paths show up in what is built.

pub fn greeting(name: &str) -> String {
    assert!(!name.is_empty(), "nobody to greet");
    let end = if cfg!(feature = "loud") { "!" } else { "." };
    format!("Hello {name}{end}")
}
