#![no_main]

#[path = "../checks/origin_resolve.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::origin_resolve(data));
