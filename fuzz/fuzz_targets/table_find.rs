#![no_main]

#[path = "../checks/table_find.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::table_find(data));
