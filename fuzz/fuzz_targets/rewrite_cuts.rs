#![no_main]

#[path = "../checks/rewrite_cuts.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::rewrite_cuts(data));
