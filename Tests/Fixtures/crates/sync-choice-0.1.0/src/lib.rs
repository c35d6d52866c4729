/// How greetings end: the build's profile and features decide.
pub fn mark() -> &'static str {
    match (cfg!(feature = "loud"), cfg!(debug_assertions)) {
        (true, true) => "! (checked)",
        (true, false) => "!",
        (false, true) => ". (checked)",
        (false, false) => ".",
    }
}
