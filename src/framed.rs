//! Messages over a transport: the only place that reads and writes.
//!
//! The receive buffer is `[pinned | free | window]`: what must stay for a while (a row
//! description, an error) sits at its start, unread bytes lie between `start` and `end` behind
//! it. A message is first a header, then a body that is taken whole, in pieces, or skipped.

use crate::error::{Buffer, ErrorKind, ProtocolError};
use crate::platform::Platform;
use crate::transport::{Io, is_pause};
use crate::wire::{Part, Reader, WireError, Writer};

/// What went over the transport since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Reads that brought bytes.
    pub reads: u32,
    /// Writes that took bytes.
    pub writes: u32,
    /// Flushes.
    pub flushes: u32,
    /// Bytes received.
    pub bytes_in: u32,
    /// Bytes sent.
    pub bytes_out: u32,
    /// Times the driver turned from sending to waiting for an answer.
    pub round_trips: u32,
}

/// Where a piece of the receive buffer is.
pub(crate) type Span = (usize, usize);

/// An encoder of a message made of received bytes.
pub(crate) type PartFrom<'p> = &'p dyn Fn(&mut Writer<'_>, &[u8]) -> Result<(), WireError>;

pub(crate) struct Framed<'b> {
    rx: &'b mut [u8],
    tx: &'b mut [u8],
    clock: Clock<'b>,
    /// Bytes at the start of `rx` that stay.
    pinned: usize,
    /// First unread byte.
    start: usize,
    /// Behind the last byte read.
    end: usize,
    /// Bytes of the current message's body that were not taken yet.
    body: usize,
    /// Bytes staged in `tx`.
    staged: usize,
    /// Whether any byte left since `begin`.
    sent: bool,
    pub(crate) stats: Stats,
}

#[derive(Clone, Copy)]
struct Clock<'b> {
    platform: &'b dyn Platform,
    deadline: u64,
}

impl Clock<'_> {
    /// One turn of a wait loop.
    fn tick(&self) -> Result<(), ErrorKind> {
        self.platform.idle();
        if self.platform.now_ms() >= self.deadline { Err(ErrorKind::TimedOut) } else { Ok(()) }
    }
}

impl<'b> Framed<'b> {
    pub(crate) fn new(rx: &'b mut [u8], tx: &'b mut [u8], platform: &'b dyn Platform) -> Self {
        Self {
            rx,
            tx,
            clock: Clock { platform, deadline: 0 },
            pinned: 0,
            start: 0,
            end: 0,
            body: 0,
            staged: 0,
            sent: false,
            stats: Stats::default(),
        }
    }

    /// Forgets everything about the last link.
    pub(crate) fn reset(&mut self) {
        (self.pinned, self.start, self.end) = (0, 0, 0);
        (self.body, self.staged, self.sent) = (0, 0, false);
    }

    /// Starts an operation that must end within `timeout_ms`.
    pub(crate) fn begin(&mut self, timeout_ms: u32) {
        self.clock.deadline = self.clock.platform.now_ms().saturating_add(u64::from(timeout_ms));
        self.sent = false;
        self.staged = 0;
    }

    /// Whether a byte left since `begin`.
    pub(crate) const fn has_sent(&self) -> bool {
        self.sent
    }

    pub(crate) const fn platform(&self) -> &'b dyn Platform {
        self.clock.platform
    }

    pub(crate) const fn sizes(&self) -> (usize, usize) {
        (self.rx.len(), self.tx.len())
    }

    /// One turn of a loop that computes instead of waiting.
    pub(crate) fn tick(&self) -> Result<(), ErrorKind> {
        self.clock.tick()
    }

    // Receiving ---------------------------------------------------------------------------

    /// Whether bytes were received that nobody has taken.
    pub(crate) const fn has_unread(&self) -> bool {
        self.end > self.start
    }

    /// The type of the next unread message, and whether all of it lies in the buffer.
    pub(crate) fn peek(&self) -> (u8, bool) {
        let mut reader = Reader::new(self.rx.get(self.start..self.end).unwrap_or(&[]));
        let tag = reader.u8().unwrap_or(0);
        let length = reader.u32().ok().and_then(|length| usize::try_from(length).ok());
        (tag, length.is_some_and(|n| reader.rest().len() >= n.saturating_sub(4)))
    }

    /// Takes the next message's header, skipping what is left of the last body.
    pub(crate) fn header(&mut self, io: &mut dyn Io) -> Result<(u8, u32), ErrorKind> {
        self.skip(io)?;
        self.need(io, 5)?;
        let mut reader = Reader::new(self.get((self.start, 5)));
        let (tag, length) = (reader.u8()?, reader.u32()?);
        let body = length.checked_sub(4).ok_or(ErrorKind::Protocol(ProtocolError::BadLength))?;
        self.body = usize::try_from(body).map_err(|_| WireError::TooLong)?;
        self.start = self.start.saturating_add(5);
        Ok((tag, body))
    }

    /// Takes what is left of the body as one piece. It stays readable until the next call that
    /// receives.
    pub(crate) fn body(&mut self, io: &mut dyn Io) -> Result<Span, ErrorKind> {
        self.take(io, self.body)
    }

    /// Takes the next `n` bytes of the body.
    pub(crate) fn take(&mut self, io: &mut dyn Io, n: usize) -> Result<Span, ErrorKind> {
        let left = self.body.checked_sub(n).ok_or(WireError::Malformed)?;
        self.need(io, n)?;
        let span = (self.start, n);
        self.start = self.start.saturating_add(n);
        self.body = left;
        Ok(span)
    }

    /// Bytes of the body not taken yet.
    pub(crate) const fn left(&self) -> usize {
        self.body
    }

    /// Length of the string at the head of the body, without its NUL, receiving until it is all
    /// there. The string is not taken.
    pub(crate) fn cstr_len(&mut self, io: &mut dyn Io) -> Result<usize, ErrorKind> {
        let mut seen = 0_usize;
        loop {
            let have = self.end.saturating_sub(self.start).min(self.body);
            let window = self.get((self.start, have));
            if let Some(at) = window.get(seen..).and_then(|w| w.iter().position(|&b| b == 0)) {
                return Ok(seen.saturating_add(at));
            }
            if have == self.body {
                return Err(WireError::Malformed.into());
            }
            seen = have;
            self.need(io, have.saturating_add(1))?;
        }
    }

    /// Drops what is left of the body.
    pub(crate) fn skip(&mut self, io: &mut dyn Io) -> Result<(), ErrorKind> {
        loop {
            let n = self.end.saturating_sub(self.start).min(self.body);
            self.start = self.start.saturating_add(n);
            self.body = self.body.saturating_sub(n);
            if self.body == 0 {
                return Ok(());
            }
            self.read_more(io)?;
        }
    }

    /// Exactly one byte outside of any message (the answer to SSLRequest). Nothing may follow.
    pub(crate) fn lone_byte(&mut self, io: &mut dyn Io) -> Result<u8, ErrorKind> {
        let mut byte = [0];
        loop {
            self.clock.tick()?;
            match io.read(&mut byte) {
                Ok(0) => return Err(ErrorKind::Closed),
                Ok(_) => break,
                Err(kind) if is_pause(kind) => {}
                Err(kind) => return Err(ErrorKind::Transport(kind)),
            }
        }
        self.count_read(1);
        Ok(byte[0])
    }

    /// The bytes of a span.
    pub(crate) fn get(&self, (start, length): Span) -> &[u8] {
        self.rx.get(start..start.saturating_add(length)).unwrap_or(&[])
    }

    /// Makes sure that `n` unread bytes lie in the buffer in one piece.
    fn need(&mut self, io: &mut dyn Io, n: usize) -> Result<(), ErrorKind> {
        if self.end.saturating_sub(self.start) >= n {
            return Ok(());
        }
        if n > self.room() {
            return Err(self.too_small(n));
        }
        if self.start.saturating_add(n) > self.rx.len() {
            self.compact();
        }
        while self.end.saturating_sub(self.start) < n {
            self.read_more(io)?;
        }
        Ok(())
    }

    /// Bytes that a message can use.
    pub(crate) fn room(&self) -> usize {
        self.rx.len().saturating_sub(self.pinned)
    }

    /// The receive buffer lacks room for `n` bytes behind what is pinned.
    pub(crate) fn too_small(&self, n: usize) -> ErrorKind {
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        ErrorKind::Capacity {
            buffer: Buffer::Rx,
            have: size(self.rx.len()),
            needed: size(n.saturating_add(self.pinned)),
        }
    }

    /// Moves the unread bytes to the start of the window.
    fn compact(&mut self) {
        let (start, end) = (self.start.min(self.end), self.end.min(self.rx.len()));
        if self.pinned <= start && start <= end {
            self.rx.copy_within(start..end, self.pinned);
        }
        self.end = self.pinned.saturating_add(end.saturating_sub(start));
        self.start = self.pinned;
    }

    /// Receives at least one byte.
    fn read_more(&mut self, io: &mut dyn Io) -> Result<(), ErrorKind> {
        if self.start == self.end {
            (self.start, self.end) = (self.pinned, self.pinned);
        } else if self.end >= self.rx.len() {
            self.compact();
        }
        loop {
            self.clock.tick()?;
            let free = self.rx.get_mut(self.end..).unwrap_or(&mut []);
            let size = free.len();
            if size == 0 {
                return Err(self.too_small(self.rx.len().saturating_add(1)));
            }
            match io.read(free) {
                Ok(0) => return Err(ErrorKind::Closed),
                Ok(n) if n <= size => {
                    self.end = self.end.saturating_add(n);
                    self.count_read(n);
                    return Ok(());
                }
                Ok(_) => return Err(ErrorKind::Transport(embedded_io::ErrorKind::Other)),
                Err(kind) if is_pause(kind) => {}
                Err(kind) => return Err(ErrorKind::Transport(kind)),
            }
        }
    }

    fn count_read(&mut self, n: usize) {
        self.stats.reads = self.stats.reads.wrapping_add(1);
        self.stats.bytes_in = self.stats.bytes_in.wrapping_add(u32::try_from(n).unwrap_or(0));
    }

    // Pinning -----------------------------------------------------------------------------

    /// Bytes pinned at the start of the receive buffer.
    pub(crate) const fn pinned(&self) -> usize {
        self.pinned
    }

    /// Lets go of what is pinned behind the first `keep` bytes.
    pub(crate) fn unpin(&mut self, keep: usize) {
        self.pinned = self.pinned.min(keep);
    }

    /// Pins a span that was just taken, behind what is pinned already.
    pub(crate) fn pin(&mut self, (start, length): Span) -> Span {
        let end = start.saturating_add(length).min(self.start);
        let at = self.pinned;
        if at <= start && start <= end {
            self.rx.copy_within(start..end, at);
            self.pinned = at.saturating_add(end.saturating_sub(start));
        }
        (at, self.pinned.saturating_sub(at))
    }

    /// Pins `head` and then the bytes of a span that was just taken. The span must be long
    /// enough that both end before the first unread byte.
    pub(crate) fn pin_entry(
        &mut self,
        head: &[u8],
        (start, length): Span,
    ) -> Result<(), ErrorKind> {
        let text_at = self.pinned.saturating_add(head.len());
        let end = text_at.saturating_add(length);
        if end > self.start {
            return Err(self.too_small(head.len().saturating_add(length)));
        }
        let source = start..start.saturating_add(length);
        if source.end > self.rx.len() {
            return Err(WireError::Malformed.into());
        }
        // The text first: it may lie where the head goes.
        self.rx.copy_within(source, text_at);
        if let Some(room) = self.rx.get_mut(self.pinned..text_at) {
            room.copy_from_slice(head);
        }
        self.pinned = end;
        Ok(())
    }

    /// The pinned bytes, to be rewritten shorter; the closure returns the new length.
    pub(crate) fn repin(&mut self, f: impl FnOnce(&mut [u8]) -> usize) {
        let pinned = self.rx.get_mut(..self.pinned).unwrap_or(&mut []);
        self.pinned = f(pinned).min(self.pinned);
    }

    // Sending -----------------------------------------------------------------------------

    /// Stages messages behind those staged already. What does not fit the send buffer is checked
    /// whole first and then sent in pieces.
    pub(crate) fn write(&mut self, io: &mut dyn Io, part: Part<'_>) -> Result<(), ErrorKind> {
        let mut writer = Writer::append(self.tx, self.staged);
        match part(&mut writer) {
            Ok(()) => {
                self.staged = writer.len();
                Ok(())
            }
            Err(WireError::Full) => self.write_in_pieces(io, part),
            Err(error) => Err(ErrorKind::Encode(error)),
        }
    }

    /// As [`write`](Self::write) for a message made of received bytes: the closure gets the span.
    pub(crate) fn write_from(&mut self, span: Span, part: PartFrom<'_>) -> Result<(), ErrorKind> {
        let (start, length) = span;
        let source = self.rx.get(start..start.saturating_add(length)).unwrap_or(&[]);
        let mut writer = Writer::append(self.tx, self.staged);
        match part(&mut writer, source) {
            Ok(()) => {
                self.staged = writer.len();
                Ok(())
            }
            Err(WireError::Full) => {
                let mut counter = Writer::counter();
                part(&mut counter, source)?;
                let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                Err(ErrorKind::Capacity {
                    buffer: Buffer::Tx,
                    have: size(self.tx.len()),
                    needed: size(counter.len().saturating_add(self.staged)),
                })
            }
            Err(error) => Err(ErrorKind::Encode(error)),
        }
    }

    #[inline(never)]
    fn write_in_pieces(&mut self, io: &mut dyn Io, part: Part<'_>) -> Result<(), ErrorKind> {
        part(&mut Writer::counter()).map_err(ErrorKind::Encode)?;
        self.send_staged(io)?;
        let Self { tx, clock, stats, sent, .. } = self;
        let mut failure = None;
        let mut drain = |bytes: &[u8]| {
            write_all(io, clock, stats, sent, bytes).map_err(|kind| {
                failure = Some(kind);
                WireError::Drain
            })
        };
        let mut writer = Writer::draining(tx, &mut drain);
        let result = part(&mut writer);
        self.staged = writer.len();
        result.map_err(|error| failure.unwrap_or(ErrorKind::Encode(error)))
    }

    /// Sends what is staged, without flushing.
    pub(crate) fn send_staged(&mut self, io: &mut dyn Io) -> Result<(), ErrorKind> {
        let bytes = self.tx.get(..self.staged).unwrap_or(&[]);
        self.staged = 0;
        write_all(io, &self.clock, &mut self.stats, &mut self.sent, bytes)
    }

    /// Sends what is staged and flushes: from here on the answer is awaited.
    pub(crate) fn flush(&mut self, io: &mut dyn Io) -> Result<(), ErrorKind> {
        self.send_staged(io)?;
        self.stats.flushes = self.stats.flushes.wrapping_add(1);
        self.stats.round_trips = self.stats.round_trips.wrapping_add(1);
        loop {
            match io.flush() {
                Ok(()) => return Ok(()),
                Err(kind) if is_pause(kind) => self.clock.tick()?,
                Err(kind) => return Err(ErrorKind::Transport(kind)),
            }
        }
    }

    /// Forgets what is staged and was not sent.
    pub(crate) fn discard_staged(&mut self) {
        self.staged = 0;
    }

    /// Overwrites the send buffer, which may hold what a password was sent in.
    pub(crate) fn wipe_tx(&mut self) {
        zeroize::Zeroize::zeroize(&mut *self.tx);
    }
}

fn write_all(
    io: &mut dyn Io,
    clock: &Clock<'_>,
    stats: &mut Stats,
    sent: &mut bool,
    mut bytes: &[u8],
) -> Result<(), ErrorKind> {
    while !bytes.is_empty() {
        clock.tick()?;
        match io.write(bytes) {
            Ok(0) => return Err(ErrorKind::Transport(embedded_io::ErrorKind::WriteZero)),
            Ok(n) => {
                bytes =
                    bytes.get(n..).ok_or(ErrorKind::Transport(embedded_io::ErrorKind::Other))?;
                *sent = true;
                stats.writes = stats.writes.wrapping_add(1);
                stats.bytes_out = stats.bytes_out.wrapping_add(u32::try_from(n).unwrap_or(0));
            }
            Err(kind) if is_pause(kind) => {}
            Err(kind) => return Err(ErrorKind::Transport(kind)),
        }
    }
    Ok(())
}
