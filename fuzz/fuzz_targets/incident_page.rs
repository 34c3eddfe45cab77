#![no_main]

#[path = "../checks/incident_page.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::incident_page(data));
