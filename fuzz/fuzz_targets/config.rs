#![no_main]
//! Connection strings: any text is a configuration or an error, and never a panic. What is
//! accepted gives the same configuration again in a larger scratch buffer.

use barepg::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut small = [0; 64];
    let small = Config::parse(text, &mut small).ok().map(|config| {
        if let Ok(hosts) = config.hosts() {
            assert!(hosts.count() <= text.len() + 1);
        }
        format!("{config:?}")
    });
    let mut large = vec![0; text.len() + 64];
    let large = Config::parse(text, &mut large).ok().map(|config| format!("{config:?}"));
    if small.is_some() {
        assert_eq!(small, large);
    }
});
