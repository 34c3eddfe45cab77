#![no_main]

#[path = "../checks/fastcgi_read.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::fastcgi_read(data));
