fn main() { compile_error!("the feature is off") }
