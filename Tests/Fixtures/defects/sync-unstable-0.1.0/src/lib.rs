pub fn f() {
    std::intrinsics::abort()
}
