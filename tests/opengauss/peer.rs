//! A server made of bytes: what it sends is fixed, what the client sent is kept.

use barepg::{Client, Config, Connection, Error, Storage};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

use crate::common::Host;

/// A transport to a server that sends its next piece whenever the client has flushed, and closes
/// the link when it has none left.
pub struct Peer {
    pieces: std::vec::IntoIter<Vec<u8>>,
    now: Vec<u8>,
    /// Bytes that one read brings at most.
    pub slice: usize,
    /// All that the client wrote, by flush.
    pub heard: Vec<Vec<u8>>,
    writing: Vec<u8>,
}

impl Peer {
    pub fn new(pieces: Vec<Vec<u8>>) -> Peer {
        Peer {
            pieces: pieces.into_iter(),
            now: Vec::new(),
            slice: usize::MAX,
            heard: Vec::new(),
            writing: Vec::new(),
        }
    }

    /// What the client sent after its StartupMessage.
    pub fn answers(&self) -> Vec<u8> {
        let rest = self.heard.iter().skip(1).flatten().chain(&self.writing);
        rest.copied().collect()
    }
}

impl ErrorType for Peer {
    type Error = ErrorKind;
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let n = buf.len().min(self.now.len()).min(self.slice);
        buf[..n].copy_from_slice(&self.now[..n]);
        self.now.drain(..n);
        Ok(n)
    }
}

impl ReadReady for Peer {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        // The link is closed after the last piece.
        Ok(!self.now.is_empty() || self.pieces.len() == 0)
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.writing.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.heard.push(std::mem::take(&mut self.writing));
        self.now.extend(self.pieces.next().unwrap_or_default());
        Ok(())
    }
}

/// A backend message.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// An authentication request.
pub fn request(code: u32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), body].concat())
}

/// Body of SHA256 or SM3 in the layout of protocol 3.51.
pub fn challenge(method: u32, iterations: u32) -> Vec<u8> {
    let hex = "0123456789abcdef".repeat(4) + "a1b2c3d4";
    [&method.to_be_bytes()[..], hex.as_bytes(), &iterations.to_be_bytes()].concat()
}

/// AuthenticationOk and what follows it in the shortest login of an openGauss.
pub fn welcome() -> Vec<u8> {
    [
        request(0, b""),
        message(b'S', b"server_version\09.2.4\0"),
        message(b'S', b"is_sysadmin\0off\0"),
        message(b'K', b"\0\0\0\x01\0\0\0\x03"),
        message(b'Z', b"I"),
    ]
    .concat()
}

/// Logs in at `peer` with the default buffers and uses the session.
pub fn session<R>(
    peer: &mut Peer,
    config: Config<'_>,
    f: impl FnOnce(&mut Connection<'_, '_>) -> R,
) -> Result<R, Error> {
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    client.connect(peer).map(|mut connection| f(&mut connection))
}
