use std::collections::HashSet;

// Not reproducible: a set of the standard library has another order each time.
fn main() {
    let numbers: HashSet<u32> = (0..32).collect();
    let order: Vec<String> = numbers.iter().map(u32::to_string).collect();
    println!("cargo:rustc-env=SEEN={}", order.join(" "));
}
