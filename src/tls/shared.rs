//! What the parts of one connection tell each other, beside the record layer that owns some of them.

use core::cell::Cell;

use super::cipher::expect;
#[cfg(feature = "tls-client-rsa")]
use super::proof::Proof;
use crate::Platform;
use crate::error::Fault;
use crate::platform::Countdown;

/// What the guard, the verifier and the stream tell each other about one connection.
pub(crate) struct Shared {
    /// What the current operation has left.
    pub(super) countdown: Cell<Countdown>,
    /// Certificate and CertificateVerify were checked, in this order.
    pub(super) authenticated: Cell<bool>,
    /// The handshake is over.
    pub(super) open: Cell<bool>,
    /// What has arrived is wanted, and nothing that would have to be waited for.
    pub(super) asking: Cell<bool>,
    /// What may come first in the next encrypted record: of [`expect`].
    pub(super) expected: Cell<u8>,
    /// The record that came last is as long as an alert.
    pub(super) short: Cell<bool>,
    /// Why the connection died. The first reason is kept.
    pub(super) fault: Cell<Option<Fault>>,
    /// What is to be sent in place of the record that comes next: see [`proof`](super::proof).
    #[cfg(feature = "tls-client-rsa")]
    pub(super) proof: Cell<Option<Proof>>,
    /// For [`Fault::TLS_RECORD`]: bytes the buffer has, and needs. Before that, what the receive
    /// record buffer has.
    pub(super) record: Cell<(u16, u16)>,
}

impl Shared {
    pub(super) const fn new() -> Self {
        Self {
            countdown: Cell::new(Countdown::OVER),
            authenticated: Cell::new(false),
            open: Cell::new(false),
            asking: Cell::new(false),
            expected: Cell::new(expect::EXTENSIONS),
            short: Cell::new(false),
            fault: Cell::new(None),
            #[cfg(feature = "tls-client-rsa")]
            proof: Cell::new(None),
            record: Cell::new((0, 0)),
        }
    }

    pub(super) fn reset(&self) {
        self.authenticated.set(false);
        self.open.set(false);
        self.expected.set(expect::EXTENSIONS);
        self.fault.set(None);
        #[cfg(feature = "tls-client-rsa")]
        self.proof.set(None);
    }

    /// One turn of a loop that computes.
    pub(super) fn pulse(&self, platform: &dyn Platform) -> Result<(), Fault> {
        let mut countdown = self.countdown.get();
        let result = countdown.pulse(platform);
        self.countdown.set(countdown);
        result
    }

    /// Remembers why, unless something was wrong before.
    pub(super) fn fail(&self, kind: Fault) {
        if self.fault.get().is_none() {
            self.fault.set(Some(kind));
        }
    }
}
