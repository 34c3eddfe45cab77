#![no_main]

#[path = "../checks/deploy_resolve.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::deploy_resolve(data));
