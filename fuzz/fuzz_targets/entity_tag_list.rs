#![no_main]

#[path = "../checks/entity_tag_list.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::entity_tag_list(data));
