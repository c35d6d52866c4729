fn main() { println!("hello{}", sync_choice::mark()); }
