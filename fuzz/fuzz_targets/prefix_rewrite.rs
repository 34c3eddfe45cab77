#![no_main]

#[path = "../checks/prefix_rewrite.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::prefix_rewrite(data));
