#![no_main]

#[path = "../checks/template_parse.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::template_parse(data));
