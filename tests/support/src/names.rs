//! A name server on the loopback that knows one name (RFC 1035).

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Bytes of a message's header.
const HEADER: usize = 12;

/// A name server on port 53 of 127.0.0.1; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    answered: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Answers questions for the address of `name`; all other names are unknown.
    pub fn start(name: &str, address: Ipv4Addr) -> io::Result<Server> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (answered, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let mut server = Server { answered: answered.clone(), stop: stop.clone(), thread: None };
        let question = question(name);
        server.thread = Some(thread::spawn(move || {
            let mut message = [0; 512];
            while !stop.load(Ordering::SeqCst) {
                let Ok((length, client)) = socket.recv_from(&mut message) else { continue };
                let Some(answer) = answer(&message[..length], &question, address) else { continue };
                if socket.send_to(&answer, client).is_ok() {
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }
        }));
        Ok(server)
    }

    /// How many questions were answered.
    pub fn answered(&self) -> u32 {
        self.answered.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The port is free again when this returns.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The question for a name's IPv4 address: labels, type A, class IN.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}

/// The answer to one message, if it is a question.
fn answer(message: &[u8], known: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let (header, rest) = message.split_at_checked(HEADER)?;
    if header[2] & 0x80 != 0 || header[4..6] != [0, 1] {
        return None;
    }
    let is_known = rest.get(..known.len()).is_some_and(|asked| asked.eq_ignore_ascii_case(known));
    let mut answer = header[..2].to_vec();
    // A response with recursion available; the code says whether the name exists.
    answer.extend_from_slice(&[0x81, if is_known { 0x80 } else { 0x83 }]);
    answer.extend_from_slice(&[0, 1, 0, u8::from(is_known), 0, 0, 0, 0]);
    answer.extend_from_slice(if is_known { rest.get(..known.len())? } else { rest });
    if is_known {
        // The name as a pointer to the question, type A, class IN, 60 seconds, 4 bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_known() {
        let known = question("db.plant.test");
        let ask = |name: &str| {
            let mut message = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            message.extend(question(name));
            message
        };
        let address = Ipv4Addr::new(10, 0, 2, 2);
        let found = answer(&ask("DB.plant.test"), &known, address).unwrap();
        assert!(found.starts_with(&[7, 9, 0x81, 0x80, 0, 1, 0, 1]));
        assert!(found.ends_with(&[10, 0, 2, 2]));
        let unknown = answer(&ask("db.plant"), &known, address).unwrap();
        assert!(unknown.starts_with(&[7, 9, 0x81, 0x83, 0, 1, 0, 0]));
        assert_eq!(answer(&found, &known, address), None);
        assert_eq!(answer(b"short", &known, address), None);
    }
}
