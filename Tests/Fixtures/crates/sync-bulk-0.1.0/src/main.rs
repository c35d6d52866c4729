#[used]
static BULK: [u8; 10 << 20] = bulk();

/// Bytes that do not repeat soon, so that nothing stores them shorter.
const fn bulk() -> [u8; 10 << 20] {
    let mut bytes = [0; 10 << 20];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0];
        at += 4096 / 64;
    }
    bytes
}

fn main() {
    println!("{}", BULK.len());
}
