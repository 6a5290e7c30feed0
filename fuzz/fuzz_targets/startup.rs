#![no_main]
//! Everything from the first message of the server on, under several policies.
//!
//! Input: flags, policy, what the server says. What the policy does not allow is never sent.

mod common;

use barepg::{AuthMethods, Dialect};
use common::peer::Step;
use common::{PASSWORD, config, play};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [flags, policy, stream @ ..] = data else { return };
    let mut config = config();
    let revealing = AuthMethods::PASSWORD.or(AuthMethods::MD5);
    let methods = match policy & 3 {
        0 => None,
        1 => Some(revealing.or(AuthMethods::SCRAM_SHA_256)),
        2 => Some(AuthMethods::SCRAM_SHA_256),
        _ => Some(AuthMethods::all_but(AuthMethods::NONE)),
    };
    if let Some(methods) = methods {
        config = config.require_auth(methods);
    }
    config = config.dialect(match policy >> 2 & 3 {
        0 | 1 => Dialect::Auto,
        2 => Dialect::PostgreSql,
        _ => Dialect::OpenGauss,
    });
    let steps = vec![Step::ExpectAny(true), Step::Send(stream.to_vec()), Step::Deaf];
    let (written, logged_in) = play(steps, *flags, config, |conn| conn.ping());
    let has = |what: &[u8]| written.windows(what.len()).any(|window| window == what);
    if policy & 3 != 1 {
        // The whole head of the answer: three letters alone occur in a proof's Base64 by chance.
        assert!(!has(PASSWORD.as_bytes()) && !has(b"p\0\0\0\x28md5"));
    }
    if policy & 3 == 2 && logged_in {
        assert!(has(b",p="), "in without a proof");
        assert!(stream.windows(2).any(|window| window == b"v="), "the server proved nothing");
    }
});
