pub fn number() -> u32 { "not a number" }
