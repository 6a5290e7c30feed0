//! A pooler that keeps prepared statements itself, as PgBouncer from 1.21 on does where
//! `max_prepared_statements` is not 0 (its doc/config.md and src/prepare.c, 1.24.1): a transport that
//! gives each statement that is parsed another name on the server, the same for the same text and
//! types, and parses it there once. What the server has outdated stays so.

use std::collections::{HashMap, HashSet};

use barepg::host::Link;
use embedded_io::{ErrorKind, Read, ReadReady, Write};

pub struct Tracker {
    link: Link,
    /// What came from the driver and is no whole message yet, and what goes to the server.
    sent: Vec<u8>,
    began: bool,
    /// What came from the server, up to where it is whole, and what the driver has read of that.
    received: Vec<u8>,
    whole: usize,
    read: usize,
    /// The client's names, and what they stand for.
    client: HashMap<Vec<u8>, Vec<u8>>,
    server: HashSet<Vec<u8>>,
    numbers: HashMap<Vec<u8>, usize>,
    spare: u32,
    ended: bool,
}

impl Tracker {
    pub fn new(link: Link) -> Self {
        Self {
            link,
            sent: Vec::new(),
            began: false,
            received: Vec::new(),
            whole: 0,
            read: 0,
            client: HashMap::new(),
            server: HashSet::new(),
            numbers: HashMap::new(),
            spare: 0,
            ended: false,
        }
    }

    /// The name that the server has for a text with its types.
    fn number(&mut self, text: &[u8]) -> Vec<u8> {
        let next = self.numbers.len();
        let number = *self.numbers.entry(text.to_vec()).or_insert(next);
        format!("POOLER_{number}").into_bytes()
    }

    /// A name that means nothing, so that the answer is the one that is due.
    fn spare(&mut self) -> Vec<u8> {
        self.spare += 1;
        format!("SPARE_{}", self.spare).into_bytes()
    }

    /// The message that goes on to the server; `None` ends the session.
    fn rewritten(&mut self, tag: u8, body: &[u8]) -> Option<Vec<u8>> {
        let nul = |from: usize| from + body[from..].iter().position(|&byte| byte == 0).unwrap();
        let text = match tag {
            b'P' if body[0] != 0 => {
                let (name, text) = (body[..nul(0)].to_vec(), &body[nul(0) + 1..]);
                if self.client.contains_key(&name) {
                    return None;
                }
                self.client.insert(name, text.to_vec());
                let known = !self.server.insert(text.to_vec());
                let name = if known { self.spare() } else { self.number(text) };
                [&name[..], b"\0", text].concat()
            }
            b'B' => {
                let (portal, name) = (&body[..=nul(0)], &body[nul(0) + 1..nul(nul(0) + 1)]);
                let rest = &body[nul(nul(0) + 1)..];
                let name = self.on_server(name)?;
                [portal, &name, rest].concat()
            }
            b'D' if body[0] == b'S' => {
                let name = self.on_server(&body[1..nul(1)])?;
                [b"S", &name[..], b"\0"].concat()
            }
            b'C' if body[0] == b'S' && body[1] != 0 => {
                self.client.remove(&body[1..nul(1)]);
                [b"S", &self.spare()[..], b"\0"].concat()
            }
            _ => body.to_vec(),
        };
        let length = u32::try_from(text.len() + 4).unwrap();
        Some([&[tag][..], &length.to_be_bytes(), &text].concat())
    }

    fn on_server(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        if name.is_empty() {
            return Some(Vec::new());
        }
        let text = self.client.get(name)?.clone();
        Some(self.number(&text))
    }

    /// Looks at the messages of the server that have come whole.
    fn look(&mut self) {
        while let Some(head) = self.received.get(self.whole..self.whole + 5) {
            let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize + 1;
            let (tag, end) = (head[0], self.whole + length);
            let Some(message) = self.received.get_mut(self.whole..end) else { return };
            match (tag, &message[5..]) {
                (b'C', b"DISCARD ALL\0" | b"DEALLOCATE ALL\0") => {
                    self.client.clear();
                    self.server.clear();
                }
                // A number that no process has, as a pooler's are.
                (b'K', _) => message[5] = 0x7f,
                _ => {}
            }
            self.whole = end;
        }
    }
}

impl embedded_io::ErrorType for Tracker {
    type Error = ErrorKind;
}

impl Write for Tracker {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.sent.extend_from_slice(buf);
        loop {
            let head = usize::from(self.began);
            let Some(length) = self.sent.get(head..head + 4) else { break };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + head;
            if self.sent.len() < length {
                break;
            }
            let message: Vec<u8> = self.sent.drain(..length).collect();
            let message = match std::mem::replace(&mut self.began, true) {
                false => message,
                true => match self.rewritten(message[0], &message[5..]) {
                    Some(message) => message,
                    None => {
                        let error =
                            b"SFATAL\0VFATAL\0C08P01\0Mprepared statement did not exist\0\0";
                        let length = u32::try_from(error.len() + 4).unwrap().to_be_bytes();
                        self.received.truncate(self.whole);
                        self.received.extend([b"E", &length[..], error].concat());
                        self.ended = true;
                        break;
                    }
                },
            };
            self.link.write_all(&message).map_err(|_| ErrorKind::ConnectionReset)?;
        }
        self.look();
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.link.flush().map_err(|_| ErrorKind::ConnectionReset)
    }
}

impl Read for Tracker {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        while self.read == self.whole {
            if self.ended {
                return Ok(0);
            }
            let mut some = [0; 512];
            match self.link.read(&mut some) {
                Ok(0) => return Ok(0),
                Ok(length) => self.received.extend_from_slice(&some[..length]),
                Err(error) => return Err(embedded_io::Error::kind(&error)),
            }
            self.look();
        }
        let length = buf.len().min(self.whole - self.read);
        buf[..length].copy_from_slice(&self.received[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}

impl ReadReady for Tracker {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let here = self.read < self.whole || self.ended;
        Ok(here || self.link.read_ready().map_err(|_| ErrorKind::Other)?)
    }
}
