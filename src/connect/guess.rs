//! The protocol version that is asked for with `dialect=auto`.
//!
//! Only openGauss's 3.51 finds out with one login which of the two families answers: a PostgreSQL
//! negotiates it down. Poolers and others that speak PostgreSQL's protocol may know nothing of it: some
//! refuse, with any SQLSTATE, some close or reset the link, some say nothing at all. So offering it is a
//! guess, which is taken back on every failure before the first authentication request: the next attempt
//! asks for 3.0, and so do those after it, for who fails then fails for another reason: a pooler that is full
//! has no links to spare for questions. An openGauss answers 3.0 in a layout that gives it away. With a dialler the next
//! attempt follows in the same call, else it is the next call. What was found out stays known to the client.

use crate::config::{Config, SslMode};
use crate::engine::{Fact, Session};
use crate::error::{AuthError, Fault};
use crate::limits;

impl Session<'_> {
    /// The start-up packet was sent: whoever is asked by guess has less time for a first answer,
    /// where another attempt can follow in the same call. Returns the time kept for that.
    pub(super) fn limit_guess(&mut self, config: &Config<'_>) -> u32 {
        let server = &self.server;
        let guessing = config.is_guessing(server.is(Fact::MinorRefused))
            && server.is(Fact::Redials)
            && !server.is(Fact::Settled)
            && !server.is(Fact::WasGauss);
        if !guessing {
            return 0;
        }
        let half = config.connect_timeout_ms.wrapping_shr(1);
        self.link.hold_back(half.min(limits::GUESS_MS))
    }

    /// An authentication request came: the version is one that the server takes.
    pub(super) fn settle_guess(&mut self, kept_ms: u32) {
        if cfg!(not(feature = "opengauss")) {
            return;
        }
        self.link.give_back(kept_ms);
        self.server.set(Fact::Asked, true);
        self.server.set(Fact::Settled, true);
    }

    /// After a failure of a login: what to ask for the next time.
    pub(super) fn reconsider(&mut self, config: &Config<'_>, fault: Fault) -> Fault {
        if !config.may_guess() {
            return fault;
        }
        if self.server.is(Fact::MinorRefused) && fault == AuthError::Dialect.into() {
            // 3.0 was the wrong guess: an openGauss answers, in the layout of that version.
            self.server.set(Fact::MinorRefused, false);
            self.server.set(Fact::WasGauss, true);
            return Fault::HUNG_UP;
        }
        if self.server.is(Fact::Asked) || self.server.is(Fact::MinorRefused) {
            return fault;
        }
        let state = self.sqlstate();
        let refused = fault == Fault::SERVER;
        let by_name = refused && (state.is(b"08P01") || state.is(b"0A000"));
        let for_tls = refused
            && config.sslmode == SslMode::Allow
            && !self.server.is(Fact::Encrypted)
            && self.server.plaintext_refused;
        match self.server.is(Fact::Settled) {
            // An openGauss stays one, and sslmode=allow tries TLS first.
            _ if for_tls || self.server.is(Fact::WasGauss) && !by_name => {}
            // One failure of a server that took the version before says nothing of it.
            true if !by_name => self.server.set(Fact::Settled, false),
            _ => {
                self.server.set(Fact::MinorRefused, true);
                self.server.set(Fact::Settled, false);
            }
        }
        fault
    }
}
