// Not reproducible in another folder: names the folder of the build, twice.
pub const SEEN: &str = concat!(file!(), " ", env!("CARGO_MANIFEST_DIR"));
