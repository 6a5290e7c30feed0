//! Servers that break the rules before the session begins: nothing secret is sent, the login ends
//! with an error of the right class, and the client can log in elsewhere afterwards.

use barepg::{AuthMethods, Config, Dialect, ErrorKind, Outcome, ProtocolError, limits};

use super::crypto::{PASSWORD, Scram, exchange, md5_answer};
use super::peer::{Delivery, show};
use super::play::Scenario;
use super::startup::{SCRAM, config};
use super::transcript::read;

/// How a login may end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Class {
    Protocol,
    Auth,
    Server,
    TimedOut,
    Capacity,
}

pub fn class(kind: ErrorKind) -> Option<Class> {
    Some(match kind {
        ErrorKind::Protocol(_) => Class::Protocol,
        ErrorKind::Auth(_) => Class::Auth,
        ErrorKind::Server(_) => Class::Server,
        ErrorKind::TimedOut => Class::TimedOut,
        ErrorKind::Capacity { .. } => Class::Capacity,
        _ => return None,
    })
}

/// Where in the login the server turns bad.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// After StartupMessage.
    First,
    /// After SCRAM's client-first.
    Sasl,
    /// After SCRAM's client-final.
    Proof,
    /// After a verified server-final.
    Verified,
    /// After AuthenticationOk.
    Settling,
}
use Place::*;

struct Bench {
    scram: Scram,
    cases: u32,
}

impl Bench {
    fn new() -> Self {
        Self { scram: exchange(8), cases: 0 }
    }

    /// Plays one case: `lines` is what the server says at that place.
    fn case(&mut self, place: Place, lines: &str, expected: Class) {
        let base = config().scram_iterations(8, 20_000);
        for dialect in [Dialect::Auto, Dialect::PostgreSql] {
            self.play(base.dialect(dialect), place, lines, expected);
        }
    }

    fn play(&mut self, config: Config<'static>, place: Place, lines: &str, expected: Class) {
        self.cases += 1;
        let scram: Vec<&str> = SCRAM.trim().lines().collect();
        let before = match place {
            First => String::new(),
            Sasl => scram[..2].join("\n"),
            Proof => scram[..4].join("\n"),
            Verified => scram.join("\n"),
            Settling => "<<< R 0".into(),
        };
        let names = [
            ("server-first", self.scram.server_first.as_str()),
            ("client-final", self.scram.client_final.as_str()),
            ("server-final", self.scram.server_final.as_str()),
        ];
        let text = format!(">>> any start\n{before}\n{lines}\n>>> deaf");
        let scenario = Scenario {
            name: "hostile login",
            config,
            script: read(&text, &names),
            rx: 512,
            tx: limits::MIN_TX,
            work: |_, log| {
                log.push("logged in".into());
                Ok(())
            },
            leaves_answers: false,
        };
        for delivery in [
            Delivery::WHOLE,
            Delivery { read: 1, ..Delivery::WHOLE },
            Delivery { pauses: true, read: 7, ..Delivery::WHOLE },
        ] {
            let played = scenario.play(delivery);
            let context = format!("{place:?}: {lines}: {:?}", played.result);
            assert!(played.log.is_empty(), "{context}: logged in");
            let error = played.result.expect_err(&context);
            assert_eq!(class(error.kind()), Some(expected), "{context}");
            let outcome =
                if expected == Class::Server { Outcome::Refused } else { Outcome::NotSent };
            assert_eq!(error.outcome(), outcome, "{context}");
            assert!(!error.is_usable(), "{context}");
            self.nothing_secret(place, &played.written, &context);
        }
    }

    fn nothing_secret(&self, place: Place, written: &[u8], context: &str) {
        let has = |what: &[u8]| written.windows(what.len()).any(|window| window == what);
        assert!(!has(PASSWORD.as_bytes()), "{context}: sent {}", show(written));
        assert!(!has(b"md5"), "{context}: sent {}", show(written));
        if matches!(place, First | Sasl | Settling) {
            assert!(!has(b",p="), "{context}: sent {}", show(written));
        } else {
            let once = written.windows(3).filter(|window| *window == b",p=").count();
            assert_eq!(once, 1, "{context}: sent {}", show(written));
        }
    }
}

/// A body of `length` bytes that no message type is happy with, but as long as they like.
fn message(tag: u8, length: u32, body: usize) -> String {
    let hex: String = [&[tag][..], &length.to_be_bytes()]
        .concat()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let body = if body == 0 { String::new() } else { format!(" #{}", "00".repeat(body)) };
    format!("<<< raw #{hex}{body}")
}

#[test]
fn types_that_are_not_legal_yet() {
    let mut bench = Bench::new();
    for tag in 0..=255_u8 {
        for (place, legal) in [
            (First, &b"RvNE"[..]),
            (Sasl, b"RNE"),
            (Proof, b"RNE"),
            (Verified, b"RNE"),
            (Settling, b"SKZNE"),
        ] {
            if !legal.contains(&tag) {
                bench.case(place, &message(tag, 4, 0), Class::Protocol);
                bench.case(place, &message(tag, 12, 8), Class::Protocol);
            }
        }
    }
    assert!(bench.cases > 4000);
}

#[test]
fn lengths_that_are_no_lengths() {
    let mut bench = Bench::new();
    let lengths = [0, 1, 2, 3, 0x4000_0004, 0x7fff_ffff, 0x8000_0000, 0xffff_fffb, u32::MAX];
    for length in lengths {
        for tag in *b"RvNESKZTD" {
            for place in [First, Sasl, Proof, Verified, Settling] {
                bench.case(place, &message(tag, length, 0), Class::Protocol);
            }
        }
    }
    // Longer than an unknown peer is granted, shorter than the content.
    for (place, tag, length) in [
        (First, b'R', 2005),
        (First, b'R', 7),
        (First, b'E', 30_005),
        (First, b'N', 30_005),
        (First, b'E', 4),
        (First, b'N', 4),
        (First, b'v', 11),
        (First, b'v', 2005),
        (Settling, b'K', 11),
        (Settling, b'K', 265),
        (Settling, b'S', 5),
        (Settling, b'S', 65_541),
        (Settling, b'Z', 4),
        (Settling, b'Z', 7),
    ] {
        bench.case(place, &message(tag, length, 0), Class::Protocol);
    }
}

#[test]
fn peers_that_are_no_postgresql() {
    let mut bench = Bench::new();
    for raw in [
        "'HTTP/1.1 400 Bad Request\\x0d\\n\\x0d\\n'",
        "'SSH-2.0-OpenSSH_9.2\\x0d\\n'",
        "'220 mail.example ESMTP\\x0d\\n'",
        "'-ERR unknown command\\x0d\\n'",
        "'+OK POP3 ready\\x0d\\n'",
        "'RFB 003.008\\n'",
        // MySQL's greeting, a TLS alert, the start of a ServerHello, telnet's negotiation.
        "#4a0000000a382e302e3336",
        "#15030100020228",
        "#160303007a020000760303",
        "#fffd18fffd20",
        // The errors of protocol 2, which still come from a postmaster that cannot fork.
        "'EFATAL:  sorry, too many clients already\\n' #00",
        "'Ecould not fork new process for connection\\n' #00",
        "#00000000000000000000",
        "#ffffffffffffffffffff",
        // Answers to requests that were not made: SSLRequest, GSSENCRequest.
        "'SSSSSS'",
        "'GGGGGG'",
    ] {
        bench.case(First, &format!("<<< raw {raw}"), Class::Protocol);
    }
    for silence in ["", "<<< raw 'S'", "<<< raw 'N'", "<<< raw #5200", "<<< raw #520000000800"] {
        bench.case(First, silence, Class::TimedOut);
    }
    bench.case(First, "<<< R 10", Class::Auth);
}

#[test]
fn requests_that_are_not_answered() {
    let mut bench = Bench::new();
    for request in [
        // What the policy does not allow.
        "R 3",
        "R 5 #01020304",
        // With a content that is not theirs.
        "R 0 #00",
        "R 3 #00",
        "R 5",
        "R 5 #010203",
        "R 5 #0102030405",
        // Methods that are unknown here: Kerberos, crypt, SCM, GSS, SSPI, none at all.
        "R 1",
        "R 2",
        "R 4 #0102",
        "R 6",
        "R 7",
        "R 8",
        "R 9",
        "R 14",
        "R 255",
        "R -1",
        "R -2147483648",
        // SCRAM's later messages without its first.
        "R 11",
        "R 11 {server-first}",
        "R 12",
        "R 12 {server-final}",
        // Lists of mechanisms.
        "R 10 #00",
        "R 10 #0000",
        "R 10 \"SCRAM-SHA-256\"",
        "R 10 'SCRAM-SHA-256'",
        "R 10 \"scram-sha-256\" #00",
        "R 10 \"SCRAM-SHA-1\" #00",
        "R 10 \"SCRAM-SHA-256-PLUS\" #00",
        "R 10 \"OAUTHBEARER\" #00",
        "R 10 \"SCRAM-SHA-256 \" #00",
        "R 10 \"SCRAM-SHA-256\" #0000",
        "R 10 #00 \"SCRAM-SHA-256\" #00",
        "R 10 \"SCRAM-SHA-256\" #00 \"x\" #00",
    ] {
        bench.case(First, &format!("<<< {request}"), Class::Auth);
    }
}

#[test]
fn versions_that_were_not_offered() {
    let mut bench = Bench::new();
    for content in [
        "131072 0", // 2.0
        "0 0",
        "196607 0",
        "196660 0", // 3.52
        "262144 0", // 4.0
        "-1 0",
        "196608 1 \"_pq_.x\"", // options that were not sent
        "196608 1",
        "196608 -1",
        "196608 0 #00",
        "196608 0 \"x\"",
    ] {
        bench.case(First, &format!("<<< v {content}"), Class::Protocol);
    }
    // Twice; after a request.
    bench.case(First, "<<< v 196608 0\n<<< v 196608 0", Class::Protocol);
    bench.case(Sasl, "<<< v 196608 0", Class::Protocol);
    bench.case(Settling, "<<< v 196608 0", Class::Protocol);
    // More than was asked for.
    let plain = config().dialect(Dialect::PostgreSql);
    bench.play(plain, First, "<<< v 196610 0", Class::Protocol);
}

#[test]
fn scram_messages_out_of_order() {
    let mut bench = Bench::new();
    for request in ["R 0", "R 3", "R 5 #01020304", "R 10 \"SCRAM-SHA-256\" #00", "R 7", "R -1"] {
        bench.case(Sasl, &format!("<<< {request}"), Class::Auth);
        bench.case(Proof, &format!("<<< {request}"), Class::Auth);
        if request != "R 0" {
            bench.case(Verified, &format!("<<< {request}"), Class::Auth);
        }
        // Also with a policy that would answer it as a first request.
        let config = config().scram_iterations(8, 8).require_auth(
            AuthMethods::PASSWORD
                .or(AuthMethods::MD5)
                .or(AuthMethods::SCRAM_SHA_256)
                .or(AuthMethods::NONE),
        );
        bench.play(config, Sasl, &format!("<<< {request}"), Class::Auth);
        bench.play(config, Proof, &format!("<<< {request}"), Class::Auth);
    }
    bench.case(Sasl, "<<< R 12 {server-final}", Class::Auth);
    bench.case(Proof, "<<< R 11 {server-first}", Class::Auth);
    bench.case(Verified, "<<< R 11 {server-first}", Class::Auth);
    bench.case(Verified, "<<< R 12 {server-final}", Class::Auth);
    bench.case(Verified, "<<< K 1 2\n<<< Z 'I'", Class::Protocol);
    for place in [Sasl, Proof, Verified] {
        bench.case(place, "<<< E 'SFATAL' #00 'C28P01' #00 #00", Class::Server);
        bench.case(place, "", Class::TimedOut);
    }
}

#[test]
fn server_first_messages_that_are_refused_before_any_hashing() {
    let mut bench = Bench::new();
    const N: &str = super::peer::NONCE;
    let salt = "YSBzYWx0";
    for iterations in [
        "0",
        "1",
        "7",
        "20001",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967304",
        "9999999999",
        "18446744073709551624",
        "-8",
        "+8",
        " 8",
        "8 ",
        "08",
        "0x8",
        "8.0",
        "8e0",
        "",
        "eight",
        "8\\x00",
    ] {
        let first = format!("<<< R 11 'r={N}x,s={salt},i={iterations}'");
        bench.case(Sasl, &first, Class::Auth);
    }
    for first in [
        "".into(),
        "r=".into(),
        format!("r={N}"),
        format!("r={N},s={salt},i=8"),
        format!("r=x{N},s={salt},i=8"),
        format!("r={},s={salt},i=8", &N[..23]),
        format!("r={},s={salt},i=8", N.to_lowercase()),
        format!("r={N} x,s={salt},i=8"),
        format!("r={N}\\x7f,s={salt},i=8"),
        format!("r={N}\\x00x,s={salt},i=8"),
        format!("r={N}\\xc3\\xa9,s={salt},i=8"),
        format!("r={N}x,s=,i=8"),
        format!("r={N}x,s=YSBzYWx,i=8"),
        format!("r={N}x,s=YSBz*Wx0,i=8"),
        format!("r={N}x,s=YSBzYWx0=,i=8"),
        format!("r={N}x,s=====,i=8"),
        format!("r={N}x,i=8,s={salt}"),
        format!("r={N}x,i=8"),
        format!("r={N}x,s={salt}"),
        format!("s={salt},i=8,r={N}x"),
        format!("m=ext,r={N}x,s={salt},i=8"),
        format!("R={N}x,S={salt},I=8"),
        format!("r={N}x,s={salt},x=1,i=8"),
        format!("r={N}x,,s={salt},i=8"),
        format!(" r={N}x,s={salt},i=8"),
        "e=unknown-user".into(),
        "v=abcd".into(),
    ] {
        bench.case(Sasl, &format!("<<< R 11 '{first}'"), Class::Auth);
    }
    // A board keeps to 64 bytes of salt, a host takes whatever fits.
    if cfg!(not(feature = "std")) {
        let first = format!("<<< R 11 'r={N}x,s={},i=8'", "YWFh".repeat(22));
        bench.case(Sasl, &first, Class::Auth);
    }
    // A nonce that does not fit the receive buffer: said so, not cut.
    let long = format!("<<< R 11 'r={N}{},s={salt},i=8'", "x".repeat(600));
    bench.case(Sasl, &long, Class::Capacity);
}

#[test]
fn server_final_messages_that_prove_nothing() {
    let mut bench = Bench::new();
    let right = bench.scram.server_final.clone();
    let mut wrong = right.clone().into_bytes();
    wrong[2] = if wrong[2] == b'A' { b'B' } else { b'A' };
    let wrong = String::from_utf8(wrong).unwrap();
    for last in [
        "",
        "v",
        "v=",
        "v=AAAA",
        &wrong,
        &right[..right.len() - 1],
        &right[..right.len() - 4],
        &format!("{right}="),
        &format!("{right}AAAA"),
        &format!("{right},x=y"),
        &format!(" {right}"),
        &right.replace("v=", "V="),
        "e=other-error",
        "e=invalid-proof",
        "e=",
    ] {
        bench.case(Proof, &format!("<<< R 12 '{last}'"), Class::Auth);
        bench.case(Proof, &format!("<<< R 12 '{last}'\n<<< R 0\n<<< Z 'I'"), Class::Auth);
    }
}

#[test]
fn from_authentication_to_ready() {
    let mut bench = Bench::new();
    for lines in [
        "<<< R 0",
        "<<< R 3",
        "<<< R 5 #01020304",
        "<<< R 10 \"SCRAM-SHA-256\" #00",
        "<<< Z 'X'",
        "<<< Z #00",
        "<<< Z 'i'",
        "<<< S 'a'",
        "<<< S \"a\"",
        "<<< S \"a\" 'b'",
        "<<< S \"a\" \"b\" \"c\"",
        "<<< S \"a\" \"b\" 'c'",
        "<<< S \"client_encoding\" \"SQL_ASCII\"",
        "<<< S \"client_encoding\" \"GB18030\"",
        "<<< S \"client_encoding\" \"\"",
        "<<< A 1 \"a\" \"b\"",
        "<<< T 0s",
        "<<< D 0s",
        "<<< C \"SELECT\"",
        "<<< I",
        "<<< 1",
        "<<< G 0b 0s",
    ] {
        bench.case(Settling, lines, Class::Protocol);
    }
    for lines in ["", "<<< K 1 2", "<<< K 1 2\n<<< K 1 2", "<<< N 'SFATAL' #00 'C57P01' #00 #00"] {
        bench.case(Settling, lines, Class::TimedOut);
    }
}

#[test]
fn floods() {
    let mut bench = Bench::new();
    let notices = "<<< N 'Mspam' #00 #00\n".repeat(1100);
    for place in [First, Sasl, Proof, Verified, Settling] {
        bench.play(config().scram_iterations(8, 8), place, &notices, Class::TimedOut);
    }
    let parameters = "<<< S \"a\" \"b\"\n".repeat(1100);
    bench.play(config(), Settling, &parameters, Class::TimedOut);
    let mixed = "<<< S \"a\" \"b\"\n<<< N 'x' #00 #00\n".repeat(600);
    bench.play(config(), Settling, &mixed, Class::TimedOut);
}

/// What names a method allows it, but only once and only that.
#[test]
fn answers_are_given_once() {
    let md5 = md5_answer([1, 2, 3, 4]);
    for (method, request, answer) in [
        (AuthMethods::PASSWORD, "R 3", format!(">>> p '{PASSWORD}' #00")),
        (AuthMethods::MD5, "R 5 #01020304", format!(">>> p '{md5}' #00")),
    ] {
        for again in ["R 3", "R 5 #01020304", "R 10 \"SCRAM-SHA-256\" #00", "R 11", "R 12"] {
            let text = format!(">>> any start\n<<< {request}\n{answer}\n<<< {again}\n>>> deaf");
            let scenario = Scenario {
                name: "twice",
                config: config().require_auth(
                    method
                        .or(AuthMethods::MD5)
                        .or(AuthMethods::PASSWORD)
                        .or(AuthMethods::SCRAM_SHA_256),
                ),
                script: read(&text, &[]),
                rx: 512,
                tx: 512,
                work: |_, _| panic!("logged in"),
                leaves_answers: false,
            };
            let played = scenario.play(Delivery::WHOLE);
            let error = played.result.unwrap_err();
            assert_eq!(class(error.kind()), Some(Class::Auth), "{request} {again}");
            let answers = played.written.iter().filter(|byte| **byte == b'p').count();
            let inside = answer.matches('p').count() - 1;
            // The start-up message has no `p`.
            assert_eq!(answers, 1 + inside, "{request} {again}: {}", show(&played.written));
        }
    }
}

/// A method named alone refuses every other way in, trust too.
#[test]
fn a_login_that_asks_for_less_than_required_is_refused() {
    let mut bench = Bench::new();
    let strict = config().require_auth(AuthMethods::SCRAM_SHA_256).scram_iterations(8, 8);
    for request in ["R 0", "R 3", "R 5 #01020304"] {
        let lines = format!("<<< {request}\n<<< K 1 2\n<<< Z 'I'");
        bench.play(strict, First, &lines, Class::Auth);
    }
    // A list that takes away does not name what is left: no password without TLS.
    let text = "user=u password=Tr0ub4dor&3 dbname=d sslmode=disable require_auth=!none";
    let mut scratch = [0; 64];
    let negated = Config::parse(text, &mut scratch).unwrap();
    // Scripts want a configuration that lives as long as the test.
    let methods = AuthMethods::all_but(AuthMethods::NONE);
    assert!(format!("{negated:?}").contains(&format!("{methods:?}")));
    let negated = config().require_auth(methods);
    for request in ["R 0", "R 3", "R 5 #01020304"] {
        bench.play(negated, First, &format!("<<< {request}"), Class::Auth);
    }
}

#[test]
fn the_reason_is_told() {
    let one = |lines: &str| {
        let text = format!(">>> any start\n{lines}\n>>> deaf");
        let scenario = Scenario {
            name: "reason",
            config: config(),
            script: read(&text, &[]),
            rx: 512,
            tx: 512,
            work: |_, _| Ok(()),
            leaves_answers: false,
        };
        scenario.play(Delivery::WHOLE).result.unwrap_err().kind()
    };
    use ProtocolError as P;
    assert_eq!(one("<<< raw 'HTTP/1.1 200'"), ErrorKind::Protocol(P::NotPostgres));
    assert_eq!(one("<<< raw 'SSH-2.0-OpenSSH'"), ErrorKind::Protocol(P::NotPostgres));
    assert_eq!(one("<<< raw 'Ecould not fork\\n' #00"), ErrorKind::Protocol(P::BadLength));
    assert_eq!(one("<<< v 131072 0"), ErrorKind::Protocol(P::BadVersion));
    assert_eq!(one("<<< raw #5200000003"), ErrorKind::Protocol(P::BadLength));
    let encoding = "<<< R 0\n<<< S \"client_encoding\" \"LATIN1\"";
    assert_eq!(one(encoding), ErrorKind::Protocol(P::Encoding));
    assert_eq!(one(&"<<< N #00\n".repeat(1001)), ErrorKind::TimedOut);
}
