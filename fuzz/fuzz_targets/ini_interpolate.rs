#![no_main]

#[path = "../checks/ini_interpolate.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::ini_interpolate(data));
