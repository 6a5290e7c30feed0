//! From the first byte of a connection to the session: TLS request, cancel request, start-up.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::fields::{error, message, translate};
use super::login::{self, Startup};
use super::rewrite;
use super::types;
use super::{Shared, Trouble, relay, stored};

const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Serves one connection to its end. `inner` connections come from the TLS terminator, with the
/// client certificate's common name in a first line.
pub(super) fn serve(shared: &Shared, mut stream: TcpStream, inner: bool) -> io::Result<()> {
    let tls = if inner { Some(first_line(&mut stream)?) } else { None };
    let trouble = shared.options.trouble.filter(|_| !inner);
    match trouble {
        None | Some(Trouble::SlotsTaken | Trouble::KeyReadable) => {}
        Some(trouble) => return refuse(trouble, stream),
    }
    let mut asked = inner;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(8..=10_004).contains(&length) {
            return Ok(());
        }
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body)?;
        let (code, body) = body.split_first_chunk().expect("4 bytes at least");
        match u32::from_be_bytes(*code) {
            SSL_REQUEST if !asked => {
                asked = true;
                if trouble == Some(Trouble::KeyReadable) {
                    stream.write_all(b"S")?;
                    return stream.write_all(&key_is_readable());
                }
                let Some(terminator) = &shared.tls else {
                    stream.write_all(b"N")?;
                    continue;
                };
                let far = TcpStream::connect(("127.0.0.1", terminator.port()))?;
                stream.write_all(b"S")?;
                return pipe_both(stream, far);
            }
            CANCEL_REQUEST => return cancel(shared, body),
            version => return start(shared, stream, version, body, tls),
        }
    }
}

/// Checks the StartupMessage, authenticates, connects to PostgreSQL and relays.
fn start(
    shared: &Shared,
    mut stream: TcpStream,
    version: u32,
    body: &[u8],
    tls: Option<String>,
) -> io::Result<()> {
    let (major, minor) = (version >> 16, version & 0xffff);
    let fail = |mut stream: TcpStream, code: &str, text: &str| {
        stream.write_all(&error("FATAL", code, text))
    };
    if !matches!((major, minor), (3, 0 | 50 | 51)) {
        let text = format!("unsupported frontend protocol {major}.{minor}.");
        return fail(stream, "0A000", &text);
    }
    let minor = u16::try_from(minor).unwrap_or(0);
    let Some(parameters) = parameters(body) else {
        let text = "invalid startup packet layout: expected terminator as last byte";
        return fail(stream, "08P01", text);
    };
    let startup = Startup { minor, parameters, tls };
    if startup.get("user").unwrap_or_default().is_empty() {
        return fail(stream, "28000", "no openGauss user name specified in startup packet");
    }
    if shared.options.require_ssl && startup.tls.is_none() {
        return fail(stream, "57P03", "SSL connection is required by the database system");
    }
    if !login::authenticate(shared, &mut stream, &startup)? {
        return Ok(());
    }
    if shared.options.trouble == Some(Trouble::SlotsTaken) {
        let text = "Too many clients already, current: 60, max_connections/reserved: 60/3.";
        return fail(stream, "53300", text);
    }
    let user = startup.get("user").unwrap_or_default();
    types::install(shared, startup.get("database").unwrap_or(user))?;
    let mut postgres = BufReader::new(upstream(shared)?);
    postgres.get_mut().write_all(&upstream_startup(&startup))?;
    let slot = shared.next_slot.fetch_add(1, Ordering::Relaxed);
    let key = stored::random()?;
    let mut ready = message(b'R', &0_u32.to_be_bytes());
    let begun = greet(shared, &startup, &mut postgres, (slot, key), &mut ready)?;
    stream.write_all(&ready)?;
    if !begun {
        return Ok(());
    }
    let long = shared.options.long_ready || startup.get("enable_full_encryption").is_some();
    let timeout = match startup.get("session_timeout").and_then(|text| text.parse().ok()) {
        Some(seconds) => Duration::from_secs(seconds),
        None => shared.options.session_timeout,
    };
    let result = relay::run(shared, stream, postgres, long, timeout);
    shared.state().sessions.remove(&slot);
    result
}

/// Reads PostgreSQL's start-up answer and writes openGauss's. False when it is a refusal.
fn greet(
    shared: &Shared,
    startup: &Startup,
    postgres: &mut BufReader<UnixStream>,
    (slot, key): (u32, [u8; 4]),
    ready: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut reported = Vec::new();
    loop {
        let (tag, body) = relay::read_message(postgres)?;
        match tag {
            b'S' => {
                let mut words = body.split(|&byte| byte == 0).map(String::from_utf8_lossy);
                let name = words.next().unwrap_or_default().into_owned();
                reported.push((name, words.next().unwrap_or_default().into_owned()));
            }
            b'K' => {
                let theirs = body.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
                shared.state().sessions.insert(slot, (key, theirs));
            }
            b'E' => {
                ready.extend_from_slice(&message(b'E', &translate(&body, b'Q')));
                return Ok(false);
            }
            b'N' => ready.extend_from_slice(&message(b'N', &translate(&body, b'Q'))),
            b'Z' => break,
            _ => {}
        }
    }
    let user = startup.get("user").unwrap_or_default();
    for (name, fixed) in PARAMETERS {
        if name == &"application_type" && !shared.options.application_type {
            continue;
        }
        let seen = || reported.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = match *fixed {
            Some(value) => value,
            None if *name == "session_authorization" => user,
            None => seen().unwrap_or_default(),
        };
        ready.extend_from_slice(&message(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    ready.extend_from_slice(&message(b'K', &[slot.to_be_bytes(), key].concat()));
    let long = shared.options.long_ready || startup.get("enable_full_encryption").is_some();
    ready.extend_from_slice(&message(b'Z', if long { b"I\0" } else { b"I" }));
    Ok(true)
}

/// What openGauss reports after login, in its order; `None` is PostgreSQL's own value.
const PARAMETERS: &[(&str, Option<&str>)] = &[
    ("application_name", None),
    ("application_type", Some("not_perfect_sharding_type")),
    ("b_format_behavior_compat_options", Some("")),
    ("behavior_compat_options", Some("")),
    ("cgroup_name", Some("")),
    ("character_set_connection", Some("UTF8")),
    ("client_encoding", None),
    ("collation_connection", Some("")),
    ("connection_info", Some("")),
    ("d_format_behavior_compat_options", Some("")),
    ("DateStyle", None),
    ("disable_keyword_options", Some("")),
    ("enable_record_nettime", Some("off")),
    ("integer_datetimes", Some("on")),
    ("IntervalStyle", None),
    ("is_sysadmin", Some("off")),
    ("memory_detail_tracking", Some("")),
    ("plsql_compile_check_options", Some("")),
    ("query_band", Some("")),
    ("server_encoding", None),
    ("server_version", Some("9.2.4")),
    ("session_authorization", None),
    ("session_respool", Some("invalid_pool")),
    ("standard_conforming_strings", None),
    ("TimeZone", None),
    ("uppercase_attribute_name", Some("off")),
];

/// Names of parameters that are reported again when they change.
pub(super) fn reports(name: &[u8]) -> bool {
    PARAMETERS.iter().any(|(known, fixed)| fixed.is_none() && known.as_bytes() == name)
}

/// Key and value pairs, or nothing if the packet does not end as it must.
fn parameters(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = body.strip_suffix(b"\0")?;
    let mut words = text.split(|&byte| byte == 0);
    let mut pairs = Vec::new();
    loop {
        let name = words.next()?;
        if name.is_empty() {
            return words.next().is_none().then_some(pairs);
        }
        let value = String::from_utf8_lossy(words.next()?).into_owned();
        pairs.push((String::from_utf8_lossy(name).into_owned(), value));
    }
}

pub(super) fn upstream(shared: &Shared) -> io::Result<UnixStream> {
    let (directory, port) = &shared.options.upstream;
    UnixStream::connect(directory.join(format!(".s.PGSQL.{port}")))
}

/// PostgreSQL's StartupMessage: its superuser, openGauss's defaults, the client's parameters.
fn upstream_startup(startup: &Startup) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    let mut put = |name: &str, value: &str| {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    };
    let user = startup.get("user").unwrap_or_default();
    put("user", "postgres");
    put("database", startup.get("database").unwrap_or(user));
    put("client_min_messages", "debug1");
    if startup.get("TimeZone").is_none() {
        put("TimeZone", "UCT");
    }
    for (name, value) in &startup.parameters {
        match name.as_str() {
            "user" | "database" | "connect_timeout" | "enable_full_encryption" => {}
            // openGauss takes any name with a dot and says nothing.
            name if name.starts_with("_pq_.") => {}
            name => put(&rewrite::settings(name), &rewrite::settings(value)),
        }
    }
    let path = |text: &str| text.contains("search_path");
    if startup.get("search_path").is_none() && !startup.get("options").is_some_and(path) {
        put("search_path", "\"$user\", public, gauss");
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).expect("a short packet");
    [&length.to_be_bytes()[..], &body].concat()
}

/// What is said in clear after `S`, as recorded.
fn key_is_readable() -> Vec<u8> {
    let text = "certificate file \"server.crt\" has group or world access";
    let mut fields = format!("SFATAL\0c0\0M{text}\0CF0000\0dBACKEND\0").into_bytes();
    fields.extend_from_slice(b"DPermissions should be u=rw (0600) or less.\0\0");
    message(b'E', &fields)
}

/// Passes a cancel request on. openGauss closes without a word, right or wrong.
fn cancel(shared: &Shared, body: &[u8]) -> io::Result<()> {
    let Some((slot, key)) = body.split_first_chunk::<4>() else { return Ok(()) };
    let known = shared.state().sessions.get(&u32::from_be_bytes(*slot)).copied();
    let Some((own, theirs)) = known.filter(|(own, _)| own == key) else { return Ok(()) };
    debug_assert_eq!(own, key);
    let mut postgres = upstream(shared)?;
    let packet = [&16_u32.to_be_bytes()[..], &CANCEL_REQUEST.to_be_bytes(), &theirs].concat();
    postgres.write_all(&packet)?;
    // PostgreSQL closes when the signal is on its way.
    postgres.read_to_end(&mut Vec::new()).map(|_| ())
}

fn refuse(trouble: Trouble, mut stream: TcpStream) -> io::Result<()> {
    match trouble {
        Trouble::SilentEof => stream.shutdown(Shutdown::Both),
        Trouble::TooManyClients => {
            let mut first = [0; 8];
            stream.read_exact(&mut first)?;
            stream.write_all(&error("FATAL", "53300", "sorry, too many clients already"))
        }
        Trouble::Reset => {
            // Closed with bytes unread, it resets.
            stream.peek(&mut [0])?;
            Ok(())
        }
        Trouble::SlotsTaken | Trouble::KeyReadable => Ok(()),
        Trouble::OldError => {
            let mut first = [0; 8];
            stream.read_exact(&mut first)?;
            stream.write_all(b"Ecould not fork new process for connection: out of memory\n\0")
        }
    }
}

/// Copies bytes both ways until both ends are done.
fn pipe_both(near: TcpStream, far: TcpStream) -> io::Result<()> {
    far.set_nodelay(true)?;
    let (mut from_far, mut to_near) = (far.try_clone()?, near.try_clone()?);
    let back = thread::spawn(move || {
        let _ = io::copy(&mut from_far, &mut to_near);
        let _ = to_near.shutdown(Shutdown::Both);
    });
    let (mut from_near, mut to_far) = (near, far);
    let _ = io::copy(&mut from_near, &mut to_far);
    let _ = to_far.shutdown(Shutdown::Both);
    let _ = back.join();
    Ok(())
}

/// One line, read byte by byte so that nothing after it is taken.
fn first_line(stream: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    BufReader::with_capacity(1, stream).read_until(b'\n', &mut line)?;
    line.pop();
    Ok(String::from_utf8_lossy(&line).into_owned())
}
