//! What std does not offer of sockets.

use std::io;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

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

/// Lets SIGPIPE end this process, as it does where Rust's runtime has not begun the program, and in programs that end
/// quietly when nothing reads what they print.
pub fn let_sigpipe_kill() {
    const SIGPIPE: i32 = 13;
    const SIG_DFL: usize = 0;
    unsafe extern "C" {
        fn signal(signal: i32, handler: usize) -> usize;
    }
    // SAFETY: the default handler runs no code of this process.
    unsafe { signal(SIGPIPE, SIG_DFL) };
}

/// Waits for a client, which has the same limit for each of its reads and writes.
///
/// # Errors
/// [`TimedOut`](io::ErrorKind::TimedOut): none came.
pub fn accept(listener: &TcpListener, limit: Duration) -> io::Result<TcpStream> {
    let begun = Instant::now();
    listener.set_nonblocking(true)?;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if begun.elapsed() >= limit => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

/// Waits until something listens on this port of 127.0.0.1.
///
/// # Errors
/// Nothing does within the limit.
pub fn wait_for(port: u16, limit: Duration) -> Result<(), String> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => {
                return Err(format!("port {port}: {error}"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    Err(format!("nothing listens on port {port} after {limit:?}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn becomes_ready(socket: &impl AsFd) {
        let start = Instant::now();
        while !is_ready(socket).unwrap() {
            assert!(start.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn a_client_that_does_not_come_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let soon = Duration::from_millis(50);
        assert_eq!(accept(&listener, soon).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = accept(&listener, soon).unwrap();
        let silent = std::io::Read::read(&mut server, &mut [0]).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_port_is_waited_for_within_a_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(wait_for(port, Duration::from_secs(10)), Ok(()));
        drop(listener);
        assert!(wait_for(port, Duration::from_millis(50)).unwrap_err().contains("nothing listens"));
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
