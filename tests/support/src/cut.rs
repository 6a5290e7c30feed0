//! A relay that cuts links: after how many bytes, in which direction and in which way is chosen
//! beforehand.
//!
//! ```no_run
//! use barepg_testkit::cut::{Cut, Direction, Ending, Relay};
//! let relay = Relay::start(5432).unwrap();
//! // A client connects to relay.port() and logs in; then:
//! relay.arm(Cut { direction: Direction::ToServer, after: 40, ending: Ending::Reset });
//! // Of all that the client sends from now on, the server gets 40 bytes.
//! ```

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How the two ends of a link learn that it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both get the end of the stream (FIN).
    End,
    /// Both get a reset (RST).
    Reset,
    /// Neither gets anything: the link is open, and nothing goes through any more.
    Silent,
}

/// Where a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The direction in which the bytes are counted.
    pub direction: Direction,
    /// How many bytes still pass; 0 cuts at once.
    pub after: u64,
    /// How.
    pub ending: Ending,
}

/// Bytes since the relay was armed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Taken from clients, passed on or not.
    pub from_client: u64,
    /// Passed on to the server.
    pub to_server: u64,
    /// Passed on to clients.
    pub to_client: u64,
}

/// A relay before a server, for any number of links. It stops, and ends its links, when it is
/// dropped.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

impl Relay {
    /// Starts a relay to the server on `127.0.0.1:upstream`.
    pub fn start(upstream: u16) -> io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let relay = Relay { port, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                if shared.shut.load(Ordering::SeqCst) {
                    continue;
                }
                // A server that is not there ends the client's link.
                let _ = shared.link(client, upstream);
            }
        });
        Ok(relay)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every link that is open when `cut` comes due, once. Links that are opened later are
    /// left alone. The counts begin again.
    pub fn arm(&self, cut: Cut) {
        let mut state = self.shared.state();
        (state.count, state.armed) = (Count::default(), Some(cut));
        if cut.after == 0 {
            state.fire(cut);
        }
    }

    /// Takes back what was armed, if it did not come due. The counts begin again. `true`: there is
    /// nothing to take back, for the cut has come, or none was armed.
    pub fn disarm(&self) -> bool {
        let mut state = self.shared.state();
        state.count = Count::default();
        state.armed.take().is_none()
    }

    /// Cuts every link that is open, and ends those to come at once, until it is opened again.
    pub fn shut(&self) {
        self.shared.shut.store(true, Ordering::SeqCst);
        self.arm(Cut { direction: Direction::ToServer, after: 0, ending: Ending::Reset });
    }

    /// Lets links through again.
    pub fn open(&self) {
        self.shared.shut.store(false, Ordering::SeqCst);
    }

    /// What went through since the relay was armed or disarmed.
    pub fn count(&self) -> Count {
        self.shared.state().count
    }

    /// How many links are open.
    pub fn links(&self) -> usize {
        self.shared.state().links.len()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let cut = Cut { direction: Direction::ToServer, after: 0, ending: Ending::End };
        let mut state = self.shared.state();
        state.fire(cut);
        state.silent.drain(..).for_each(|link| link.sever(Ending::End));
        drop(state);
        // Wakes the thread that waits for clients.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    shut: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: Count,
    armed: Option<Cut>,
    links: Vec<Arc<Link>>,
    /// Those that were cut without a word.
    silent: Vec<Arc<Link>>,
}

/// A cut, and the links that it cuts.
type Due = (Cut, Vec<Arc<Link>>);

/// The two sockets of a link; closed when both of its threads have ended.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    cut: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link(self: &Arc<Self>, client: TcpStream, upstream: u16) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", upstream))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let link = Arc::new(Link { client, server, cut: AtomicBool::new(false) });
        self.state().links.push(Arc::clone(&link));
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (shared, link) = (Arc::clone(self), Arc::clone(&link));
            thread::spawn(move || {
                // A socket that fails is as one that ends.
                let _ = shared.pump(&link, direction);
                link.end(direction);
                shared.state().links.retain(|other| !Arc::ptr_eq(other, &link));
            });
        }
        Ok(())
    }

    fn pump(&self, link: &Link, direction: Direction) -> io::Result<()> {
        let (mut from, mut to) = link.way(direction);
        let mut buffer = [0; 8192];
        loop {
            let got = from.read(&mut buffer)?;
            if got == 0 || link.cut.load(Ordering::SeqCst) {
                return Ok(());
            }
            let (allowed, due) = self.state().pass(direction, got);
            to.write_all(&buffer[..allowed])?;
            if let Some((cut, links)) = due {
                links.iter().for_each(|link| link.sever(cut.ending));
            }
        }
    }
}

impl State {
    /// How many of `got` bytes go on, and the cut that comes due after them, with the links that are
    /// open now: once the bytes are there, the client may open another.
    fn pass(&mut self, direction: Direction, got: usize) -> (usize, Option<Due>) {
        let count = &mut self.count;
        if direction == Direction::ToServer {
            count.from_client += got as u64;
        }
        let passed = match direction {
            Direction::ToServer => &mut count.to_server,
            Direction::ToClient => &mut count.to_client,
        };
        let due = self.armed.filter(|cut| cut.direction == direction);
        let due = due.filter(|cut| *passed + got as u64 >= cut.after);
        let allowed = match due {
            Some(cut) => usize::try_from(cut.after - *passed).unwrap_or(got),
            None => got,
        };
        *passed += allowed as u64;
        let due = due.map(|cut| (cut, self.due(cut)));
        (allowed, due)
    }

    /// A cut is due. Returns the links that it cuts.
    fn due(&mut self, cut: Cut) -> Vec<Arc<Link>> {
        self.armed = None;
        let links: Vec<_> = self.links.drain(..).collect();
        if cut.ending == Ending::Silent {
            self.silent.extend(links.iter().cloned());
        }
        links
    }

    fn fire(&mut self, cut: Cut) {
        for link in self.due(cut) {
            link.sever(cut.ending);
        }
    }
}

impl Link {
    fn way(&self, direction: Direction) -> (&TcpStream, &TcpStream) {
        match direction {
            Direction::ToServer => (&self.client, &self.server),
            Direction::ToClient => (&self.server, &self.client),
        }
    }

    fn sever(&self, ending: Ending) {
        self.cut.store(true, Ordering::SeqCst);
        for socket in [&self.client, &self.server] {
            // A socket whose peer is gone cannot be shut down, and need not.
            match ending {
                Ending::End => drop(socket.shutdown(Shutdown::Both)),
                Ending::Reset => {
                    // The reset goes out when the sockets are closed, by the threads that wake
                    // up now.
                    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
                    let _ = socket.shutdown(Shutdown::Read);
                }
                Ending::Silent => {}
            }
        }
    }

    /// One direction has ended by itself.
    fn end(&self, direction: Direction) {
        if !self.cut.load(Ordering::SeqCst) {
            let _ = self.way(direction).1.shutdown(Shutdown::Write);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets, and a relay before it.
    fn echo() -> (Relay, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || io::copy(&mut &client, &mut &client));
            }
        });
        let relay = Relay::start(port).unwrap();
        let client = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (relay, client)
    }

    fn exchange(mut client: &TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        client.write_all(text)?;
        let mut said = vec![0; text.len()];
        client.read_exact(&mut said).map(|()| said)
    }

    #[test]
    fn passes_on_and_counts() {
        let (relay, client) = echo();
        assert_eq!(exchange(&client, b"0123456789").unwrap(), b"0123456789");
        assert_eq!(relay.count(), Count { from_client: 10, to_server: 10, to_client: 10 });
        relay.disarm();
        assert_eq!((relay.count(), relay.links()), (Count::default(), 1));
    }

    #[test]
    fn cuts_after_so_many_bytes_in_either_direction() {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for ending in [Ending::End, Ending::Reset] {
                for after in [0, 1, 7, 10] {
                    let (relay, mut client) = echo();
                    exchange(&client, b"login").unwrap();
                    relay.arm(Cut { direction, after, ending });
                    let mut said = Vec::new();
                    // Whichever comes first takes the reset.
                    let sent = client.write_all(b"0123456789");
                    let end = client.read_to_end(&mut said).map(|_| ()).and(sent);
                    let what = format!("{direction:?} {ending:?} {after}: {said:?} {end:?}");
                    assert!(b"0123456789".starts_with(&said), "{what}");
                    let count = relay.count();
                    match direction {
                        // What came back before the cut may have arrived.
                        Direction::ToServer => assert_eq!(count.to_server, after, "{what}"),
                        Direction::ToClient => assert_eq!(said.len() as u64, after, "{what}"),
                    }
                    assert!(end.is_err() || ending == Ending::End, "{what}");
                    // The next link is left alone.
                    let next = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
                    assert_eq!(exchange(&next, b"next").unwrap(), b"next");
                }
            }
        }
    }

    #[test]
    fn a_shut_relay_lets_nothing_through() {
        let (relay, mut client) = echo();
        exchange(&client, b"login").unwrap();
        relay.shut();
        assert!(client.read(&mut [0]).is_err());
        let next = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        next.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(exchange(&next, b"next").is_err());
        relay.open();
        let next = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        assert_eq!(exchange(&next, b"next").unwrap(), b"next");
    }

    #[test]
    fn a_silent_cut_leaves_the_link_open() {
        let (relay, mut client) = echo();
        exchange(&client, b"login").unwrap();
        relay.arm(Cut { direction: Direction::ToServer, after: 3, ending: Ending::Silent });
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        client.write_all(b"0123456789").unwrap();
        let error = client.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(relay.count().to_server, 3);
        // The server's side stays open when the client gives up.
        drop(client);
        let next = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
        assert_eq!(exchange(&next, b"next").unwrap(), b"next");
    }

    #[test]
    fn an_end_goes_through() {
        let (relay, mut client) = echo();
        client.write_all(b"all of it").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        assert_eq!(said, b"all of it");
        drop(relay);
    }
}
