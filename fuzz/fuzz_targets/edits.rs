//! A program being typed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mtlc_fuzz::edits(bytes));
