pub fn f() -> u8 {
    "no"
}
