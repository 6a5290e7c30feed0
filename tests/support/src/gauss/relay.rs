//! A session: the client's messages to PostgreSQL and back, with what differs rewritten.

use std::collections::VecDeque;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::batch::{self, Batch};
use super::fields::{error, message, notice, translate};
use super::{Shared, rewrite, session};

/// What PostgreSQL still has to answer, in order.
#[derive(Debug, PartialEq, Eq)]
enum Expect {
    /// A message that ends with one of these types.
    One(&'static [u8]),
    /// Query or Sync: everything up to ReadyForQuery.
    Ready,
    /// A batch: rows to come, rows counted, whether BindComplete went out.
    Batch { left: usize, total: u64, bound: bool },
}

type Queue = Mutex<VecDeque<Expect>>;

/// Relays until one side ends.
pub(super) fn run(
    shared: &Shared,
    client: TcpStream,
    postgres: BufReader<UnixStream>,
    long_ready: bool,
    timeout: Duration,
) -> io::Result<()> {
    let queue = Queue::default();
    let upstream = postgres.get_ref().try_clone()?;
    let out = client.try_clone()?;
    thread::scope(|scope| {
        let back = scope.spawn(|| {
            let result = backend(postgres, out, &queue, long_ready);
            let _ = client.shutdown(Shutdown::Both);
            result
        });
        let result = frontend(shared, &client, &upstream, &queue, timeout);
        let _ = upstream.shutdown(Shutdown::Write);
        if result.is_err() {
            let _ = upstream.shutdown(Shutdown::Both);
        }
        back.join().unwrap_or(Ok(())).and(result)
    })
}

/// One message: type and body.
pub(super) fn read_message(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut tag = [0];
    from.read_exact(&mut tag)?;
    Ok((tag[0], read_body(from)?))
}

fn read_body(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length).checked_sub(4).ok_or(ErrorKind::InvalidData)?;
    let mut body = Vec::new();
    let wanted = u64::from(length);
    if from.take(wanted).read_to_end(&mut body)? as u64 != wanted {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

/// The client's messages to PostgreSQL.
fn frontend(
    shared: &Shared,
    client: &TcpStream,
    mut postgres: &UnixStream,
    queue: &Queue,
    mut timeout: Duration,
) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut out = BufWriter::new(&mut postgres);
    loop {
        if reader.buffer().is_empty() {
            out.flush()?;
        }
        client.set_read_timeout(Some(timeout).filter(|time| !time.is_zero()))?;
        let mut tag = [0];
        match reader.read_exact(&mut tag) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if lock(queue).is_empty() {
                    return expire(client);
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return out.flush(),
            Err(error) => return Err(error),
        }
        client.set_read_timeout(None)?;
        let mut body = read_body(&mut reader)?;
        let expect = match tag[0] {
            b'Q' => {
                let sql = body.strip_suffix(b"\0").map(String::from_utf8_lossy).unwrap_or_default();
                timeout = rewrite::session_timeout(&sql).unwrap_or(timeout);
                body = format!("{}\0", rewrite::sql(&sql)).into_bytes();
                Expect::Ready
            }
            b'P' => {
                timeout = parse(&mut body).unwrap_or(timeout);
                Expect::One(b"1")
            }
            b'B' => Expect::One(b"2"),
            b'D' => Expect::One(b"Tn"),
            b'E' => Expect::One(b"CsI"),
            b'C' => Expect::One(b"3"),
            b'S' => Expect::Ready,
            b'U' => {
                let Some(batch) = Batch::parse(&body) else {
                    return end(client, "08P01", "invalid batch bind-execute message");
                };
                shared.batches.fetch_add(1, Ordering::Relaxed);
                lock(queue).push_back(Expect::Batch { left: batch.rows(), total: 0, bound: false });
                out.write_all(&batch.translate())?;
                continue;
            }
            b'X' => return out.flush(),
            b'H' | b'd' | b'c' | b'f' => {
                out.write_all(&message(tag[0], &body))?;
                continue;
            }
            other => {
                return end(client, "08P01", &format!("invalid frontend message type {other}"));
            }
        };
        lock(queue).push_back(expect);
        out.write_all(&message(tag[0], &body))?;
    }
}

/// Rewrites the statement of a Parse message.
fn parse(body: &mut Vec<u8>) -> Option<Duration> {
    let name = body.iter().position(|&byte| byte == 0)? + 1;
    let end = name + body[name..].iter().position(|&byte| byte == 0)?;
    let sql = String::from_utf8_lossy(&body[name..end]).into_owned();
    let rewritten = rewrite::sql(&sql).into_owned();
    body.splice(name..end, rewritten.into_bytes());
    rewrite::session_timeout(&sql)
}

/// PostgreSQL's messages to the client.
fn backend(
    mut postgres: BufReader<UnixStream>,
    client: TcpStream,
    queue: &Queue,
    long_ready: bool,
) -> io::Result<()> {
    let mut out = BufWriter::new(client);
    loop {
        if postgres.buffer().is_empty() {
            out.flush()?;
        }
        let (tag, mut body) = match read_message(&mut postgres) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return out.flush(),
            other => other?,
        };
        match tag {
            b'E' | b'N' => body = translate(&body),
            b'C' if body == b"DO\0" => body = b"ANONYMOUS BLOCK EXECUTE\0".to_vec(),
            b'S' => {
                let name = body.split(|&byte| byte == 0).next().unwrap_or_default();
                if !session::reports(name) || name == b"session_authorization" {
                    continue;
                }
            }
            b'Z' if long_ready => body.push(0),
            _ => {}
        }
        if let Some(body) = answered(queue, tag, body) {
            out.write_all(&message(tag, &body))?;
        }
    }
}

/// Keeps the queue, and holds back the answers to a batch that openGauss would not send.
fn answered(queue: &Queue, tag: u8, body: Vec<u8>) -> Option<Vec<u8>> {
    let mut queue = lock(queue);
    match tag {
        b'Z' => {
            // One for each Query or Sync; what was before it was skipped after an error.
            while queue.pop_front().is_some_and(|expect| expect != Expect::Ready) {}
            return Some(body);
        }
        b'E' => {
            while queue.front().is_some_and(|expect| *expect != Expect::Ready) {
                queue.pop_front();
            }
            return Some(body);
        }
        _ => {}
    }
    match queue.front_mut() {
        Some(Expect::One(types)) if types.contains(&tag) => {
            queue.pop_front();
        }
        Some(Expect::Batch { bound, .. }) if tag == b'2' => {
            let first = !std::mem::replace(bound, true);
            return first.then_some(body);
        }
        Some(Expect::Batch { left, total, .. }) if tag == b'C' => {
            *total += batch::count(&body);
            *left -= 1;
            if *left > 0 {
                return None;
            }
            let body = batch::tag(&body, *total);
            queue.pop_front();
            return Some(body);
        }
        _ => {}
    }
    Some(body)
}

/// The session was idle too long.
fn expire(mut client: &TcpStream) -> io::Result<()> {
    client.write_all(&notice("WARNING", "01000", "Session unused timeout."))?;
    end(client, "57P01", "terminating connection due to administrator command")
}

fn end(mut client: &TcpStream, code: &str, text: &str) -> io::Result<()> {
    client.write_all(&error("FATAL", code, text))
}

fn lock(queue: &Queue) -> MutexGuard<'_, VecDeque<Expect>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
