//! Servers that misbehave on purpose, on loopback, each in its own threads.
//!
//! What a client must survive: one that is not there ([`closed_port`]), one that accepts and says
//! nothing ([`silent`]), one that dies in the middle of a row ([`dying`]).

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A misbehaving server; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn start(serve: impl Fn(TcpStream) + Send + Clone + 'static) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let serve = serve.clone();
                thread::spawn(move || serve(client));
            }
        });
        Ok(Server { port, stop })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for clients.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A port where no server listens: connections are refused. It stays taken until the process ends,
/// so that no other program comes to listen there.
pub fn closed_port() -> io::Result<u16> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let _ = socket.into_raw_fd();
    Ok(address.port())
}

/// Accepts connections, reads, and never answers.
pub fn silent() -> io::Result<Server> {
    Server::start(|mut client| {
        let mut buffer = [0; 1024];
        while matches!(client.read(&mut buffer), Ok(n) if n > 0) {}
    })
}

/// A proxy to the real server on `127.0.0.1:upstream` that dies in the middle of the first row:
/// the client gets the DataRow's header and half of its body, then the end of the stream.
pub fn dying(upstream: u16) -> io::Result<Server> {
    Server::start(move |client| {
        // Whatever breaks, both connections end with this thread.
        let _ = proxy(client, upstream);
    })
}

fn proxy(mut client: TcpStream, upstream: u16) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let first = start_up(&mut from_client)?;
    to_server.write_all(&first)?;
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let cut = until_row(&mut server, &mut client);
    let _ = server.shutdown(Shutdown::Both);
    // The half row must arrive before the end does.
    thread::sleep(Duration::from_millis(50));
    client.shutdown(Shutdown::Both)?;
    cut
}

/// The client's StartupMessage. Asked for TLS before, this server has none.
fn start_up(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    loop {
        let mut message = vec![0; 8];
        client.read_exact(&mut message)?;
        let length = u32::from_be_bytes([message[0], message[1], message[2], message[3]]);
        if message[4..] == 80_877_103_u32.to_be_bytes() {
            client.write_all(b"N")?;
            continue;
        }
        let rest = (length as usize).saturating_sub(8).min(10_000);
        message.resize(8 + rest, 0);
        client.read_exact(&mut message[8..])?;
        return Ok(message);
    }
}

/// Passes messages on until a DataRow, of which only half goes out.
fn until_row(server: &mut TcpStream, client: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut message = vec![0; 5];
        server.read_exact(&mut message)?;
        let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]);
        message.resize(1 + length as usize, 0);
        server.read_exact(&mut message[5..])?;
        if message[0] == b'D' {
            let half = 5 + (message.len() - 5) / 2;
            return client.write_all(&message[..half]);
        }
        client.write_all(&message)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_refuses() {
        let error = TcpStream::connect(("127.0.0.1", closed_port().unwrap())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn silent_accepts_and_says_nothing() {
        let server = silent().unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.write_all(&[0; 100]).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let error = client.read(&mut [0]).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    }

    #[test]
    fn dying_sends_half_a_row() {
        // Upstream: takes the start-up message, then sends ReadyForQuery and a row of 10 bytes.
        let upstream = Server::start(|mut client| {
            let mut start_up = [0; 9];
            client.read_exact(&mut start_up).unwrap();
            client.write_all(b"Z\0\0\0\x05ID\0\0\0\x0e\0\x01\0\0\0\x04abcd").unwrap();
            let _ = client.read(&mut [0]);
        })
        .unwrap();
        let server = dying(upstream.port()).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        client.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).unwrap();
        let mut answer = [0];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"N");
        client.write_all(b"\0\0\0\x09\0\x03\0\0\0").unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"Z\0\0\0\x05ID\0\0\0\x0e\0\x01\0\0\0");
    }
}
