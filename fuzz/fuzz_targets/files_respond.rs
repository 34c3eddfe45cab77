#![no_main]

#[path = "../checks/files_respond.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::files_respond(data));
