fn main() { println!("goodbye{}", sync_choice::mark()); }
