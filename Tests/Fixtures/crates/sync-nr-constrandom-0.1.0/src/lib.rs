// Not reproducible, as what the crate const-random is for: a number that the compiler draws.
pub const SEEN: u64 = sync_nr_constrandom_macro::random!();
