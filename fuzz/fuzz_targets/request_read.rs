#![no_main]

#[path = "../checks/request_read.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::request_read(data));
