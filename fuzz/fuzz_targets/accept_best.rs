#![no_main]

#[path = "../checks/accept_best.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::accept_best(data));
