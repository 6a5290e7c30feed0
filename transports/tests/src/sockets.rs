//! Far ends over sockets of the operating system.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::Peer;

/// The far end of a link over a socket of the operating system.
#[derive(Debug)]
pub struct SocketPeer<S> {
    socket: Option<S>,
    shutdown: fn(&S, Shutdown) -> std::io::Result<()>,
}

/// A TCP connection over loopback: the stream to make a transport of, and its peer.
pub fn tcp() -> (TcpStream, SocketPeer<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
    let socket = listener.accept().expect("a connection waits").0;
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    (stream, SocketPeer { socket: Some(socket), shutdown: TcpStream::shutdown })
}

/// A pair of UNIX sockets.
pub fn unix() -> (UnixStream, SocketPeer<UnixStream>) {
    let (stream, socket) = UnixStream::pair().expect("a pair");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    (stream, SocketPeer { socket: Some(socket), shutdown: UnixStream::shutdown })
}

impl<S: std::io::Read + std::io::Write> Peer for SocketPeer<S> {
    fn send(&mut self, bytes: &[u8]) {
        self.socket.as_mut().expect("open").write_all(bytes).expect("sent");
    }

    fn received(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buf = [0; 65_536];
        while let Ok(n @ 1..) = self.socket.as_mut().expect("open").read(&mut buf) {
            all.extend_from_slice(&buf[..n]);
        }
        all
    }

    fn close(&mut self) {
        let socket = self.socket.as_ref().expect("open");
        (self.shutdown)(socket, Shutdown::Write).expect("closed");
    }

    fn reset(&mut self) {
        // A socket that is closed with bytes unread resets. One byte shows that they are there.
        let mut socket = self.socket.take().expect("open");
        let deadline = Instant::now() + Duration::from_secs(5);
        while !matches!(socket.read(&mut [0]), Ok(1)) {
            assert!(Instant::now() < deadline, "nothing arrived that could be left unread");
        }
    }
}
