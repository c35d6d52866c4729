// Names the failure itself, which is the recipe's to do.
fn main() {
    std::fs::write("/output/failure", "needs-network\n").unwrap();
    panic!("no");
}
