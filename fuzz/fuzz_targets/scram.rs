#![no_main]
//! SCRAM's messages: server-first, a byte 255, server-final. No peer gets in but with the
//! signature that belongs to the one exchange known.

mod common;

use common::peer::Step;
use common::{LOGIN, config, message, play};
use libfuzzer_sys::fuzz_target;

const RIGHT: &[u8] = include_bytes!("../seeds/scram/right");

fuzz_target!(|data: &[u8]| {
    let [flags, texts @ ..] = data else { return };
    let mut parts = texts.splitn(2, |byte| *byte == 255);
    let (first, last) = (parts.next().unwrap_or(&[]), parts.next().unwrap_or(&[]));
    let request =
        |code: u32, text: &[u8]| Step::Send(message(b'R', &[&code.to_be_bytes(), text].concat()));
    let steps = vec![
        Step::ExpectAny(true),
        request(10, b"SCRAM-SHA-256\0\0"),
        Step::ExpectAny(false),
        request(11, first),
        Step::ExpectAny(false),
        request(12, last),
        Step::Send(LOGIN.to_vec()),
        Step::Deaf,
    ];
    let (_, logged_in) = play(steps, *flags, config(), |_| Ok(()));
    assert_eq!(logged_in, texts == &RIGHT[1..], "{first:?} {last:?}");
});
