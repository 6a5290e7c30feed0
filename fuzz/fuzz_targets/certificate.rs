//! Certificates, keys and whole chains from any bytes: no panic, no hang.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| barepg::tls::fuzz(data));
