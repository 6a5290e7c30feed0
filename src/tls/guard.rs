//! What stands between the record layer and the transport: it lets through only records that are
//! legal at this moment, and hides the transport's pauses inside a record.
//!
//! The record layer owns the guard, so what both sides must know is in [`Shared`].
//!
//! Legal from the server (RFC 8446 section 5): one plaintext record with exactly ServerHello, or
//! one plaintext alert instead of it; then encrypted records, among them at most one
//! ChangeCipherSpec until the handshake is over. Legal from this side: ClientHello, and then
//! nothing until the server has proved who it is.

use embedded_io::{ErrorKind as IoKind, ErrorType, Read, Write};

use super::cipher::expect;
use super::offer;
#[cfg(feature = "tls-client-rsa")]
use super::proof::{Proof, Sealed};
use super::shared::Shared;
use crate::Platform;
use crate::error::{Fault, ProtocolError, TlsError};
use crate::transport::{Io, Transport, is_pause};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Bytes of a record's header.
const HEADER: usize = 5;
/// Shortest encrypted record: content type and tag (RFC 8446 section 5.2).
const MIN_ENCRYPTED: u16 = 17;
/// Length of an encrypted alert without padding, which is how alerts are sent.
const ENCRYPTED_ALERT: u16 = 2 + MIN_ENCRYPTED;

/// Bytes of a plaintext record that are looked at: a ServerHello up to the server's point.
const HEAD: usize = 4 + 2 + 32 + SELECTED.len() + VERSION.len() + SHARE.len();
/// What a ServerHello has after its random: no session, the one suite, no compression, and the
/// length of the two extensions. The record layer takes any.
const SELECTED: [u8; 6] = [0, 0x13, 0x01, 0, 0, 6 + 8 + 65];
/// supported_versions, and key_share up to its point, in either order.
const VERSION: [u8; 6] = [0, 43, 0, 2, 3, 4];
const SHARE: [u8; 8] = [0, 51, 0, 4 + 65, 0, 0x17, 0, 65];
/// Bytes of the longest ClientHello's record: 190 and the server's name, which has up to 253.
const HELLO_MAX: usize = 512;
/// The random that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3). It asks for
/// another group than P-256, and there is none.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The transport as the record layer sees it.
pub(super) struct Guard<'s, T> {
    io: T,
    shared: &'s Shared,
    platform: &'s dyn Platform,
    /// Longest record body that the record buffer takes.
    capacity: u16,
    phase: Phase,
    /// The current record: bytes of its header, then bytes of its body still to come.
    header: [u8; HEADER],
    header_len: u8,
    body_left: u16,
    /// The first bytes of a plaintext body, which are looked at.
    head: [u8; HEAD],
    head_len: u8,
    /// A ClientHello was written and flushed.
    said_hello: bool,
    change_cipher_specs: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the server's first record.
    Hello,
    Encrypted,
}

/// An error of the guard; the reason is in [`Shared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuardError {
    /// Nothing yet, at a record's boundary: try again.
    Pause,
    /// The connection is dead.
    Dead,
    /// Nothing can be sent any more; what the peer sent before may still be read.
    Write(IoKind),
}

impl core::fmt::Display for GuardError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TLS transport")
    }
}

impl core::error::Error for GuardError {}

impl embedded_io::Error for GuardError {
    fn kind(&self) -> IoKind {
        match self {
            Self::Pause => IoKind::TimedOut,
            Self::Dead => IoKind::Other,
            Self::Write(kind) => *kind,
        }
    }
}

impl<'s, T> Guard<'s, T> {
    pub(super) fn new(
        io: T,
        shared: &'s Shared,
        platform: &'s dyn Platform,
        capacity: usize,
    ) -> Self {
        let capacity = u16::try_from(capacity).unwrap_or(u16::MAX);
        shared.record.set((capacity, 0));
        Self {
            io,
            shared,
            platform,
            capacity,
            phase: Phase::Hello,
            header: [0; HEADER],
            header_len: 0,
            body_left: 0,
            head: [0; HEAD],
            head_len: 0,
            said_hello: false,
            change_cipher_specs: 0,
        }
    }

    pub(super) fn into_inner(self) -> T {
        self.io
    }

    const fn at_boundary(&self) -> bool {
        self.header_len == 0 && self.body_left == 0
    }

    fn dead(&self, kind: Fault) -> GuardError {
        self.shared.fail(kind);
        GuardError::Dead
    }

    /// One turn of a wait in the middle of a record.
    fn wait(&self) -> Result<(), GuardError> {
        self.tick().map_err(|fault| self.dead(fault))
    }

    /// Watchdog and deadline.
    fn tick(&self) -> Result<(), Fault> {
        let mut countdown = self.shared.countdown.get();
        let result = countdown.wait(self.platform);
        self.shared.countdown.set(countdown);
        result
    }

    /// Follows the records in what was received.
    fn follow(&mut self, mut bytes: &mut [u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.body_left == 0 {
                let Some((first, rest)) = core::mem::take(&mut bytes).split_first_mut() else {
                    return Ok(());
                };
                let byte = *first;
                if let Some(slot) = self.header.get_mut(usize::from(self.header_len)) {
                    *slot = byte;
                    self.header_len = self.header_len.saturating_add(1);
                }
                // The third byte, the version's second, holds what the cipher must know.
                if let ([APPLICATION_DATA, ..], 3) = (self.header, self.header_len) {
                    *first = self.shared.expected.get();
                    self.shared.expected.set(match *first {
                        expect::PROTOCOL | expect::EXTENSIONS => expect::REQUEST,
                        expect::REQUEST => expect::CERTIFICATE,
                        other => other,
                    });
                }
                bytes = rest;
                if usize::from(self.header_len) == HEADER {
                    self.header_len = 0;
                    self.body_left = self.check_header()?;
                }
                continue;
            }
            let [kind, ..] = self.header;
            let length = bytes.len().min(usize::from(self.body_left));
            let Some((body, rest)) = core::mem::take(&mut bytes).split_at_mut_checked(length)
            else {
                return Ok(());
            };
            bytes = rest;
            self.body_left =
                self.body_left.saturating_sub(u16::try_from(length).unwrap_or(u16::MAX));
            if kind != APPLICATION_DATA {
                for &byte in &*body {
                    if let Some(slot) = self.head.get_mut(usize::from(self.head_len)) {
                        *slot = byte;
                        self.head_len = self.head_len.saturating_add(1);
                    }
                }
                if self.body_left == 0 {
                    self.check_plaintext(kind)?;
                }
            }
        }
        // A turn for each record, and for each part of one: a peer that has always a little more, or another,
        // has no more time than a silent one.
        if self.at_boundary() { Ok(()) } else { self.tick() }
    }

    /// Whether a record of this kind and length may come now. Returns its length.
    fn check_header(&mut self) -> Result<u16, Fault> {
        let [kind, major, minor, high, low] = self.header;
        let length = u16::from_be_bytes([high, low]);
        // Nothing of an earlier record is looked at: after ServerHello there is but one byte in the clear.
        self.head_len = 0;
        let illegal = Err(Fault::from(TlsError::Record));
        if major != 3 || minor > 4 {
            // Whoever answers is not speaking TLS. To who did not ask, a postmaster without a process to spare says so.
            let direct = self.shared.expected.get() == expect::PROTOCOL;
            return Err(match kind {
                b'E' if direct => Fault::from(ProtocolError::BadTlsAnswer),
                _ => Fault::from(TlsError::NotTls),
            });
        }
        match (kind, self.phase) {
            (HANDSHAKE, Phase::Hello) if length >= 4 => self.phase = Phase::Encrypted,
            (ALERT, Phase::Hello) if length == 2 => {}
            (CHANGE_CIPHER_SPEC, Phase::Encrypted)
                if length == 1 && !self.shared.open.get() && self.change_cipher_specs == 0 =>
            {
                self.change_cipher_specs = 1;
            }
            (APPLICATION_DATA, Phase::Encrypted) if length >= MIN_ENCRYPTED => {}
            _ => return illegal,
        }
        self.shared.short.set(length == ENCRYPTED_ALERT && self.shared.open.get());
        if length > self.capacity {
            self.shared.record.set((self.capacity, length));
            return Err(Fault::TLS_RECORD);
        }
        Ok(length)
    }

    /// Looks at a whole plaintext record.
    fn check_plaintext(&self, kind: u8) -> Result<(), Fault> {
        let [.., high, low] = self.header;
        let length = u32::from(u16::from_be_bytes([high, low]));
        // By reference: a copy would be in the stack of every query.
        match (kind, &self.head) {
            (HANDSHAKE, [2, _, _, _, _, _, rest @ ..]) if rest.starts_with(&RETRY) => {
                Err(Fault::from(TlsError::NoGroup))
            }
            // ServerHello fills its record: nothing unencrypted follows it.
            (HANDSHAKE, [2, a, b, c, _, _, rest @ ..])
                if u32::from_be_bytes([0, *a, *b, *c]).saturating_add(4) == length =>
            {
                let offered = selects_what_was_offered(rest);
                offered.then_some(()).ok_or(Fault::from(TlsError::Handshake))
            }
            (CHANGE_CIPHER_SPEC, [1, ..]) => Ok(()),
            (ALERT, [_, description, ..]) => Err(TlsError::from_alert(*description).into()),
            _ => Err(Fault::from(TlsError::Record)),
        }
    }
}

/// Whether a ServerHello, from its random on, is about what ClientHello had.
fn selects_what_was_offered(rest: &[u8]) -> bool {
    let selected = rest.get(RETRY.len()..).and_then(|rest| rest.strip_prefix(&SELECTED));
    let shares = selected.map(|list| list.strip_prefix(&VERSION).unwrap_or(list));
    shares.is_some_and(|shares| shares.starts_with(&SHARE))
}

impl<T> ErrorType for Guard<'_, T> {
    type Error = GuardError;
}

impl<T: Transport> Read for Guard<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, GuardError> {
        if self.shared.fault.get().is_some() {
            return Err(GuardError::Dead);
        }
        if self.shared.asking.get() && self.at_boundary() && !Io::read_ready(&mut self.io) {
            return Err(GuardError::Pause);
        }
        loop {
            let error = match Io::read(&mut self.io, buf) {
                Ok(0) if self.at_boundary() => return Ok(0),
                Ok(0) => return Err(self.dead(Fault::CLOSED)),
                Ok(n) => {
                    let Some(received) = buf.get_mut(..n) else {
                        return Err(self.dead(Fault::from(IoKind::Other)));
                    };
                    return match self.follow(received) {
                        Ok(()) => Ok(n),
                        Err(kind) => Err(self.dead(kind)),
                    };
                }
                Err(error) => error,
            };
            if !is_pause(error) {
                return Err(self.dead(Fault::from(error)));
            }
            // Once a record has begun, the record layer cannot take a pause; during the handshake
            // it never can.
            if self.at_boundary() && self.shared.open.get() {
                return Err(GuardError::Pause);
            }
            self.wait()?;
        }
    }
}

impl<T> Guard<'_, T> {
    /// Whether something may be sent now.
    fn may_write(&self) -> Result<(), GuardError> {
        if self.shared.fault.get().is_some() {
            return Err(GuardError::Dead);
        }
        if self.said_hello && !self.shared.authenticated.get() {
            return Err(self.dead(Fault::from(TlsError::Unauthenticated)));
        }
        Ok(())
    }
}

impl<T: Transport> Guard<'_, T> {
    fn send(&mut self, mut bytes: &[u8]) -> Result<(), GuardError> {
        while !bytes.is_empty() {
            let sent = match Io::write(&mut self.io, bytes) {
                Ok(0) => return Err(GuardError::Write(IoKind::WriteZero)),
                Ok(sent) => sent,
                Err(kind) if is_pause(kind) => 0,
                Err(kind) => return Err(GuardError::Write(kind)),
            };
            bytes = bytes.get(sent..).unwrap_or(&[]);
            // What left at once is no turn.
            if !bytes.is_empty() {
                self.wait()?;
            }
        }
        Ok(())
    }

    /// Sends ClientHello with what is [offered](offer), in one piece, as it comes from the record layer.
    #[inline(never)]
    fn send_hello(&mut self, record: &[u8]) -> Result<(), GuardError> {
        let mut copy = [0; HELLO_MAX];
        let Some(hello) = copy.get_mut(..record.len()) else {
            return Err(self.dead(Fault::from(TlsError::Handshake)));
        };
        hello.copy_from_slice(record);
        offer::replace(hello.get_mut(HEADER..).unwrap_or(&mut []));
        self.send(hello)
    }

    /// Sends the true record in place of the one that holds what it is to be encrypted with.
    #[cfg(feature = "tls-client-rsa")]
    #[inline(never)]
    fn send_proof(&mut self, proof: &Proof, written: &[u8]) -> Result<(), GuardError> {
        let mut sealed = Sealed::new();
        let record = proof
            .seal(written, &mut sealed)
            .ok_or_else(|| self.dead(Fault::from(TlsError::ClientKey)))?;
        self.send(record)
    }
}

impl<T: Transport> Write for Guard<'_, T> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, GuardError> {
        self.write_all(buf).map(|()| buf.len())
    }

    /// A record.
    fn write_all(&mut self, buf: &[u8]) -> Result<(), GuardError> {
        self.may_write()?;
        #[cfg(feature = "tls-client-rsa")]
        if let Some(proof) = self.shared.proof.take() {
            return self.send_proof(&proof, buf);
        }
        if self.said_hello { self.send(buf) } else { self.send_hello(buf) }
    }

    fn flush(&mut self) -> Result<(), GuardError> {
        self.may_write()?;
        loop {
            match Io::flush(&mut self.io) {
                Ok(()) => break,
                Err(kind) if is_pause(kind) => self.wait()?,
                Err(kind) => return Err(GuardError::Write(kind)),
            }
        }
        self.said_hello = true;
        Ok(())
    }
}
