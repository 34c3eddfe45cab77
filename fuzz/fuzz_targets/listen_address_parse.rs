#![no_main]

#[path = "../checks/listen_address_parse.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::listen_address_parse(data));
