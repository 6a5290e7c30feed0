//! The openGauss front after login: what it refuses, rewrites, sums up and times out, next to
//! what was recorded from openGauss 7.0.0-RC2.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError::Timeout};
use std::thread;
use std::time::Duration;

use barepg_testkit::gauss::{Front, Options, PASSWORD};
use barepg_testkit::pg;

/// A client that knows the framing and nothing else. It logs in by `ldap_user`, in clear.
struct Raw {
    stream: TcpStream,
    key: Vec<u8>,
}

type Message = (u8, Vec<u8>);

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

impl Raw {
    fn open(front: &Front, password: &str) -> (Raw, Vec<Message>) {
        let stream = TcpStream::connect(("127.0.0.1", front.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut raw = Raw { stream, key: Vec::new() };
        let body = b"\0\x03\0\x33user\0ldap_user\0database\0test\0\0";
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        raw.send(&[&length[..], body].concat());
        assert_eq!(raw.message(), Some((b'R', 3_u32.to_be_bytes().to_vec())));
        raw.send(&frame(b'p', format!("{password}\0").as_bytes()));
        let answer = raw.until_ready();
        raw.key = answer.iter().find(|m| m.0 == b'K').map(|m| m.1.clone()).unwrap_or_default();
        (raw, answer)
    }

    fn login(front: &Front) -> Raw {
        let (raw, answer) = Raw::open(front, PASSWORD);
        assert_eq!(answer.last().unwrap(), &(b'Z', b"I".to_vec()));
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn message(&mut self) -> Option<Message> {
        let mut header = [0; 5];
        match self.stream.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            other => other.unwrap(),
        }
        let length = u32::from_be_bytes(header[1..].try_into().unwrap());
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.stream.read_exact(&mut body).unwrap();
        Some((header[0], body))
    }

    /// Up to ReadyForQuery or the end.
    fn until_ready(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some(message) = self.message() {
            let last = message.0 == b'Z';
            all.push(message);
            if last {
                break;
            }
        }
        all
    }

    fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(&frame(b'Q', format!("{sql}\0").as_bytes()));
        self.until_ready()
    }
}

fn front() -> Front {
    Front::start(Options::before(pg::shared(15)))
}

fn text(messages: &[Message]) -> String {
    let one = |(tag, body): &Message| {
        format!("{}:{}", char::from(*tag), String::from_utf8_lossy(body).replace('\0', "."))
    };
    messages.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn answers_as_recorded() {
    let front = front();
    let mut raw = Raw::login(&front);
    for (sql, answer) in [
        (
            "listen c",
            "E:SERROR.c15819.MLISTEN statement is not yet supported..C0A000.dBACKEND.. Z:I",
        ),
        (
            "notify c,'x'",
            "E:SERROR.c15818.MNOFITY statement is not yet supported..C0A000.dBACKEND.. Z:I",
        ),
        ("begin", "C:BEGIN. Z:T"),
        ("select 1/0", "E:SERROR.c10692.Mdivision by zero.C22012.dBACKEND.. Z:E"),
        (
            "select 1",
            "E:SERROR.c0.Mcurrent transaction is aborted, commands ignored until end of \
             transaction block, firstChar[Q].C25P02.dBACKEND.. Z:E",
        ),
        ("rollback", "C:ROLLBACK. Z:I"),
        (
            "do $$ begin raise notice 'hi %', 1; end $$",
            "N:SNOTICE.c0.Mhi 1.C00000.dBACKEND.. \
             C:ANONYMOUS BLOCK EXECUTE. Z:I",
        ),
        ("set session_timeout = 0", "C:SET. Z:I"),
    ] {
        let said = text(&raw.query(sql));
        assert_eq!(said, answer, "{sql}");
    }
}

/// Parse of an insert with two parameters, and a batch bind of `rows`.
fn batch(sql: &str, rows: &[(i32, &str)]) -> Vec<u8> {
    let mut out = frame(b'P', format!("s\0{sql}\0\0\0").as_bytes());
    let count = i32::try_from(rows.len()).unwrap().to_be_bytes();
    let mut body = [&count[..], b"\0s\0\0\0\0\0\0\x02"].concat();
    for (id, name) in rows {
        for value in [id.to_string(), name.to_string()] {
            body.extend_from_slice(&i32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend_from_slice(value.as_bytes());
        }
    }
    body.extend_from_slice(b"E\0\0\0\0\0");
    out.extend_from_slice(&frame(b'U', &body));
    out.extend_from_slice(&frame(b'S', b""));
    out
}

#[test]
fn a_batch_bind_has_one_answer() {
    let front = front();
    let mut raw = Raw::login(&front);
    raw.query("create temporary table b (id int primary key, name text)");
    raw.send(&batch("insert into b values ($1, $2)", &[(1, "a"), (2, "b"), (3, "c")]));
    assert_eq!(text(&raw.until_ready()), "1: 2: C:INSERT 0 3. Z:I");
    raw.send(&frame(b'C', b"Ss\0"));
    raw.send(&batch("insert into b values ($1, $2)", &[(4, "a"), (1, "b"), (5, "c")]));
    let said = text(&raw.until_ready());
    assert!(said.starts_with("3: 1: 2: E:SERROR.c0.Mduplicate key"), "{said}");
    assert!(said.contains(" Z:I") && !said.contains(" C:"), "{said}");
    // All or nothing, as one statement; and the session goes on in step.
    let said = text(&raw.query("select count(*)::text from b"));
    assert!(said.ends_with("3 C:SELECT 1. Z:I"), "{said}");
    assert_eq!(front.batches(), 2);
}

#[test]
fn an_idle_session_ends() {
    let mut options = Options::before(pg::shared(15));
    options.session_timeout = Duration::from_millis(1500);
    let front = Front::start(options);
    let mut raw = Raw::login(&front);
    // A statement that takes longer is not idle.
    assert!(text(&raw.query("select pg_sleep(2)")).ends_with("Z:I"));
    let said = text(&raw.until_ready());
    assert_eq!(
        said,
        "N:SWARNING.c0.MSession unused timeout..C01000.dBACKEND.. \
         E:SFATAL.c0.Mterminating connection due to administrator command.C57P01.dBACKEND.."
    );
    let mut raw = Raw::login(&front);
    raw.query("set session_timeout = 0");
    thread::sleep(Duration::from_millis(2500));
    assert!(text(&raw.query("select 1")).ends_with("Z:I"));
}

#[test]
fn ten_wrong_passwords_lock_the_account() {
    let front = front();
    for _ in 0..10 {
        assert!(text(&Raw::open(&front, "wrong").1).contains("C28P01."));
    }
    let said = text(&Raw::open(&front, PASSWORD).1);
    assert_eq!(said, "E:SFATAL.c0.MThe account has been locked..C28000.dBACKEND..");
}

#[test]
fn a_cancel_request_is_obeyed_without_an_answer() {
    let front = front();
    let mut raw = Raw::login(&front);
    raw.send(&frame(b'Q', b"select pg_sleep(20)\0"));
    let cancel = |key: &[u8]| {
        let mut other = TcpStream::connect(("127.0.0.1", front.port())).unwrap();
        other.write_all(&[b"\0\0\0\x10\x04\xd2\x16\x2e", key].concat()).unwrap();
        assert_eq!(other.read_to_end(&mut Vec::new()).unwrap(), 0);
    };
    cancel(&[0; 8]);
    // A request that comes before the statement is lost; the next one is not.
    let key = raw.key.clone();
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(Duration::from_millis(300)) == Err(Timeout) {
                cancel(&key);
            }
        });
        assert!(text(&raw.until_ready()).contains("C57014."));
        done.send(()).unwrap();
    });
}
