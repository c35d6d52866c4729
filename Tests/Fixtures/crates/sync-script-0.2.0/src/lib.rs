include!(concat!(env!("OUT_DIR"), "/table.rs"));

#[no_mangle]
pub extern "C" fn sync_script_lookup(index: u8) -> u8 {
    TABLE[index as usize]
}
