//! A session: the client's messages to PostgreSQL and back, with what differs rewritten.

use std::collections::VecDeque;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::batch::{self, Batch};
use super::fields::{error, message, notice, translate};
use super::values::{self, Column, Names, Statement};
use super::{Shared, rewrite, session};

/// What PostgreSQL still has to answer, in order.
#[derive(Debug, PartialEq, Eq)]
enum Expect {
    /// A message that ends with one of these types.
    One(&'static [u8]),
    /// The description of a statement that the client did not ask for, and what is there of it.
    Types(Vec<u8>, Vec<u32>),
    /// Execute of a portal with these columns.
    Rows(Vec<Column>),
    /// Query or Sync: everything up to ReadyForQuery.
    Ready,
    /// A batch: rows to come, rows counted, whether BindComplete went out.
    Batch { left: usize, total: u64, bound: bool, columns: Vec<Column> },
}

/// What both directions know.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    expected: VecDeque<Expect>,
    names: Names,
    /// Columns of the result that a Query has.
    columns: Vec<Column>,
    /// An error was answered, and ReadyForQuery was not: PostgreSQL answers nothing.
    skipping: bool,
    /// PostgreSQL went away.
    closed: bool,
}

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
            lock(&queue).closed = true;
            queue.changed.notify_all();
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
    let nulls = shared.options.empty_is_null;
    loop {
        if reader.buffer().is_empty() {
            out.flush()?;
        }
        client.set_read_timeout(Some(timeout).filter(|time| !time.is_zero()))?;
        let mut tag = [0];
        match reader.read_exact(&mut tag) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if lock(queue).expected.is_empty() {
                    return match shared.options.thread_pool {
                        true => Ok(()),
                        false => expire(client),
                    };
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
                body = format!("{}\0", rewrite::sql(&sql, nulls)).into_bytes();
                Expect::Ready
            }
            b'P' => {
                let (time, name) = parse(&mut body, nulls).unwrap_or_default();
                timeout = time.unwrap_or(timeout);
                lock(queue).expected.push_back(Expect::One(b"1"));
                out.write_all(&message(b'P', &body))?;
                describe(&mut out, queue, &name)?;
                continue;
            }
            b'B' => {
                let mut state = lock(queue);
                if let Some((rewritten, columns)) = values::bind(&body, &state.names, nulls) {
                    let portal = body.split(|&byte| byte == 0).next().unwrap_or_default();
                    state.names.portals.insert(portal.to_vec(), columns);
                    body = rewritten;
                }
                Expect::One(b"2")
            }
            b'D' => Expect::One(b"Tn"),
            b'E' => {
                let portal = body.split(|&byte| byte == 0).next().unwrap_or_default();
                Expect::Rows(lock(queue).names.portals.get(portal).cloned().unwrap_or_default())
            }
            b'C' => Expect::One(b"3"),
            b'S' => Expect::Ready,
            b'U' => {
                let Some(batch) = Batch::parse(&body) else {
                    return end(client, "08P01", "invalid batch bind-execute message");
                };
                shared.batches.fetch_add(1, Ordering::Relaxed);
                let mut state = lock(queue);
                let statement =
                    state.names.statements.get(batch.statement()).cloned().unwrap_or_default();
                let columns = batch.columns(&statement);
                let left = batch.rows();
                state.expected.push_back(Expect::Batch { left, total: 0, bound: false, columns });
                drop(state);
                out.write_all(&batch.translate(&statement, nulls))?;
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
        lock(queue).expected.push_back(expect);
        out.write_all(&message(tag[0], &body))?;
    }
}

/// Rewrites the statement of a Parse message. Returns the time-out that it sets, and its name.
fn parse(body: &mut Vec<u8>, nulls: bool) -> Option<(Option<Duration>, Vec<u8>)> {
    let name = body.iter().position(|&byte| byte == 0)? + 1;
    let end = name + body[name..].iter().position(|&byte| byte == 0)?;
    values::declared(body, end + 3);
    let sql = String::from_utf8_lossy(&body[name..end]).into_owned();
    let rewritten = rewrite::sql(&sql, nulls).into_owned();
    body.splice(name..end, rewritten.into_bytes());
    Some((rewrite::session_timeout(&sql), body[..name - 1].to_vec()))
}

/// Has a statement described, for the types that its values will have, and waits for the answer.
fn describe(out: &mut impl Write, queue: &Queue, name: &[u8]) -> io::Result<()> {
    let mut state = lock(queue);
    state.names.statements.remove(name);
    state.expected.push_back(Expect::Types(name.to_vec(), Vec::new()));
    drop(state);
    out.write_all(&message(b'D', &[b"S", name, b"\0"].concat()))?;
    out.write_all(&message(b'H', b""))?;
    out.flush()?;
    let waits = |state: &mut State| {
        let asked = state.expected.iter().any(|expect| matches!(expect, Expect::Types(..)));
        asked && !state.skipping && !state.closed
    };
    let waited = queue.changed.wait_while(lock(queue), waits);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    Ok(())
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
            // What openGauss says at a higher level.
            b'N' if body.starts_with(b"SDEBUG") => match implicit_index(&body) {
                Some(notice) => body = translate(&notice, b'Q'),
                None => continue,
            },
            b'E' | b'N' => {
                let simple = lock(queue).expected.front() == Some(&Expect::Ready);
                body = translate(&body, if simple { b'Q' } else { b'P' });
            }
            b'C' if body == b"DO\0" => body = b"ANONYMOUS BLOCK EXECUTE\0".to_vec(),
            b'S' => {
                let name = body.split(|&byte| byte == 0).next().unwrap_or_default();
                if !session::reports(name) || name == b"session_authorization" {
                    continue;
                }
            }
            b'Z' if long_ready => body.push(0),
            // A binary COPY: its header goes alone, and there is no trailer.
            b'd' if body == [255, 255] => continue,
            b'd' if body.starts_with(b"PGCOPY\n\xff\r\n\0") && body.len() > 19 => {
                let row = body.split_off(19);
                out.write_all(&message(b'd', &body))?;
                body = row;
            }
            _ => {}
        }
        if let Some(body) = answered(queue, tag, body) {
            out.write_all(&message(tag, &body))?;
        }
    }
}

/// The notice of an index that a table's constraint makes: PostgreSQL says it at DEBUG1.
fn implicit_index(body: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(body).into_owned();
    text.contains("will create implicit index").then(|| {
        let rest = text.split_once('\0').map_or("", |(_, rest)| rest);
        format!("SNOTICE\0{rest}").into_bytes()
    })
}

/// Keeps the queue, rewrites values, and holds back the answers that openGauss would not send.
fn answered(queue: &Queue, tag: u8, mut body: Vec<u8>) -> Option<Vec<u8>> {
    let mut state = lock(queue);
    let state = &mut *state;
    queue.changed.notify_all();
    let expected = &mut state.expected;
    match tag {
        b'Z' => {
            // One for each Query or Sync; what was before it was skipped after an error.
            while expected.pop_front().is_some_and(|expect| expect != Expect::Ready) {}
            state.skipping = false;
            return Some(body);
        }
        b'E' => {
            while expected.front().is_some_and(|expect| *expect != Expect::Ready) {
                expected.pop_front();
            }
            state.skipping = true;
            return Some(body);
        }
        b'D' => {
            let columns = match expected.front() {
                Some(Expect::Rows(columns) | Expect::Batch { columns, .. }) => columns,
                _ => &state.columns,
            };
            return Some(values::row(&body, columns).unwrap_or(body));
        }
        b't' => {
            let oids = values::parameter_description(&mut body);
            if let Some(Expect::Types(_, types)) = expected.front_mut() {
                *types = oids;
                return None;
            }
            return Some(body);
        }
        _ => {}
    }
    let columns = if tag == b'T' { values::row_description(&mut body) } else { Vec::new() };
    match expected.front_mut() {
        Some(Expect::Types(name, types)) if tag == b'T' || tag == b'n' => {
            let columns = columns.iter().map(|(oid, _)| *oid).collect();
            let statement = Statement { parameters: std::mem::take(types), columns };
            state.names.statements.insert(std::mem::take(name), statement);
            expected.pop_front();
            return None;
        }
        Some(Expect::Ready) if tag == b'T' => state.columns = columns,
        Some(Expect::Rows(_)) if b"CsI".contains(&tag) => {
            expected.pop_front();
        }
        Some(Expect::One(types)) if types.contains(&tag) => {
            expected.pop_front();
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
            expected.pop_front();
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

fn lock(queue: &Queue) -> MutexGuard<'_, State> {
    queue.state.lock().unwrap_or_else(PoisonError::into_inner)
}
