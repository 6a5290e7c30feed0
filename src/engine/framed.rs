//! Messages over a transport: `receive` and `send` are the only places that read and write.
//!
//! The receive buffer is `[pinned | free | window]`: what must stay for a while (a row
//! description, an error) sits at its start, unread bytes lie between `start` and `end` after it. A
//! message is first a header, then a body that is taken whole, in pieces, or skipped; the common
//! path takes both at once, where all of it lies in the window ([`Framed::try_take`]).

use core::cell::Cell;

use crate::error::{Buffer, Details, Fault};
use crate::platform::{Countdown, Platform, Pulse};
use crate::wire::Rules;

/// What went over the transport since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Stats {
    /// Bytes received.
    pub bytes_in: u32,
    /// Bytes sent.
    pub bytes_out: u32,
    /// Times the driver turned from sending to waiting for an answer.
    pub round_trips: u32,
    /// Most bytes of the receive buffer that were in use.
    pub rx_peak: u32,
    /// Most bytes of the send buffer that were in use; all of it when something larger than the
    /// buffer was sent.
    pub tx_peak: u32,
    /// Notifications that had no place to wait in: see
    /// [`Client::set_notification_queue`](crate::Client::set_notification_queue).
    pub notifications_lost: u32,
}

/// The low bits of a number of bytes: statistics wrap.
#[inline]
pub(super) const fn low(n: usize) -> u32 {
    let [a, b, c, d, ..] = n.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Where a piece of the receive buffer is: its first byte, and the one after its last.
pub(crate) type Span = (usize, usize);

// In this order: what is used everywhere is reached by the short instructions.
#[repr(C)]
pub(crate) struct Framed<'b> {
    /// Type of the current message; 0 when it was none of the verb's and was dealt with.
    pub(crate) tag: u8,
    /// Whether any byte left since `start`.
    pub(super) sent: bool,
    /// It was the send buffer that was too small last, and not the receive buffer.
    pub(super) lacks_tx: bool,
    /// It was received since the deadline started: from now on every attempt is a turn of a loop.
    pub(super) received: bool,
    pub(super) rx: &'b mut [u8],
    pub(super) tx: &'b mut [u8],
    /// First unread byte.
    pub(super) start: usize,
    /// After the last byte received.
    pub(super) end: usize,
    /// What was taken last.
    pub(super) taken: Span,
    /// Bytes of the current message's body that were not taken yet.
    pub(super) body: usize,
    /// Bytes at the start of `rx` that stay.
    pub(super) pinned: usize,
    /// Columns of the description that is pinned.
    pub(crate) columns: u16,
    /// Bytes of that description. It is followed by the hash of the statement it is kept for, if it
    /// is.
    pub(crate) described: u16,
    /// A row was found to be malformed when it was decoded.
    pub(crate) malformed: Cell<bool>,
    /// How values are written.
    pub(crate) rules: Rules,
    /// The list of types that the description was compared with last: its address, one more where the
    /// columns are not of those types, 0 where it was compared with nothing.
    pub(crate) compared: Cell<usize>,
    /// Bytes staged in `tx`.
    pub(super) staged: usize,
    pub(super) countdown: Countdown,
    platform: &'b dyn Platform,
    /// Bytes that would have been enough, where a buffer was too small last.
    pub(super) lacking: usize,
    /// What the record buffer of TLS has, and needs.
    #[cfg(feature = "tls")]
    pub(crate) record: (u16, u16),
    pub(crate) stats: Stats,
}

impl<'b> Framed<'b> {
    pub(crate) fn new(rx: &'b mut [u8], tx: &'b mut [u8], platform: &'b dyn Platform) -> Self {
        Self {
            tag: 0,
            sent: false,
            lacks_tx: false,
            received: false,
            rx,
            tx,
            taken: (0, 0),
            pinned: 0,
            columns: 0,
            described: 0,
            malformed: Cell::new(false),
            rules: Rules::NONE,
            compared: Cell::new(0),
            start: 0,
            end: 0,
            body: 0,
            staged: 0,
            countdown: Countdown::OVER,
            platform,
            lacking: 0,
            #[cfg(feature = "tls")]
            record: (0, 0),
            stats: Stats::default(),
        }
    }

    /// Forgets everything about the last link.
    pub(crate) fn reset(&mut self) {
        (self.pinned, self.start, self.end) = (0, 0, 0);
        (self.body, self.staged, self.sent) = (0, 0, false);
        self.rules.leave();
    }

    /// Starts an operation that must end within `timeout_ms`.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn start(&mut self, timeout_ms: u32) {
        self.limit(timeout_ms);
        self.sent = false;
        self.staged = 0;
    }

    /// As [`start`](Self::start), of an operation that computes, or waits elsewhere: its time
    /// counts from now on.
    pub(crate) fn start_now(&mut self, timeout_ms: u32) {
        self.start(timeout_ms);
        self.countdown = Countdown::start(self.platform, timeout_ms);
    }

    /// Starts the deadline anew: for a guard whose calls have one each. It runs from the first turn
    /// of waiting on; with TLS, whose records wait below this, from now on.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn limit(&mut self, timeout_ms: u32) {
        self.platform.idle();
        self.countdown = match cfg!(feature = "tls") {
            true => Countdown::start(self.platform, timeout_ms),
            false => Countdown::from_first_turn(timeout_ms),
        };
        self.received = false;
    }

    /// Leaves this time until the deadline, and returns what there was beyond it.
    pub(crate) fn hold_back(&mut self, left_ms: u32) -> u32 {
        self.countdown.hold_back(left_ms)
    }

    /// Adds time that was held back.
    pub(crate) fn give_back(&mut self, ms: u32) {
        self.countdown.give_back(ms);
    }

    /// Whether a byte left since `start`.
    pub(crate) const fn has_sent(&self) -> bool {
        self.sent
    }

    /// From here on it counts as if nothing was sent.
    pub(crate) const fn forget_sent(&mut self) {
        self.sent = false;
    }

    /// Where the receive buffer is: no two clients have the same.
    pub(crate) fn address(&self) -> usize {
        self.rx.as_ptr().addr()
    }

    /// What [`Fault::CAPACITY`] was about.
    pub(crate) fn capacity(&self) -> Details {
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (buffer, have) = match self.lacks_tx {
            true => (Buffer::Tx, self.tx.len()),
            false => (Buffer::Rx, self.rx.len()),
        };
        Details::capacity(buffer, size(have), size(self.lacking))
    }

    /// What [`Fault::TLS_RECORD`] was about.
    #[cfg(feature = "tls")]
    pub(crate) fn record_capacity(&self) -> Details {
        let (have, needed) = self.record;
        Details::capacity(Buffer::TlsRecord, have.into(), needed.into())
    }

    /// What the operation has left.
    pub(crate) const fn countdown(&self) -> Countdown {
        self.countdown
    }

    pub(crate) const fn platform(&self) -> &'b dyn Platform {
        self.platform
    }

    pub(crate) const fn sizes(&self) -> (usize, usize) {
        (self.rx.len(), self.tx.len())
    }

    /// One turn of a loop that waits for the peer.
    #[inline(never)]
    pub(crate) fn tick(&mut self) -> Result<(), Fault> {
        self.countdown.wait(self.platform)
    }

    /// The time that is left, counted down apart from this: for a loop that computes.
    pub(crate) const fn pulse(&self) -> Pulse<'b> {
        Pulse::new(self.platform, self.countdown)
    }
}
