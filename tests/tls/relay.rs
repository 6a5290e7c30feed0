//! A machine on the way that passes logins on to the real server, showing certificates of its own:
//! what gets through is what docs/tls.md says, for every `sslmode`, `channel_binding` and
//! signature algorithm.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use barepg::{AuthError, ChannelBinding, ErrorKind, SslMode};
use barepg_testkit::child::Process;
use barepg_testkit::libpq::Libpq;
use barepg_testkit::pki::{Spec, Workshop, s_server};

use crate::common::role;
use crate::harness::{Server, Setup, Table};

/// How the relay's certificates are signed: a name, the authority's key, options of the signature.
const ALGORITHMS: [(&str, &str, &str); 11] = [
    ("p256", "P-256", "-sha256"),
    ("p256-sha384", "P-256", "-sha384"),
    ("p384", "P-384", "-sha384"),
    ("p521", "P-521", "-sha512"),
    ("rsa", "rsa:2048", "-sha256"),
    ("rsa-sha512", "rsa:2048", "-sha512"),
    ("rsa-sha1", "rsa:2048", "-sha1"),
    ("rsa-sha224", "rsa:2048", "-sha224"),
    ("pss", "rsa:2048", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"),
    ("pss-sha384", "rsa:2048", "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
    ("ed25519", "ed25519", ""),
];

/// Those that a chain may be verified with.
fn is_known(algorithm: &str) -> bool {
    !matches!(algorithm, "p521" | "rsa-sha1" | "rsa-sha224")
}

/// What the relay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// TLS on both sides, messages as they are.
    Tls,
    /// The same, and the server's offer of channel binding is taken out.
    Stripped,
    /// The same, and the offer of SCRAM without channel binding is taken out.
    BoundAlone,
    /// TLS with the client only.
    PlainServer,
    /// No TLS: it says that the server has none.
    NoTls,
    /// The same, but it has TLS with the server, whose offer of channel binding it passes on.
    PlainClient,
}

const WAYS: [Way; 5] = [Way::Tls, Way::Stripped, Way::PlainServer, Way::NoTls, Way::PlainClient];

/// What docs/tls.md says: whether a machine on the way gets a login through.
fn gets_through(mode: SslMode, binding: ChannelBinding, way: Way, trusted: Trusted) -> bool {
    let tls_demanded = matches!(mode, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull);
    let says_no = matches!(way, Way::NoTls | Way::PlainClient);
    // `disable` and `allow` begin without TLS, and then all ways are alike.
    let has_tls = tls_demanded || mode == SslMode::Prefer && !says_no;
    match (binding, trusted) {
        (ChannelBinding::Require, _) => false,
        // A server offers no binding where it has no TLS.
        _ if way == Way::PlainClient => false,
        _ if !has_tls => true,
        _ if way == Way::NoTls => false,
        (_, Trusted::Others) => false,
        (_, Trusted::Same) if mode == SslMode::VerifyFull => false,
        (ChannelBinding::Disable, _) => true,
        // With `prefer` the server notices, unless its own link has no TLS.
        _ => way == Way::PlainServer,
    }
}

/// What the client has in `sslrootcert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trusted {
    /// Nothing.
    Nothing,
    /// The authority of the server, which is not the relay's.
    Others,
    /// An authority that signed the relay's certificate, for another host.
    Same,
}

#[test]
fn what_a_relay_gets_through_is_what_the_table_says() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("server", "root"));
    for (name, key, sign) in ALGORITHMS {
        let root = format!("root-{name}");
        // A root signs itself with what the program takes by default.
        w.make(&Spec { key, sign: "", ..Spec::root(&root, &format!("/CN={root}")) });
        let extensions = "basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:other.test";
        w.make(&Spec { extensions, sign, ..Spec::leaf(name, &root) });
    }
    let server = Server::start(15, &[]);
    server.present(&w, "server", "server");
    let mut files = Table::default().with_pem("others.crt", &w.path("root", "crt"));
    for (name, ..) in ALGORITHMS {
        let both = [w.der("root"), w.der(&format!("root-{name}"))].concat();
        files = files.with(&format!("{name}.crt"), both);
    }
    use SslMode::{Allow, Disable, Prefer, Require, VerifyCa, VerifyFull};
    use Trusted::{Nothing, Others, Same};
    let of = |algorithm: &'static str| {
        let (mut passed, mut stopped, mut wrong) = (0, 0, Vec::new());
        let roots = format!("{algorithm}.crt");
        for (mode, trusted) in [
            (Disable, Nothing),
            (Allow, Nothing),
            (Prefer, Nothing),
            (Require, Nothing),
            (Prefer, Same),
            (Require, Others),
            (Require, Same),
            (VerifyCa, Others),
            (VerifyCa, Same),
            (VerifyFull, Others),
            (VerifyFull, Same),
        ] {
            for binding in
                [ChannelBinding::Disable, ChannelBinding::Prefer, ChannelBinding::Require]
            {
                let config = role("scram_user")
                    .host("localhost")
                    .sslmode(mode)
                    .channel_binding(binding)
                    .connect_timeout_ms(20_000)
                    .sslrootcert(match trusted {
                        Nothing => "",
                        Others => "others.crt",
                        Same => &roots,
                    });
                for way in WAYS {
                    // Where there is no TLS, one algorithm is like another.
                    let says_no = matches!(way, Way::NoTls | Way::PlainClient);
                    let plain = matches!(mode, Disable | Allow) || says_no;
                    if plain && (algorithm != "p256" || mode == Disable && !says_no) {
                        continue;
                    }
                    // A certificate that is not trusted ends all of them in the same way.
                    if trusted == Others && way != Way::Tls && algorithm != "p256" {
                        continue;
                    }
                    let relay = Relay::start(server.port(), &w, algorithm, way);
                    let login = Setup::new(config, &files).run(relay.port, |c| {
                        c.query_one("select 1", ()).expect("a row").get::<i32>(0).expect("one")
                    });
                    relay.stop();
                    let expected = gets_through(mode, binding, way, trusted)
                        && (trusted != Same || is_known(algorithm) || plain);
                    *(if login.is_ok() { &mut passed } else { &mut stopped }) += 1;
                    if login.is_ok() != expected {
                        wrong.push(format!(
                            "{mode:?}, {binding:?}, {trusted:?}, {algorithm}, {way:?}: {login:?}"
                        ));
                    }
                }
            }
        }
        (passed, stopped, wrong)
    };
    let (mut passed, mut stopped, mut wrong) = (0, 0, Vec::new());
    std::thread::scope(|scope| {
        // Most of it is waiting for programs to start.
        let threads = ALGORITHMS.map(|(algorithm, ..)| {
            scope.spawn({
                let of = &of;
                move || of(algorithm)
            })
        });
        for thread in threads {
            let (more, others, errors) = thread.join().unwrap();
            passed += more;
            stopped += others;
            wrong.extend(errors);
        }
    });
    println!("{passed} logins passed on, as the table says, {stopped} stopped");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(passed > 50 && stopped > 400, "{passed} {stopped}");
    // As libpq says of an offer of the binding where there is no TLS, whatever is asked for.
    for major in [15, 18] {
        let judge = Libpq::load(major);
        for binding in ["disable", "prefer"] {
            let relay = Relay::start(server.port(), &w, "p256", Way::PlainClient);
            let conninfo = format!(
                "host=127.0.0.1 port={} dbname=test user=scram_user password=scram_user_pw \
                 sslmode=prefer channel_binding={binding} gssencmode=disable connect_timeout=20",
                relay.port
            );
            let message = judge.connect_error(&conninfo).unwrap_or_default();
            relay.stop();
            assert!(message.contains("over a non-SSL connection"), "{major}, {binding}: {message}");
        }
    }
    // And the server itself is logged in to.
    for binding in [ChannelBinding::Disable, ChannelBinding::Prefer, ChannelBinding::Require] {
        let config = role("scram_user").host("localhost").sslmode(VerifyFull);
        let config = config.sslrootcert("others.crt").channel_binding(binding);
        assert_eq!(Setup::new(config, &files).login(server.port()), Ok(true), "{binding:?}");
    }
}

/// A server that lets no one in without the binding offers nothing else.
#[test]
fn a_server_may_offer_the_bound_mechanism_alone() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("server", "root"));
    let server = Server::start(15, &[]);
    server.present(&w, "server", "server");
    let files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    let login = |mode: SslMode, binding| {
        // With the server's own certificate and key: it stands for a server.
        let relay = Relay::start(server.port(), &w, "server", Way::BoundAlone);
        let config = role("scram_user").host("localhost").sslmode(mode).channel_binding(binding);
        let login = Setup::new(config.sslrootcert("root.crt"), &files).login(relay.port);
        relay.stop();
        login
    };
    for binding in [ChannelBinding::Prefer, ChannelBinding::Require] {
        assert_eq!(login(SslMode::VerifyFull, binding), Ok(true), "{binding:?}");
    }
    let refused = login(SslMode::VerifyFull, ChannelBinding::Disable).unwrap_err();
    assert_eq!(refused.0, ErrorKind::Auth(AuthError::ChannelBinding));
}

/// Serves one connection.
pub struct Relay {
    pub port: u16,
    thread: std::thread::JoinHandle<()>,
    children: Children,
}

type Children = Arc<Mutex<Vec<End>>>;

/// What ends with a relay.
enum End {
    Program(Process),
    Link(TcpStream),
}

impl Relay {
    fn start(server: u16, w: &Workshop, certificate: &str, way: Way) -> Self {
        Self::selecting(server, w, certificate, way, None)
    }

    /// One whose side towards the client selects among these protocols (ALPN).
    pub fn selecting(
        server: u16,
        w: &Workshop,
        certificate: &str,
        way: Way,
        protocols: Option<&'static str>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let children = Children::default();
        let mine = children.clone();
        let pair = w.pair(certificate);
        let thread = std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            // A client that hangs up is what most of this is about.
            let _ = relay(client, server, &pair, (way, protocols), &mine);
            mine.lock().unwrap().iter_mut().for_each(end);
        });
        Self { port, thread, children }
    }

    pub fn stop(self) {
        // A client that never came: none of the tests'.
        self.thread.join().unwrap();
        self.children.lock().unwrap().iter_mut().for_each(end);
    }
}

fn end(end: &mut End) {
    match end {
        End::Program(program) => program.kill(),
        End::Link(stream) => drop(stream.shutdown(Shutdown::Both)),
    }
}

fn relay(
    mut client: TcpStream,
    server: u16,
    pair: &[String; 2],
    (way, protocols): (Way, Option<&str>),
    children: &Children,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut first = [0; 8];
    client.read_exact(&mut first)?;
    let wants_tls = first == [0, 0, 0, 8, 4, 210, 22, 47];
    // A handshake record: TLS at once.
    let is_direct = first[0] == 22;
    let says_no = matches!(way, Way::NoTls | Way::PlainClient);
    if wants_tls && says_no {
        client.write_all(b"N")?;
    }
    let front = (wants_tls || is_direct) && !says_no;
    // Towards the server.
    let (from_server, mut to_server): (Box<dyn Read + Send>, Box<dyn Write + Send>) = match way {
        Way::PlainClient => through_tls(server, children),
        Way::Tls | Way::Stripped | Way::BoundAlone if front => through_tls(server, children),
        _ => {
            let stream = TcpStream::connect(("127.0.0.1", server))?;
            stream.set_nodelay(true)?;
            children.lock().unwrap().push(End::Link(stream.try_clone()?));
            (Box::new(stream.try_clone()?), Box::new(stream))
        }
    };
    let strip = match way {
        Way::Stripped => Some(PLUS),
        Way::BoundAlone => Some(ALONE),
        _ => None,
    };
    let from_server = Rewritten { inner: from_server, strip, begun: false };
    if !front {
        if !wants_tls {
            to_server.write_all(&first)?;
        }
        let (read, write) = (client.try_clone()?, client.try_clone()?);
        return pump(read, to_server, from_server, write);
    }
    // Towards the client: the program speaks TLS on a socket, and passes on what is in it.
    // SHA-1 too: what it shows is its own choice.
    let mut args = vec!["-cipher", "ALL:@SECLEVEL=0"];
    args.extend(protocols.iter().flat_map(|protocols| ["-alpn", protocols]));
    let (program, mut tls) = s_server(pair, &args).expect("openssl listens");
    let (from_client, to_client) = pipes(program, children);
    match is_direct {
        true => tls.write_all(&first)?,
        false => client.write_all(b"S")?,
    }
    let (read, write) = (client.try_clone()?, client);
    let (tls_read, tls_write) = (tls.try_clone()?, tls);
    std::thread::spawn(move || pump(from_client, to_server, from_server, to_client));
    pump(read, tls_write, tls_read, write)
}

fn through_tls(server: u16, children: &Children) -> Pipes {
    let to = format!("127.0.0.1:{server}");
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-starttls", "postgres", "-connect", &to]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    pipes(Process::start(&mut command).expect("openssl runs"), children)
}

type Pipes = (Box<dyn Read + Send>, Box<dyn Write + Send>);

/// What the program says, and what it is told.
fn pipes(mut program: Process, children: &Children) -> Pipes {
    let (says, hears) = (program.stdout().unwrap(), program.stdin().unwrap());
    children.lock().unwrap().push(End::Program(program));
    (Box::new(says), Box::new(hears))
}

/// Copies both ways until one of them ends.
fn pump(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    mut back_from: impl Read + Send + 'static,
    mut back_to: impl Write + Send + 'static,
) -> std::io::Result<()> {
    let (ended, end) = std::sync::mpsc::channel();
    let other = ended.clone();
    std::thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = ended.send(());
    });
    std::thread::spawn(move || {
        let _ = copy(&mut back_from, &mut back_to);
        let _ = other.send(());
    });
    let _ = end.recv();
    Ok(())
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut buf = [0; 4096];
    loop {
        let length = from.read(&mut buf)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buf[..length])?;
        to.flush()?;
    }
}

const PLUS: &[u8] = b"SCRAM-SHA-256-PLUS\0";
const ALONE: &[u8] = b"SCRAM-SHA-256\0";

/// Takes a mechanism out of the server's first message.
struct Rewritten<R> {
    inner: R,
    strip: Option<&'static [u8]>,
    begun: bool,
}

impl<R: Read> Read for Rewritten<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buf)?;
        let strip = self.strip.filter(|_| !std::mem::replace(&mut self.begun, true));
        let message = buf[..length].to_vec();
        let find = |name: &[u8]| message.windows(name.len()).position(|window| window == name);
        let (Some(name), Some(list)) = (strip, find(PLUS)) else { return Ok(length) };
        let Some(at) = find(name) else { return Ok(length) };
        let mut less = [&message[..at], &message[at + name.len()..]].concat();
        // The message's length, before its code. NegotiateProtocolVersion may have come before it.
        less[list - 5] -= u8::try_from(name.len()).unwrap();
        buf[..less.len()].copy_from_slice(&less);
        Ok(less.len())
    }
}
