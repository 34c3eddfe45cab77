#![no_main]

#[path = "../checks/proxy_header_parse.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::proxy_header_parse(data));
