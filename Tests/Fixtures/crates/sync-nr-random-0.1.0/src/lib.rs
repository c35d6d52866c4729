pub const SEEN: &str = env!("SEEN");
