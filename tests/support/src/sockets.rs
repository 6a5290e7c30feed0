//! What std does not offer of sockets.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use socket2::SockRef;

/// Whether `read` would return at once: bytes, the end of the stream, or an error. Does not wait,
/// and takes nothing.
pub fn is_ready(socket: &impl AsFd) -> io::Result<bool> {
    let socket = SockRef::from(socket);
    socket.set_nonblocking(true)?;
    let looked = socket.peek(&mut [MaybeUninit::uninit()]);
    socket.set_nonblocking(false)?;
    Ok(!looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    use super::*;

    fn becomes_ready(socket: &impl AsFd) {
        let start = Instant::now();
        while !is_ready(socket).unwrap() {
            assert!(start.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn bytes_and_the_end_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert!(!is_ready(&client).unwrap());
        server.write_all(b"x").unwrap();
        becomes_ready(&client);
        let mut byte = [0];
        std::io::Read::read_exact(&mut &client, &mut byte).unwrap();
        assert_eq!((&byte, is_ready(&client).unwrap()), (b"x", false));
        drop(server);
        becomes_ready(&client);
        let (a, b) = UnixStream::pair().unwrap();
        assert!(!is_ready(&a).unwrap());
        drop(b);
        becomes_ready(&a);
    }
}
