#![no_main]

#[path = "../checks/cgi_head_read.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::cgi_head_read(data));
