//! Parsing never fails, and speaks of places in the text.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| mtlc_fuzz::parse(text));
