fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    println!("{} ({})", sync_plain::greeting(&name), sync_macro::count_tokens!(a b c));
}
