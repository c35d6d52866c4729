use std::{env, thread};

// Not reproducible: counts processors, and cargo's jobs, which are as many.
fn main() {
    let jobs = env::var("NUM_JOBS").unwrap_or_default();
    println!("cargo:rustc-env=SEEN={} processors, {jobs} jobs", thread::available_parallelism().unwrap());
}
