#![no_main]

#[path = "../checks/ini_parse.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::ini_parse(data));
