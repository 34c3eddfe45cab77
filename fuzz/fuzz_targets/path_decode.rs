#![no_main]

#[path = "../checks/path_decode.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::path_decode(data));
