//! A serial line as barepg's transport. It names no chip: `Wire` is what a UART must do.

use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use barepg::{Dial, DialError, Platform, Target};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// Longest wait of one `read` or `write`, in milliseconds, before it says "nothing yet".
const SLICE_MS: u64 = 20;

/// How long the line is down between two sessions, in milliseconds: the other end must see it, and end its
/// side of the last one.
const HANG_UP_MS: u64 = 500;

/// What has arrived, from the interrupt that takes it to the driver that reads it. A UART holds few bytes by
/// itself, and while the driver computes a login's hashes for a second it reads none.
///
/// `N` bytes: what arrives while it is not read. The driver asks for one answer at a time; those and what a server
/// sends unsolicited must fit, or the session ends with an error.
pub struct Received<const N: usize> {
    ring: [AtomicU8; N],
    put: AtomicUsize,
    taken: AtomicUsize,
    lost: AtomicBool,
}

impl<const N: usize> Received<N> {
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self {
            ring: [const { AtomicU8::new(0) }; N],
            put: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
        }
    }

    /// A byte has arrived: for the one interrupt.
    pub fn put(&self, byte: u8) {
        let put = self.put.load(Ordering::Relaxed);
        if put.wrapping_sub(self.taken.load(Ordering::Acquire)) >= N {
            return self.lose();
        }
        self.ring[put % N].store(byte, Ordering::Relaxed);
        self.put.store(put.wrapping_add(1), Ordering::Release);
    }

    /// A byte has been lost: overrun, framing, parity.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// The next byte.
    pub fn take(&self) -> Option<u8> {
        let taken = self.taken.load(Ordering::Relaxed);
        if taken == self.put.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.ring[taken % N].load(Ordering::Relaxed);
        self.taken.store(taken.wrapping_add(1), Ordering::Release);
        Some(byte)
    }

    fn is_empty(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == self.put.load(Ordering::Acquire)
    }

    fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    fn clear(&self) {
        while self.take().is_some() {}
        self.lost.store(false, Ordering::Release);
    }
}

/// The UART and its lines.
pub trait Wire {
    /// Hands a byte to the transmitter; false while it has no room.
    fn send(&mut self, byte: u8) -> bool;

    /// Data terminal ready: while it is off, the other end has no session.
    fn set_ready(&mut self, on: bool);

    /// Carrier: the other end has a connection to the server. Where there is no such line, true; then only
    /// deadlines notice that the other end has closed.
    fn has_carrier(&mut self) -> bool;

    /// Sleeps until something has arrived, or some milliseconds have passed.
    fn rest(&mut self) {}
}

/// One session's line.
pub struct Line<'l, W, const N: usize> {
    received: &'l Received<N>,
    wire: &'l RefCell<W>,
    board: &'l dyn Platform,
}

impl<W: Wire, const N: usize> Line<'_, W, N> {
    /// Why nothing more can be read. What arrived before the carrier was lost is read first.
    fn ended(&mut self) -> Result<(), ErrorKind> {
        match self.lost() {
            Err(ErrorKind::ConnectionReset) if !self.received.is_empty() => Ok(()),
            other => other,
        }
    }

    /// Why nothing more can be sent: without a carrier a modem would take it for commands. A byte that is missing
    /// makes all that follow it worthless, so a loss ends the session, whatever has arrived since.
    fn lost(&mut self) -> Result<(), ErrorKind> {
        // Before the queue is looked at: what arrived with the last of the carrier is in it.
        let carrier = self.wire.borrow_mut().has_carrier();
        if self.received.has_lost() {
            Err(ErrorKind::InvalidData)
        } else if carrier {
            Ok(())
        } else {
            Err(ErrorKind::ConnectionReset)
        }
    }
}

impl<W: Wire, const N: usize> ErrorType for Line<'_, W, N> {
    type Error = ErrorKind;
}

impl<W: Wire, const N: usize> Read for Line<'_, W, N> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        if buf.is_empty() {
            return Ok(0);
        }
        let deadline = self.board.now_ms() + SLICE_MS;
        loop {
            self.ended()?;
            let bytes = core::iter::from_fn(|| self.received.take());
            let n = buf.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count();
            if n > 0 {
                return Ok(n);
            }
            if self.board.now_ms() >= deadline {
                return Err(ErrorKind::TimedOut);
            }
            self.wire.borrow_mut().rest();
        }
    }
}

impl<W: Wire, const N: usize> ReadReady for Line<'_, W, N> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.ended().map(|()| !self.received.is_empty())
    }
}

impl<W: Wire, const N: usize> Write for Line<'_, W, N> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        let deadline = self.board.now_ms() + SLICE_MS;
        let mut sent = 0;
        while let Some(&byte) = buf.get(sent) {
            let why = match self.lost() {
                Ok(()) if self.wire.borrow_mut().send(byte) => {
                    sent += 1;
                    continue;
                }
                Ok(()) if self.board.now_ms() < deadline => continue,
                Ok(()) => ErrorKind::TimedOut,
                Err(why) => why,
            };
            return if sent > 0 { Ok(sent) } else { Err(why) };
        }
        Ok(sent)
    }

    /// What the transmitter has taken leaves by itself.
    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// The line as a dialler: hangs up, so that the last session is over at both ends, and calls again. Host and
/// port are the other end's business: a terminal server, or a modem's stored profile.
pub struct Dialler<'l, W, const N: usize> {
    pub received: &'l Received<N>,
    pub wire: &'l RefCell<W>,
    pub board: &'l dyn Platform,
}

impl<'l, W: Wire, const N: usize> Dialler<'l, W, N> {
    /// Ends the last session at both ends, begun at that time, and discards what is left of it.
    pub fn hang_up(&self, begun: u64) {
        self.wire.borrow_mut().set_ready(false);
        self.wait_until(begun.saturating_add(HANG_UP_MS), |_| false);
        self.received.clear();
        self.wire.borrow_mut().set_ready(true);
    }

    /// The line, once the other end has a connection.
    pub fn connected(&self, end: u64) -> Result<Line<'l, W, N>, DialError> {
        if !self.wait_until(end, Wire::has_carrier) {
            return Err(DialError::TimedOut);
        }
        Ok(Line { received: self.received, wire: self.wire, board: self.board })
    }

    /// Until it is done or that time has come.
    pub fn wait_until(&self, end: u64, mut done: impl FnMut(&mut W) -> bool) -> bool {
        loop {
            if done(&mut self.wire.borrow_mut()) {
                return true;
            }
            if self.board.now_ms() >= end {
                return false;
            }
            self.board.idle();
        }
    }
}

impl<'l, W: Wire, const N: usize> Dial for Dialler<'l, W, N> {
    type Transport = Line<'l, W, N>;

    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        if target.address > 0 {
            return Err(DialError::NoMoreAddresses);
        }
        let begun = self.board.now_ms();
        self.hang_up(begun);
        // The time of hanging up is a part of it.
        let timeout_ms = u64::from(target.timeout_ms).max(HANG_UP_MS);
        self.connected(begun.saturating_add(timeout_ms))
    }
}
