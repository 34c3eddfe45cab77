#![no_main]

#[path = "../checks/mount_nest.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::mount_nest(data));
