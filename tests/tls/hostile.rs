//! Servers, or those who pose as them, that break the rules of TLS. What must come of it: an
//! error of the right kind within the deadline, and not a byte after ClientHello.

use std::time::{Duration, Instant};

use barepg::tls::{CertificateError, Files as _, TlsError};
use barepg::{
    AuthError, Buffer, Config, ErrorKind, Outcome, ProtocolError, SslMode, SslNegotiation,
};
use barepg_testkit::pki::{Spec, Workshop};
use p256::ecdsa::SigningKey;

use crate::harness::{Setup, Table};
use crate::rogue::{
    DIRECT, Identity, REQUEST, Seen, Step, WHOLE, Wire, extension, serve, signing_key,
};

/// Time for the login, and for a round trip after it. The server waits longer.
const DEADLINE_MS: u32 = 2000;

/// Certificates of the true server and of others.
struct Cast {
    server: Identity,
    files: Table,
    stranger: SigningKey,
    rsa: Vec<u8>,
}

impl Cast {
    fn new() -> Self {
        let w = Workshop::new();
        w.make(&Spec::root("root", "/CN=Root"));
        w.make(&Spec::leaf("leaf", "root"));
        w.make(&Spec { key: "rsa:2048", ..Spec::leaf("rsa", "root") });
        let extensions = "extendedKeyUsage=clientAuth";
        w.make(&Spec { subject: "/CN=secret_user", extensions, ..Spec::leaf("client", "root") });
        let key = signing_key(&w, "leaf");
        Self {
            server: Identity { chain: vec![w.der("leaf")], key },
            files: Table::default()
                .with("root.crt", w.der("root"))
                .with("client.crt", w.der("client"))
                .with_pem("client.key", &w.path("client", "key")),
            stranger: SigningKey::from_slice(&[7; 32]).unwrap(),
            rsa: w.der("rsa"),
        }
    }

    /// The rest of a right handshake, from `from` on.
    fn right(&self) -> Vec<Step> {
        vec![
            Step::Hello,
            Step::Extensions,
            Step::Certificate,
            Step::Verify(0x0403, self.server.key.clone()),
            Step::Finished,
        ]
    }

    /// Connects in a mode to a server with this script. With `verify-full` there is a client
    /// certificate to be shown.
    fn meet(&self, mode: SslMode, answer: &'static [u8], script: Vec<Step>) -> (Met, Seen) {
        self.meet_over(mode, answer, script, WHOLE)
    }

    fn meet_over(
        &self,
        mode: SslMode,
        answer: &'static [u8],
        script: Vec<Step>,
        wire: Wire,
    ) -> (Met, Seen) {
        let (port, thread) = serve(self.server.clone(), answer, script, wire);
        let config = Config::new()
            .user("secret_user")
            .password("secret_password")
            .host("localhost")
            .sslmode(mode)
            .sslrootcert(if mode == SslMode::Require { "" } else { "root.crt" })
            .connect_timeout_ms(DEADLINE_MS);
        let config = match mode {
            SslMode::VerifyFull => config.sslcert("client.crt").sslkey("client.key"),
            _ => config,
        };
        let config = match answer == DIRECT {
            true => config.sslnegotiation(SslNegotiation::Direct),
            false => config,
        };
        let setup = Setup::new(config, &self.files);
        let begun = Instant::now();
        let met = setup.run(port, |c| {
            c.set_timeout_ms(DEADLINE_MS);
            c.ping().map_err(|error| {
                assert!(!error.is_usable() && error.outcome() != Outcome::NotSent, "{error}");
                error.kind()
            })
        });
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(8), "took {took:?}");
        (met.map_err(|(kind, _)| kind), thread.join().expect("the server's thread"))
    }
}

/// Connecting failed, or it went well and the first round trip did or did not.
type Met = Result<Result<(), ErrorKind>, ErrorKind>;

const UNAUTHENTICATED: ErrorKind = ErrorKind::Tls(TlsError::Unauthenticated);
const ORDER: ErrorKind = ErrorKind::Tls(TlsError::Handshake);
const PROTOCOL: ErrorKind = ErrorKind::Tls(TlsError::NoAlpn);
const NOT_TLS: ErrorKind = ErrorKind::Tls(TlsError::NotTls);
const RECORD: ErrorKind = ErrorKind::Tls(TlsError::Record);

#[test]
fn a_server_that_keeps_the_rules_is_let_in() {
    let cast = Cast::new();
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let mut script = cast.right();
        // ChangeCipherSpec is a custom of middleboxes, tickets one of OpenSSL.
        script.insert(1, Step::Record(20, vec![1]));
        let ticket = vec![4, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 2, 1, 9, 0, 1, 8, 0, 0];
        script.push(Step::LetIn);
        script.extend((0..10).map(|_| Step::Sealed(22, ticket.clone())));
        // Those of clients with certificates are larger than a fragment.
        for (one, other) in (1..ticket.len()).map(|at| ticket.split_at(at)) {
            script.extend([one, other].map(|part| Step::Sealed(22, part.to_vec())));
        }
        script.extend([Step::Sealed(23, Vec::new()), Step::Answer, Step::Wait]);
        let (met, seen) = cast.meet(mode, b"S", script);
        assert_eq!(met, Ok(Ok(())), "{mode:?}");
        assert!(seen.has("secret_user") && !seen.has("secret_password"));
        let name = seen.hello.windows(9).any(|w| w == b"localhost");
        assert!(name, "the name goes into SNI");
    }
}

#[test]
fn nothing_is_sent_to_a_server_that_does_not_prove_itself() {
    let cast = Cast::new();
    let key = || cast.server.key.clone();
    let verify = || Step::Verify(0x0403, key());
    use Step::{
        BadFinished, Certificate, Certificates, Extensions, Finished, Hello, InClear, Sealed,
        Verify, Wait,
    };
    let bent = |bend| vec![Step::BentHello(bend), Extensions, Certificate, verify(), Finished];
    let alert = |kind, level, description| Step::Record(kind, vec![level, description]);
    let request = || Sealed(22, REQUEST.to_vec());
    let message = |kind, length: [u8; 3]| Sealed(22, [&[kind][..], &length, &[0; 60]].concat());
    // A message of this type that begins with `body` and goes on with a Certificate.
    let inside = |kind, body: &[u8]| {
        let content = [body, &[11, 0, 0, 4, 0, 0, 0, 0]].concat();
        Sealed(22, [&[kind, 0, 0, content.len() as u8][..], &content].concat())
    };
    let first = &cast.server.chain[0];
    #[rustfmt::skip]
    let scripts: Vec<(&str, Vec<Step>, ErrorKind)> = vec![
        // Missing.
        ("no certificate", vec![Hello, Extensions, Finished], UNAUTHENTICATED),
        ("Finished only", vec![Hello, Finished], UNAUTHENTICATED),
        ("no proof", vec![Hello, Extensions, Certificate, Finished], UNAUTHENTICATED),
        ("no proof, and a request", vec![Hello, Extensions, Step::Request, Certificate, Finished], UNAUTHENTICATED),
        ("no certificate, and a request", vec![Hello, Extensions, Step::Request, Finished], UNAUTHENTICATED),
        ("proof without certificate", vec![Hello, Extensions, verify(), Finished], ORDER),
        ("no EncryptedExtensions", vec![Hello, Certificate, verify(), Finished], ORDER),
        ("no Finished", vec![Hello, Extensions, Certificate, verify(), Wait], ErrorKind::TimedOut),
        ("data for Finished", vec![Hello, Extensions, Certificate, verify(), Sealed(23, AUTH_OK.to_vec())], RECORD),
        ("empty list", vec![Hello, Extensions, Certificates(vec![]), verify(), Finished], certificate(CertificateError::Missing)),
        ("empty certificate", vec![Hello, Extensions, Certificates(vec![vec![]]), verify(), Finished], certificate(CertificateError::Malformed)),
        ("no content", vec![Hello, Step::Record(23, vec![0; 16])], RECORD),
        ("nothing but padding", vec![Hello, Sealed(0, vec![0; 40])], RECORD),
        ("silence", vec![Wait], ErrorKind::TimedOut),
        ("silence after ServerHello", vec![Hello, Wait], ErrorKind::TimedOut),
        ("silence in a record", vec![Hello, Step::Raw(vec![23, 3, 3, 0, 90, 1, 2]), Wait], ErrorKind::TimedOut),
        // Reordered.
        ("proof before certificate", vec![Hello, Extensions, verify(), Certificate, Finished], ORDER),
        ("certificate before EncryptedExtensions", vec![Hello, Certificate, Extensions, verify(), Finished], ORDER),
        ("EncryptedExtensions after the certificate", vec![Hello, Extensions, Certificate, Extensions, verify(), Finished], ORDER),
        ("EncryptedExtensions after the proof", vec![Hello, Extensions, Certificate, verify(), Extensions, Finished], ORDER),
        ("Finished before certificate", vec![Hello, Extensions, Finished, Certificate, verify()], UNAUTHENTICATED),
        ("Finished before proof", vec![Hello, Extensions, Certificate, Finished, verify()], UNAUTHENTICATED),
        ("request before EncryptedExtensions", vec![Hello, request(), Extensions, Certificate, verify(), Finished], ORDER),
        ("request after the certificate", vec![Hello, Extensions, Certificate, request(), verify(), Finished], ORDER),
        ("request after the proof", vec![Hello, Extensions, Certificate, verify(), request(), Finished], ORDER),
        ("ChangeCipherSpec first", vec![Step::Record(20, vec![1]), Hello], RECORD),
        ("sealed data early", vec![Hello, Extensions, Sealed(23, AUTH_OK.to_vec())], RECORD),
        ("data first", vec![Step::Record(23, vec![0; 40])], RECORD),
        // Repeated.
        ("two ServerHellos", vec![Hello, Hello], RECORD),
        ("a ServerHello sealed", vec![Hello, Sealed(22, vec![2, 0, 0, 0])], RECORD),
        ("two EncryptedExtensions", vec![Hello, Extensions, Extensions, Certificate, verify(), Finished], ORDER),
        ("two requests", vec![Hello, Extensions, request(), request(), Certificate, verify(), Finished], ORDER),
        ("two requests, the first of them with EncryptedExtensions", vec![Hello, Step::ExtensionsAndRequest, request(), Certificate, verify(), Finished], ORDER),
        ("two certificates", vec![Hello, Extensions, Certificate, Certificate, verify(), Finished], ORDER),
        ("two proofs", vec![Hello, Extensions, Certificate, verify(), verify(), Finished], ORDER),
        ("more after Finished", vec![Hello, Extensions, Certificate, verify(), Step::FinishedAndMore], RECORD),
        ("two ChangeCipherSpecs", vec![Hello, Step::Record(20, vec![1]), Step::Record(20, vec![1]), Extensions], RECORD),
        // In the clear.
        ("all in the clear", vec![Hello, InClear, Extensions, InClear, Certificate, InClear, verify(), InClear, Finished], RECORD),
        ("certificate in the clear", vec![Hello, Extensions, InClear, Certificate, verify(), Finished], RECORD),
        ("Finished in the clear", vec![Hello, Extensions, Certificate, verify(), InClear, Finished], RECORD),
        ("more after ServerHello", vec![Step::HelloAndMore, Certificate, verify(), Finished], RECORD),
        // Oversized.
        ("long record", vec![Hello, Step::Record(23, vec![0; 5000])], too_long(5000)),
        ("the longest record", vec![Hello, Step::Raw(vec![23, 3, 3, 0xff, 0xff])], too_long(65_535)),
        ("certificates of 8 KB", vec![Hello, Extensions, message(11, [0, 0x20, 0])], too_long(16_640)),
        ("certificates of 16 MB", vec![Hello, Extensions, message(11, [0xff; 3])], ORDER),
        ("EncryptedExtensions of 8 KB", vec![Hello, message(8, [0, 0x20, 0])], too_long(16_640)),
        ("EncryptedExtensions of 16 MB", vec![Hello, message(8, [0xff; 3])], ORDER),
        ("request of 16 MB", vec![Hello, Extensions, message(13, [0xff; 3])], ORDER),
        ("proof of 16 MB", vec![Hello, Extensions, Certificate, message(15, [0xff; 3])], ORDER),
        ("Finished of 16 MB", vec![Hello, Extensions, Certificate, verify(), message(20, [0xff; 3])], ORDER),
        ("ServerHello of 16 MB", vec![Step::Record(22, [&[2, 0xff, 0xff, 0xff][..], &[0; 60]].concat())], RECORD),
        ("seventeen certificates", vec![Hello, Extensions, Certificates(vec![first[..200].to_vec(); 17]), verify(), Finished], ORDER),
        ("message split", vec![Hello, Extensions, Step::Split, Certificate, verify(), Finished], ORDER),
        // Messages whose lengths say different things: what follows the inner one is a message to
        // one reader and a part to the other.
        ("Certificate in EncryptedExtensions", vec![Hello, inside(8, &[0, 0]), Finished], ORDER),
        ("Certificate in a request", vec![Hello, Extensions, inside(13, &[0, 0, 0]), Finished], ORDER),
        ("Certificate in an empty one", vec![Hello, Extensions, inside(11, &[0, 0, 0, 0]), Finished], ORDER),
        ("Certificate in a proof", vec![Hello, Extensions, Certificate, inside(15, &[4, 3, 0, 0]), Finished], ORDER),
        ("Certificate in Finished", vec![Hello, Extensions, Certificate, verify(), inside(20, &[7; 32])], ORDER),
        ("a short Finished", vec![Hello, Extensions, Certificate, verify(), Sealed(22, vec![20, 0, 0, 1, 7])], ORDER),
        ("an extension that is too long", vec![Hello, Step::ExtensionsOf(vec![0, 10, 0, 9, 0, 2]), Certificate, verify(), Finished], ORDER),
        ("a request with a context", vec![Hello, Extensions, Sealed(22, vec![13, 0, 0, 4, 1, 7, 0, 0]), Certificate, verify(), Finished], ORDER),
        ("a record without a message", vec![Hello, Sealed(22, vec![]), Certificate, verify(), Finished], RECORD),
        ("the end of a message alone", vec![Hello, Sealed(22, vec![8, 0, 0]), Certificate, verify(), Finished], ORDER),
        ("a protocol twice", vec![Hello, Step::ExtensionsOf([extension(16, b"\0\x0b\x0apostgresql"), extension(16, b"\0\x0b\x0apostgresql")].concat()), Certificate, verify(), Finished], PROTOCOL),
        ("another protocol", vec![Hello, Step::ExtensionsOf(extension(16, b"\0\x03\x02h2")), Certificate, verify(), Finished], PROTOCOL),
        ("two protocols", vec![Hello, Step::ExtensionsOf(extension(16, b"\0\x0e\x0apostgresql\x02h2")), Certificate, verify(), Finished], PROTOCOL),
        ("a protocol without a name", vec![Hello, Step::ExtensionsOf(extension(16, b"\0\x01\0")), Certificate, verify(), Finished], PROTOCOL),
        ("no protocol in the list of them", vec![Hello, Step::ExtensionsOf(extension(16, b"\0\0")), Certificate, verify(), Finished], PROTOCOL),
        ("no list of protocols", vec![Hello, Step::ExtensionsOf(extension(16, b"")), Certificate, verify(), Finished], PROTOCOL),
        // Wrong signature.
        ("a stranger's signature", vec![Hello, Extensions, Certificate, Verify(0x0403, cast.stranger.clone()), Finished], UNAUTHENTICATED),
        ("a stranger's signature, and a request", vec![Hello, Extensions, Step::Request, Certificate, Verify(0x0403, cast.stranger.clone()), Finished], UNAUTHENTICATED),
        ("a client's signature", vec![Hello, Extensions, Certificate, Step::VerifyAsClient, Finished], UNAUTHENTICATED),
        ("RSA-PSS with an EC key", vec![Hello, Extensions, Certificate, Verify(0x0804, key()), Finished], UNAUTHENTICATED),
        ("Ed25519 with an EC key", vec![Hello, Extensions, Certificate, Verify(0x0807, key()), Finished], UNAUTHENTICATED),
        ("P-384 with a P-256 key", vec![Hello, Extensions, Certificate, Verify(0x0503, key()), Finished], UNAUTHENTICATED),
        ("RSA certificate, EC signature", vec![Hello, Extensions, Certificates(vec![cast.rsa.clone()]), verify(), Finished], UNAUTHENTICATED),
        ("PKCS#1 v1.5", vec![Hello, Extensions, Certificate, Verify(0x0401, key()), Finished], certificate(CertificateError::UnsupportedAlgorithm)),
        ("unknown scheme", vec![Hello, Extensions, Certificate, Verify(0x0402, key()), Finished], ORDER),
        ("wrong Finished", vec![Hello, Extensions, Certificate, verify(), BadFinished], UNAUTHENTICATED),
        // Other bytes than the handshake's.
        ("other cipher suite", bent(|hello| hello[39..41].copy_from_slice(&[0x13, 2])), ORDER),
        ("retry", bent(|hello| hello[6..38].copy_from_slice(&RETRY)), ErrorKind::Tls(TlsError::NoGroup)),
        ("retry, twice", vec![Step::BentHello(|hello| hello[6..38].copy_from_slice(&RETRY)), Step::BentHello(|hello| hello[6..38].copy_from_slice(&RETRY))], ErrorKind::Tls(TlsError::NoGroup)),
        ("compression", bent(|hello| hello[41] = 1), ORDER),
        ("TLS 1.2 selected", bent(|hello| hello[48..50].copy_from_slice(&[3, 3])), ORDER),
        ("no version selected", bent(|hello| hello[44..46].copy_from_slice(&[0x70, 43])), ORDER),
        ("no share", bent(|hello| hello[50..52].copy_from_slice(&[0x70, 51])), ORDER),
        ("unknown suite", bent(|hello| hello[39..41].copy_from_slice(&[0x70, 1])), ORDER),
        ("another group", bent(|hello| hello[54..56].copy_from_slice(&[0, 0x1d])), ORDER),
        ("a point that is on no curve", bent(|hello| { let n = hello.len(); hello[n - 1] ^= 1; }), ORDER),
        ("no point", bent(|hello| { let n = hello.len(); hello[n - 65..].fill(0); }), ORDER),
        ("the point at infinity", bent(|hello| { let n = hello.len(); hello[n - 64..].fill(0); }), ORDER),
        ("a compressed point in the room of another", bent(|hello| { let n = hello.len(); hello[n - 65] = 2; }), ORDER),
        ("shorter than a tag", vec![Hello, Step::Record(23, vec![0; 3])], RECORD),
        ("no length", vec![Hello, Step::Record(23, vec![])], RECORD),
        ("noise", vec![Hello, Step::Record(23, vec![0x5a; 200])], RECORD),
        ("heartbeat", vec![Hello, Step::Record(24, vec![1; 20])], RECORD),
        ("unknown type", vec![Step::Record(99, vec![1; 20])], RECORD),
        ("odd ChangeCipherSpec", vec![Hello, Step::Record(20, vec![2]), Extensions], RECORD),
        ("plaintext protocol", vec![Step::Raw([AUTH_OK, READY].concat())], NOT_TLS),
        ("plaintext protocol after ServerHello", vec![Hello, Step::Raw([AUTH_OK, READY].concat())], NOT_TLS),
        ("an HTTP server", vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())], NOT_TLS),
        // Injected alerts.
        ("alert at once", vec![alert(21, 2, 40)], ErrorKind::Tls(TlsError::Alert(40))),
        ("warning at once", vec![alert(21, 1, 90)], ErrorKind::Tls(TlsError::Alert(90))),
        ("no TLS 1.3", vec![alert(21, 2, 70)], ErrorKind::Tls(TlsError::NoTls13)),
        ("long alert", vec![Step::Record(21, vec![2, 40, 0])], RECORD),
        ("alert in the clear", vec![Hello, alert(21, 2, 40)], RECORD),
        ("close_notify in the clear", vec![Hello, Extensions, Certificate, verify(), alert(21, 1, 0)], RECORD),
        ("sealed alert", vec![Hello, Extensions, Sealed(21, vec![2, 80])], RECORD),
        ("sealed close_notify", vec![Hello, Extensions, Certificate, verify(), Sealed(21, vec![1, 0])], RECORD),
        // Truncated; at every byte: below.
        ("end", vec![], ErrorKind::Closed),
        ("end after ServerHello", vec![Hello], ErrorKind::Closed),
        ("end before Finished", vec![Hello, Extensions, Certificate, verify()], ErrorKind::Closed),
        ("end in a record", vec![Hello, Step::Raw(vec![23, 3, 3, 0, 90, 1, 2])], ErrorKind::Closed),
    ];
    for mode in [SslMode::Require, SslMode::VerifyFull] {
        for (name, script, wanted) in &scripts {
            let (met, seen) = cast.meet(mode, b"S", script.clone());
            assert_eq!(met, Err(*wanted), "{name}, {mode:?}");
            assert_eq!(seen.after_hello, b"", "{name}, {mode:?}: bytes after ClientHello");
            assert!(!seen.has("secret"), "{name}, {mode:?}");
        }
    }
}

/// Groups, signature schemes and extensions that this side has never heard of, and more of them
/// than it knows (RFC 8446 sections 4.2.7 and 4.3.2).
#[test]
fn unknown_values_in_the_servers_lists_are_skipped() {
    let cast = Cast::new();
    let list = |values: &[u16]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    };
    let many: Vec<u16> = (0x7000..0x7100).collect();
    let groups = [
        list(&[0x001f]), // brainpoolP256r1tls13
        list(&[0x001f, 0x0017, 0x0a0a]),
        list(&[0x0017; 14]),
        list(&many),
        vec![],
    ];
    let schemes =
        [list(&[0x0403, 0x0a0a]), list(&[0x0840, 0x0403]), list(&[0x0403; 26]), list(&many)];
    let more: Vec<u8> = (100..120).flat_map(|kind| extension(kind, b"?")).collect();
    for mode in [SslMode::Require, SslMode::VerifyFull] {
        for groups in &groups {
            for schemes in &schemes {
                let mut script = cast.right();
                let named = extension(10, groups);
                script[1] = Step::ExtensionsOf([&extension(0, b"")[..], &named, &more].concat());
                let asked = extension(13, schemes);
                let authorities = extension(47, &list(&[0x0002, 0x3000]));
                let others = [5, 18, 27, 48, 50, 51].map(|kind| extension(kind, b"")).concat();
                let request = [&asked[..], &authorities, &others, &more].concat();
                script.insert(2, Step::RequestOf(request));
                script.extend([Step::LetIn, Step::Answer, Step::Wait]);
                let (met, _) = cast.meet(mode, b"S", script);
                assert_eq!(met, Ok(Ok(())), "{mode:?}, groups {groups:?}, schemes {schemes:?}");
            }
        }
    }
}

/// Who is asked for a signature of another kind than the key's shows no certificate, as libpq: the
/// server may do without.
#[test]
fn a_certificate_goes_only_to_a_server_that_takes_its_signature() {
    let cast = Cast::new();
    let own = cast.files.get("client.crt").unwrap().to_vec();
    for (schemes, shown) in [
        (&b"\0\x02\x04\x03"[..], true),
        (b"\0\x04\x08\x04\x04\x03", true),
        (b"\0\x04\x08\x04\x05\x03", false),
        (b"\0\0", false),
        (b"", false),
        // Lengths that are not exact.
        (b"\0\x03\x04\x03\x04", false),
        (b"\0\x02\x04\x03\x08", false),
        (b"\0\x04\x04\x03", false),
    ] {
        let mut script = cast.right();
        script.insert(2, Step::RequestOf(extension(13, schemes)));
        script.extend([Step::LetIn, Step::Answer, Step::Wait]);
        let (met, seen) = cast.meet(SslMode::VerifyFull, b"S", script);
        assert_eq!(met, Ok(Ok(())), "{schemes:?}");
        let found = seen.opened.windows(own.len()).any(|bytes| bytes == own);
        assert_eq!(found, shown, "{schemes:?}");
    }
}

/// A server that selects a protocol selects ours. With TLS at once it must: nothing else tells it from
/// another that speaks TLS.
#[test]
fn no_other_protocol_is_spoken() {
    let cast = Cast::new();
    let right = extension(16, b"\0\x0b\x0apostgresql");
    let no_alpn = Err(PROTOCOL);
    for mode in [SslMode::Require, SslMode::VerifyFull] {
        for (extensions, wanted) in [
            (right.clone(), Ok(Ok(()))),
            ([extension(0, b""), right.clone()].concat(), Ok(Ok(()))),
            (vec![], no_alpn),
            (extension(0, b""), no_alpn),
            (extension(16, b""), no_alpn),
            (extension(16, b"\0\0"), no_alpn),
            (extension(16, b"\0\x03\x02h2"), no_alpn),
            (extension(16, b"\0\x0b\x0aPostgresql"), no_alpn),
            (extension(16, b"\0\x0e\x02h2\x0apostgresql"), no_alpn),
            (extension(16, b"\0\x0e\x0apostgresql\x02h2"), no_alpn),
            (extension(16, b"\0\x16\x0apostgresql\x0apostgresql"), no_alpn),
            (extension(16, b"\0\x01\0"), no_alpn),
            (extension(16, b"\0\x0c\0\x0apostgresql"), no_alpn),
            (extension(16, b"\0\x0c\x0bpostgresql\0"), no_alpn),
            (extension(16, b"\0\x0a\x09postgresq"), no_alpn),
            // Lengths that are not exact.
            (extension(16, b"\0\x0b\x0apostgresql\0"), no_alpn),
            (extension(16, b"\0\x0b\x09postgresql"), no_alpn),
            (extension(16, b"\0\x0c\x0apostgresql"), no_alpn),
            (extension(16, b"\x0apostgresql"), no_alpn),
            ([right.clone(), right.clone()].concat(), no_alpn),
        ] {
            for answer in [DIRECT, b"S"] {
                let mut script = cast.right();
                script[1] = Step::ExtensionsOf(extensions.clone());
                script.extend([Step::LetIn, Step::Answer, Step::Wait]);
                let (met, seen) = cast.meet(mode, answer, script);
                let selects = extensions.windows(2).any(|kind| kind == [0, 16]);
                let wanted = if answer != DIRECT && !selects { Ok(Ok(())) } else { wanted };
                assert_eq!(met, wanted, "{mode:?}, {answer:?}, {extensions:?}");
                if wanted.is_err() {
                    assert_eq!(seen.after_hello, b"", "{mode:?}, {answer:?}, {extensions:?}");
                }
            }
        }
        // An alert that says so, and a server that does not speak TLS.
        let alert = Step::Record(21, vec![2, 120]);
        let (met, _) = cast.meet(mode, DIRECT, vec![alert]);
        assert_eq!(met, Err(ErrorKind::Tls(TlsError::Alert(120))));
    }
}

/// The first alert after the handshake is the client certificate's if it says so.
#[test]
fn alerts_after_the_handshake_are_named() {
    let cast = Cast::new();
    let refused = ErrorKind::Tls(TlsError::ClientCertificate);
    let alert = |description| ErrorKind::Tls(TlsError::Alert(description));
    let (none, some) = (SslMode::VerifyCa, SslMode::VerifyFull);
    for (mode, asked, description, wanted) in [
        (some, true, 42, refused),
        (some, true, 46, refused),
        (some, true, 48, refused),
        (some, true, 51, refused),
        (some, true, 80, alert(80)),
        (some, false, 42, alert(42)),
        (none, true, 116, refused),
        (none, true, 48, alert(48)),
        (none, false, 40, alert(40)),
        (none, false, 80, alert(80)),
        (none, false, 0, ErrorKind::HungUp),
    ] {
        let mut script = cast.right();
        if asked {
            script.insert(2, Step::Request);
        }
        // Right after the handshake, under the session's keys.
        script.push(Step::Keys);
        script.push(Step::Sealed(21, vec![2, description]));
        let (met, _) = cast.meet(mode, b"S", script);
        assert_eq!(met, Err(wanted), "{mode:?}, {asked}, {description}");
    }
}

/// A link that breaks right after the handshake is a refusal of the client certificate, whose
/// alert was lost, only if there was one.
#[test]
fn a_client_certificate_that_was_not_asked_for_is_not_refused() {
    let cast = Cast::new();
    let (none, some) = (SslMode::VerifyCa, SslMode::VerifyFull);
    let refused = ErrorKind::Tls(TlsError::ClientCertificate);
    for (mode, asked, wanted) in [
        (none, false, ErrorKind::HungUp),
        (none, true, ErrorKind::HungUp),
        (some, false, ErrorKind::HungUp),
        (some, true, refused),
    ] {
        let mut script = cast.right();
        if asked {
            script.insert(2, Step::Request);
        }
        script.push(Step::Raw(vec![23, 3, 3, 0, 90, 1]));
        let (met, seen) = cast.meet(mode, b"S", script);
        assert_eq!(met, Err(wanted), "{mode:?}, {asked}");
        assert!(!seen.after_hello.is_empty() && !seen.has("secret"), "{mode:?}, {asked}");
    }
}

/// The messages that let a client in without a password.
const AUTH_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";

const fn certificate(reason: CertificateError) -> ErrorKind {
    ErrorKind::Tls(TlsError::Certificate(reason))
}

const fn too_long(needed: u32) -> ErrorKind {
    ErrorKind::Capacity { buffer: Buffer::TlsRecord, have: 4113, needed }
}

/// The random of HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Stripped TLS, and bytes before the handshake.
#[test]
fn answers_to_the_request_for_tls() {
    let cast = Cast::new();
    let bad = ErrorKind::Protocol(ProtocolError::BadTlsAnswer);
    let refused = ErrorKind::Tls(TlsError::NotOffered);
    for (answer, wanted) in [
        (&b"N"[..], refused),
        // The question for a password changes nothing.
        (b"NR\0\0\0\x08\0\0\0\x03", refused),
        (b"NR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", refused),
        (b"E\0\0\0\x20SFATAL\0C42501\0Mtrust me\0\0", bad),
        (b"R\0\0\0\x08\0\0\0\x03", bad),
        (b"X", bad),
        (b"\0", bad),
        (b"", ErrorKind::TimedOut),
        // Bytes that a machine on the way put after the answer are not taken for the server's.
        (b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", NOT_TLS),
        (b"SSSSSSS", NOT_TLS),
        (b"SN\0\0\0\0", NOT_TLS),
        (b"S\x15\x03\x03\0\x02\x02\x28", ErrorKind::Tls(TlsError::Alert(40))),
        (b"S\x17\x03\x03\0\x20", RECORD),
        (b"S\x14\x03\x03\0\x01\x01", RECORD),
    ] {
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            let (met, seen) = cast.meet(mode, answer, cast.right());
            assert_eq!(met, Err(wanted), "{mode:?}, {answer:?}");
            assert_eq!(seen.after_hello, b"", "{mode:?}, {answer:?}");
            assert!(!seen.has("secret"), "{mode:?}, {answer:?}");
        }
    }
    // `prefer` goes on without TLS, and keeps the password to itself.
    let (met, seen) = cast.meet(SslMode::Prefer, b"NR\0\0\0\x08\0\0\0\x03", vec![]);
    assert_eq!(met, Err(ErrorKind::Auth(AuthError::MethodNotAllowed)));
    assert!(seen.has("secret_user") && !seen.has("secret_password"));
}

#[test]
fn a_session_ends_at_the_first_record_that_is_not_the_servers() {
    let cast = Cast::new();
    #[rustfmt::skip]
    let ends: Vec<(&str, Vec<Step>, ErrorKind)> = vec![
        // Truncated.
        ("close_notify", vec![Step::Sealed(21, vec![1, 0])], ErrorKind::Closed),
        ("end", vec![], ErrorKind::Closed),
        ("end in a record", vec![Step::Raw(vec![23, 3, 3, 0, 90, 1])], ErrorKind::Closed),
        ("silence", vec![Step::Wait], ErrorKind::TimedOut),
        ("silence in a record", vec![Step::Raw(vec![23, 3, 3, 0, 90, 1]), Step::Wait], ErrorKind::TimedOut),
        // Other bytes than the server's.
        ("close_notify in the clear", vec![Step::Record(21, vec![1, 0])], RECORD),
        ("alert in the clear", vec![Step::Record(21, vec![2, 40])], RECORD),
        ("handshake in the clear", vec![Step::Record(22, vec![8, 0, 0, 2, 0, 0])], RECORD),
        ("answer in a record in the clear", vec![Step::Record(23, b"I\0\0\0\x04Z\0\0\0\x05I".to_vec())], RECORD),
        ("answer in the clear", vec![Step::Raw(b"I\0\0\0\x04Z\0\0\0\x05I".to_vec())], NOT_TLS),
        ("ChangeCipherSpec", vec![Step::Record(20, vec![1])], RECORD),
        ("forged", vec![Step::Forged], RECORD),
        ("alert", vec![Step::Sealed(21, vec![2, 20])], ErrorKind::Tls(TlsError::Alert(20))),
        ("an alert without a name", vec![Step::Sealed(21, vec![7, 200])], ErrorKind::Tls(TlsError::Alert(200))),
        ("an alert of the client certificate, late", vec![Step::Sealed(21, vec![2, 42])], ErrorKind::Tls(TlsError::Alert(42))),
        ("half an alert", vec![Step::Sealed(21, vec![2])], RECORD),
        ("a long alert", vec![Step::Sealed(21, vec![2, 20, 0, 1])], RECORD),
        ("data that looks like an alert handed on", vec![Step::Sealed(0, vec![40, 23])], RECORD),
        ("nothing but padding", vec![Step::Sealed(0, vec![0; 40])], RECORD),
        ("odd version", vec![Step::Raw(vec![23, 3, 0x7f, 0, 20])], NOT_TLS),
        // Handshake messages after the handshake.
        ("new keys", vec![Step::Sealed(22, vec![24, 0, 0, 1, 0])], RECORD),
        ("late EncryptedExtensions", vec![Step::Sealed(22, vec![8, 0, 0, 2, 0, 0])], RECORD),
        ("late CertificateRequest", vec![Step::Sealed(22, vec![13, 0, 0, 3, 0, 0, 0])], RECORD),
        ("late Certificate", vec![Step::Sealed(22, vec![11, 0, 0, 4, 0, 0, 0, 0])], RECORD),
        ("late CertificateVerify", vec![Step::Sealed(22, vec![15, 0, 0, 4, 4, 3, 0, 0])], RECORD),
        ("late Finished", vec![Step::Sealed(22, [&[20, 0, 0, 32][..], &[1; 32]].concat())], RECORD),
        ("late ServerHello", vec![Step::Sealed(22, vec![2, 0, 0, 0])], RECORD),
        // Messages whose lengths say different things.
        ("a ticket that ends in another message", vec![Step::Sealed(22, [&[4, 0, 0, 0x13][..], &[0; 13], &[8, 0, 0, 2, 0, 0]].concat())], RECORD),
        ("a ticket that ends early", vec![Step::Sealed(22, [&[4, 0, 0, 13][..], &[0; 13], &[8, 0, 0, 2, 0, 0]].concat())], RECORD),
        ("a ticket with an extension too long", vec![Step::Sealed(22, [&[4, 0, 0, 17][..], &[0; 11], &[0, 4, 0, 42, 0, 9]].concat())], RECORD),
        ("no message", vec![Step::Sealed(22, vec![])], RECORD),
        // Oversized.
        ("long record", vec![Step::Record(23, vec![0; 5000])], too_long(5000)),
        ("empty records without end", vec![Step::Flood(Box::new(Step::Sealed(23, vec![])))], ErrorKind::TimedOut),
    ];
    for (name, end, wanted) in ends {
        let mut script = cast.right();
        script.push(Step::LetIn);
        script.extend(end);
        let (met, seen) = cast.meet(SslMode::VerifyFull, b"S", script);
        assert_eq!(met, Ok(Err(wanted)), "{name}");
        // The server, which was let in by the rules, gets the user's name and no password.
        assert!(seen.has("secret_user") && !seen.has("secret_password"), "{name}");
    }
}

/// The right flight, cut at one byte after the other, and in single bytes.
#[test]
fn a_flight_that_is_cut_is_no_session() {
    let cast = Cast::new();
    let mut script = cast.right();
    script.extend([Step::LetIn, Step::Answer, Step::Wait]);
    let dribble = Wire { dribble: true, ..WHOLE };
    let (met, _) = cast.meet_over(SslMode::VerifyFull, b"S", script.clone(), dribble);
    assert_eq!(met, Ok(Ok(())));
    let mut cut_at = 0;
    loop {
        let wire = Wire { cut_at, dribble: false };
        let (met, seen) = cast.meet_over(SslMode::VerifyFull, b"S", script.clone(), wire);
        match met {
            Ok(Ok(())) => break,
            Ok(Err(kind)) | Err(kind) => assert!(
                matches!(kind, ErrorKind::Closed | ErrorKind::HungUp | ErrorKind::Transport(_)),
                "cut at {cut_at}: {kind:?}"
            ),
        }
        if met.is_err() && cut_at < 600 {
            assert_eq!(seen.after_hello, b"", "cut at {cut_at}");
        }
        assert!(!seen.has("secret_password"), "cut at {cut_at}");
        cut_at += 1;
    }
    assert!(cut_at > 700, "{cut_at}");
}
