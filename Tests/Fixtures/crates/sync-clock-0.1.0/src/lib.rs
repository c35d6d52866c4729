pub const BUILT_AT: &str = env!("BUILT_AT");
