//! Formatting changes nothing of what a text says.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| mtlc_fuzz::fmt(text));
