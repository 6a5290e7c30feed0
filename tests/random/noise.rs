//! Messages that a server may send at any time, put between those that it does send.

use std::collections::VecDeque;

use barepg_testkit::random::Random;

/// What comes from a server, and what is put between its messages.
pub struct Noise {
    random: Random,
    /// Of each message so many in a hundred come after something else.
    often: u64,
    /// Also notifications.
    pub notifies: bool,
    /// ReadyForQuery came.
    ready: bool,
    /// A message's first bytes, fewer than its header has.
    head: Vec<u8>,
    /// What is left of its body.
    left: usize,
    out: VecDeque<u8>,
}

impl Noise {
    pub fn new(mut random: Random) -> Self {
        let often = random.pick(&[5, 30, 100]);
        let notifies = random.below(2) == 0;
        let (head, out) = (Vec::new(), VecDeque::new());
        Self { random, often, notifies, ready: false, head, left: 0, out }
    }

    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What the server sends.
    pub fn put(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.left > 0 {
                self.left -= 1;
                self.out.push_back(byte);
                continue;
            }
            if self.head.is_empty() && self.ready {
                self.disturb();
            }
            self.head.push(byte);
            if let [_, length @ ..] = &self.head[..]
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.left = u32::from_be_bytes(length) as usize - 4;
                self.ready |= self.head[0] == b'Z';
                self.out.extend(self.head.drain(..));
            }
        }
        if self.left == 0 && self.head.is_empty() && self.ready {
            self.disturb();
        }
    }

    pub fn take(&mut self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.out.len());
        self.out.drain(..n).zip(buf).for_each(|(byte, place)| *place = byte);
        n
    }

    fn disturb(&mut self) {
        while self.random.below(100) < self.often {
            let length = self.random.pick(&[0, 1, 20, 40, 60, 90, 200, 1500]);
            let length = self.random.below(length + 1) as usize;
            let text = "n".repeat(length);
            let (tag, body) = match self.random.below(if self.notifies { 4 } else { 3 }) {
                0 => (b'N', format!("SNOTICE\0VNOTICE\0C00000\0M{text}\0\0")),
                1 => (b'S', format!("application_name\0{text}\0")),
                2 => (b'S', format!("x.{text}\0on\0")),
                _ => (b'A', format!("\0\0\0\u{7}noise\0{}\0", "p".repeat(length % 40))),
            };
            self.out.push_back(tag);
            self.out.extend((body.len() as u32 + 4).to_be_bytes());
            self.out.extend(body.bytes());
            if self.random.below(2) == 0 {
                break;
            }
        }
    }
}
