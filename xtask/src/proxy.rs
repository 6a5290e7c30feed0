//! A TCP relay between a board and the server that counts what passes: the independent witness of
//! the bytes and round trips that a session costs.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What one session moved, or the part of it up to some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that the board sent.
    pub sent: u64,
    /// Bytes that the board received.
    pub received: u64,
    /// Times the board sent and then had to wait for the server.
    pub round_trips: u64,
}

/// One connection through the relay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Session {
    /// All of it.
    pub total: Traffic,
    /// Up to the server's first ReadyForQuery; unknown when the session is encrypted.
    pub login: Option<Traffic>,
    asking: bool,
    parser: Parser,
}

/// A relay on a port of 127.0.0.1. Its threads end with the process.
#[derive(Debug, Clone)]
pub struct Relay {
    port: u16,
    sessions: Arc<Mutex<Vec<Session>>>,
}

impl Relay {
    /// Listens, and connects to `server` for each connection.
    pub fn start(server: SocketAddr) -> Result<Relay, String> {
        let failed = |error| format!("relay: {error}");
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let relay = Relay { port, sessions: Arc::default() };
        let worker = relay.clone();
        thread::spawn(move || {
            for board in listener.incoming().flatten() {
                // The board sees a refused server as a connection that ends at once.
                let Ok(server) = TcpStream::connect(server) else { continue };
                worker.clone().relay(board, server);
            }
        });
        Ok(relay)
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The sessions so far, in the order they began.
    pub fn sessions(&self) -> Vec<Session> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relay(self, board: TcpStream, server: TcpStream) {
        let index = {
            let mut sessions = self.lock();
            sessions.push(Session::default());
            sessions.len() - 1
        };
        let _ = (board.set_nodelay(true), server.set_nodelay(true));
        let (Ok(board_in), Ok(server_in)) = (board.try_clone(), server.try_clone()) else { return };
        let other = self.clone();
        thread::spawn(move || {
            pump(board_in, server, |bytes| {
                if let Some(session) = self.lock().get_mut(index) {
                    session.board_sent(bytes);
                }
            });
        });
        thread::spawn(move || {
            pump(server_in, board, |bytes| {
                if let Some(session) = other.lock().get_mut(index) {
                    session.server_sent(bytes);
                }
            });
        });
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, mut count: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..length) else { break };
        count(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

impl Session {
    fn board_sent(&mut self, bytes: &[u8]) {
        self.total.sent += length(bytes);
        self.asking = true;
    }

    fn server_sent(&mut self, bytes: &[u8]) {
        self.total.received += length(bytes);
        if std::mem::take(&mut self.asking) {
            self.total.round_trips += 1;
        }
        if self.login.is_none() && self.parser.ready_for_query(bytes) {
            self.login = Some(self.total);
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap_or(u64::MAX)
}

/// Follows the server's messages far enough to see the first ReadyForQuery.
#[derive(Debug, Clone, Copy, Default)]
struct Parser {
    /// Bytes of the current message still to come, when its header is complete.
    body: u64,
    header: [u8; 5],
    have: usize,
    encrypted: bool,
    begun: bool,
}

impl Parser {
    fn ready_for_query(&mut self, bytes: &[u8]) -> bool {
        // The server's answer to SSLRequest is a byte of its own: `S` goes on in TLS.
        if !std::mem::replace(&mut self.begun, true) {
            match bytes {
                b"S" => self.encrypted = true,
                b"N" => return false,
                _ => {}
            }
        }
        if self.encrypted {
            return false;
        }
        for byte in bytes {
            if self.body > 0 {
                self.body -= 1;
                continue;
            }
            if let Some(slot) = self.header.get_mut(self.have) {
                *slot = *byte;
                self.have += 1;
            }
            if self.have == self.header.len() {
                let [kind, length @ ..] = self.header;
                if kind == b'Z' {
                    return true;
                }
                self.have = 0;
                self.body = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x09a\0bc\0Z\0\0\0\x05I";

    #[test]
    fn sees_the_end_of_login_in_any_pieces() {
        for split in 1..LOGIN.len() - 2 {
            let (head, tail) = LOGIN.split_at(split);
            let mut parser = Parser::default();
            assert!(!parser.ready_for_query(head) || split > LOGIN.len() - 3, "at {split}");
            assert!(parser.ready_for_query(tail), "at {split}");
        }
        let mut parser = Parser::default();
        assert!(!parser.ready_for_query(b"S"));
        assert!(!parser.ready_for_query(LOGIN));
        let mut parser = Parser::default();
        assert!(!parser.ready_for_query(b"N"));
        assert!(parser.ready_for_query(LOGIN));
    }

    #[test]
    fn counts_a_session_and_its_login() {
        let mut session = Session::default();
        session.board_sent(b"startup");
        session.board_sent(b"more");
        session.server_sent(LOGIN);
        session.board_sent(b"query");
        session.server_sent(b"an");
        session.server_sent(b"swer");
        let login = Traffic { sent: 11, received: LOGIN.len() as u64, round_trips: 1 };
        assert_eq!(session.login, Some(login));
        let total = Traffic { sent: 16, received: login.received + 6, round_trips: 2 };
        assert_eq!(session.total, total);
    }

    #[test]
    fn relays_both_ways() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let relay = Relay::start(server.local_addr().unwrap()).unwrap();
        let mut board = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        let (mut peer, _) = server.accept().unwrap();
        board.write_all(b"ping").unwrap();
        let mut bytes = [0; 4];
        peer.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"ping");
        peer.write_all(b"pong").unwrap();
        board.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"pong");
        drop(peer);
        assert_eq!(board.read(&mut bytes).unwrap(), 0);
        let traffic = relay.sessions().pop().unwrap().total;
        assert_eq!(traffic, Traffic { sent: 4, received: 4, round_trips: 1 });
    }
}
