#![no_main]

#[path = "../checks/replace_rewrite.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::replace_rewrite(data));
