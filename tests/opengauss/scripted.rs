//! Servers that do what an openGauss should not, and what one does that a PostgreSQL would not.

use barepg::{AuthError, Config, Dialect, ErrorKind, GaussKeys, GaussMethod, ProtocolError};

use crate::peer::{Peer, challenge, message, request, session, welcome};
use crate::{ALL, user};

/// What a login ends with after `said`, and what the client let out after its StartupMessage.
fn login(said: Vec<u8>, config: Config<'_>) -> (Result<(), ErrorKind>, Vec<u8>) {
    let mut peer = Peer::new(vec![said, welcome()]);
    let result = session(&mut peer, config, |_| ()).map_err(|error| {
        assert!(!error.is_usable());
        error.kind()
    });
    (result, peer.answers())
}

/// Everything a rogue server may ask for, the policy as wide as it can be.
#[test]
fn what_fails_a_check_is_not_answered() {
    let hex = |digit: &str| digit.repeat(72).into_bytes();
    let body = |method: u32, hex: &[u8], count: u32| {
        [&method.to_be_bytes()[..], hex, &count.to_be_bytes()].concat()
    };
    let md5_sha256 = [&b"a".repeat(64)[..], b"salt"].concat();
    let mut cases = vec![
        ("sm3 in place of sha256", 10, challenge(3, 10_000), AuthError::UnknownMethod),
        ("plain in place of sha256", 10, challenge(0, 10_000), AuthError::UnknownMethod),
        ("md5 in place of sha256", 10, challenge(1, 10_000), AuthError::UnknownMethod),
        ("an unknown method", 10, challenge(9, 10_000), AuthError::UnknownMethod),
        ("sha256 in place of sm3", 13, challenge(2, 10_000), AuthError::UnknownMethod),
        ("code 12 of the lite client", 12, challenge(6, 2048), AuthError::Malformed),
        ("code 14", 14, challenge(2, 10_000), AuthError::UnknownMethod),
        ("uppercase", 10, body(2, &hex("A"), 10_000), AuthError::Malformed),
        ("no digits", 10, body(2, &hex("g"), 10_000), AuthError::Malformed),
        ("code 11", 11, md5_sha256.clone(), AuthError::GaussMd5Sha256),
        ("code 11, cut", 11, md5_sha256[..67].to_vec(), AuthError::Malformed),
        ("code 11 of SASL", 11, b"r=nonce,s=AAAA,i=4096".to_vec(), AuthError::Malformed),
        ("the layout of 3.50", 10, challenge(2, 1)[..76].to_vec(), AuthError::Dialect),
    ];
    for count in [0, 1, 2047, 50_001, 1 << 31, u32::MAX] {
        cases.push(("iterations", 10, challenge(2, count), AuthError::Iterations));
        #[cfg(feature = "sm3")]
        cases.push(("iterations", 13, challenge(3, count), AuthError::Iterations));
    }
    for length in (0..79).filter(|length| *length != 76).chain([81, 139, 141, 400]) {
        let mut long = challenge(2, 10_000);
        long.resize(length, b'a');
        // Without the method there is nothing to tell the families apart by.
        cases.push(("length", 10, long, AuthError::Malformed));
    }
    for (what, code, body, expected) in cases {
        let length = body.len();
        let (result, sent) = login(request(code, &body), user("u").require_auth(ALL));
        assert_eq!(result, Err(ErrorKind::Auth(expected)), "{what}, code {code}, {length} bytes");
        assert_eq!(sent, b"", "{what}");
    }
}

#[test]
fn bounds_of_iterations_are_the_callers() {
    let config = user("u").gauss_iterations(1, 3);
    assert_eq!(login(request(10, &challenge(2, 3)), config).0, Ok(()));
    let refused = Err(ErrorKind::Auth(AuthError::Iterations));
    assert_eq!(login(request(10, &challenge(2, 4)), config).0, refused);
    assert_eq!(login(request(10, &challenge(2, 2048)), user("u")).0, Ok(()));
}

#[test]
fn a_server_that_changes_its_mind() {
    let negotiate = message(b'v', b"\0\x03\0\0\0\0\0\0");
    let sasl = request(10, b"SCRAM-SHA-256\0\0");
    let sha256 = request(10, &challenge(2, 2048));
    let (result, sent) = login([negotiate.clone(), sha256.clone()].concat(), user("u"));
    assert_eq!((result, &*sent), (Err(ErrorKind::Auth(AuthError::Dialect)), &b""[..]));
    for (said, dialect) in [
        (sasl.clone(), Dialect::OpenGauss),
        (negotiate, Dialect::OpenGauss),
        (sha256.clone(), Dialect::PostgreSql),
    ] {
        let (result, sent) = login(said, user("u").dialect(dialect));
        assert_eq!((result, &*sent), (Err(ErrorKind::Auth(AuthError::Dialect)), &b""[..]));
    }
    // A second request after one that was answered, of either family.
    for second in [sasl.clone(), sha256.clone(), request(5, b"salt"), request(3, b"")] {
        let mut peer = Peer::new(vec![sha256.clone(), second, welcome()]);
        let config = user("u").require_auth(ALL.or(barepg::AuthMethods::SCRAM_SHA_256));
        let error = session(&mut peer, config, |_| ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Auth(_)), "{error}");
        assert_eq!(peer.heard.len(), 2, "one answer");
    }
    // SHA256 in the middle of SCRAM.
    let mut peer = Peer::new(vec![sasl, sha256, welcome()]);
    let error = session(&mut peer, user("u"), |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth(AuthError::Dialect));
    assert_eq!(peer.heard.len(), 2);
}

/// The packets of a recorded login, in order.
fn packets(name: &str) -> Vec<Vec<u8>> {
    let text = include_str!("../data/opengauss-logins.txt");
    let lines = text.lines().skip_while(|line| *line != name).skip(1);
    let lines = lines.take_while(|line| line.starts_with(['<', '>']));
    let byte = |line: &str, i| u8::from_str_radix(&line[i..i + 2], 16).unwrap();
    lines.map(|line| (2..line.len()).step_by(2).map(|i| byte(line, i)).collect()).collect()
}

/// The recorded login with 3.51, and the packets after it.
fn recording() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let login = packets("sha256_3.51");
    let rest = [&login[3], &packets("after_login")[0]].map(Vec::as_slice).concat();
    (login[1].clone(), login[2].clone(), rest)
}

/// The driver answers each recorded request with the bytes that openGauss judged.
#[test]
fn recorded_requests_get_the_recorded_answers() {
    for (name, user, password, dialect) in [
        ("sha256_3.51", "ogsha", "Gauss_1234", Dialect::Auto),
        ("it2048_3.51", "ogit2048", "Gauss_1234", Dialect::OpenGauss),
        #[cfg(feature = "sm3")]
        ("sm3_3.51", "ogsm3", "Gauss_1234", Dialect::Auto),
        #[cfg(feature = "sm3")]
        ("sm3stored_hbasha_3.51", "ogsm3x", "Gauss_1234", Dialect::Auto),
        ("md5_3.0", "ogmd5", "Gauss_1234", Dialect::PostgreSql),
        ("comb_hbasha_3.51", "ogcomb", "Gauss_1234", Dialect::Auto),
        ("comb_hbamd5_3.51", "ogcomb5", "Gauss_1234", Dialect::Auto),
        ("md5stored_hbasha_3.51", "ogmd5x", "Gauss_1234", Dialect::Auto),
        ("wrongpw_3.51", "ogsha", "Wrong_1234", Dialect::Auto),
    ] {
        let login = packets(name);
        let config = Config::new().user(user).password(password).dialect(dialect);
        let answer = [&login[3][..], &packets("after_login")[0]].concat();
        let mut peer = Peer::new(vec![login[1].clone(), answer]);
        let result = session(&mut peer, config.require_auth(ALL), |_| ());
        assert_eq!(peer.heard[1], login[2], "{name}");
        assert_eq!(result.is_ok(), login[3][0] == b'R', "{name}");
    }
}

/// Keys for the recorded salt, so that a login costs no time.
fn recorded_keys(request: &[u8]) -> GaussKeys {
    let digits = std::str::from_utf8(&request[13..77]).unwrap();
    let salt = std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap());
    GaussKeys::derive(GaussMethod::Sha256, b"Gauss_1234", salt, 10_000, &|| {}).unwrap()
}

#[test]
fn the_recorded_login_ends_in_a_session_however_it_arrives() {
    let (challenge, answer, rest) = recording();
    let keys = recorded_keys(&challenge);
    let config = Config::new().user("ogsha").gauss_keys(&keys);
    for slice in [1, 2, 3, 5, 7, 64, usize::MAX] {
        let mut peer = Peer::new(vec![challenge.clone(), rest.clone()]);
        peer.slice = slice;
        let gauss = session(&mut peer, config, |c| (c.is_opengauss(), c.server_version()));
        assert_eq!(gauss.unwrap(), (true, 90_204));
        // Terminate aside, the client sent what openGauss accepted.
        assert_eq!(peer.heard[1], answer);
    }
}

#[test]
fn the_end_of_the_link_at_every_byte_of_the_login() {
    let (challenge, _, rest) = recording();
    let keys = recorded_keys(&challenge);
    let config = Config::new().user("ogsha").gauss_keys(&keys);
    for cut in 0..challenge.len() + rest.len() {
        let first = challenge[..cut.min(challenge.len())].to_vec();
        let second = rest[..cut.saturating_sub(challenge.len())].to_vec();
        let mut peer = Peer::new(vec![first, second]);
        let error = session(&mut peer, config, |_| ()).expect_err("a login that was cut");
        let expected = if cut == 0 { ErrorKind::HungUp } else { ErrorKind::Closed };
        assert_eq!(error.kind(), expected, "{cut}");
        assert!(!error.is_usable());
    }
}

#[test]
fn errors_before_the_protocol_is_settled() {
    for said in [
        &b"Ecould not fork new process for connection: out of memory\n\0"[..],
        b"could not fork new process for connection\n\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"E\0\0\0\x03",
    ] {
        let (result, sent) = login(said.to_vec(), user("u"));
        assert!(matches!(result, Err(ErrorKind::Protocol(_))), "{result:?}");
        assert_eq!(sent, b"");
    }
    // Under the thread pool the severity is ERROR; it ends the login all the same.
    let error = message(b'E', b"SERROR\0c0\0Munsupported frontend protocol\0C0A000\0dBACKEND\0\0");
    assert!(matches!(login(error, user("u")).0, Err(ErrorKind::Server(_))));
}

/// A session whose login and later answers are `pieces`.
fn with<R>(pieces: Vec<Vec<u8>>, f: impl FnOnce(&mut barepg::Connection<'_, '_>) -> R) -> R {
    let config = user("u").gauss_iterations(1, 1);
    let mut all = vec![request(10, &challenge(2, 1))];
    all.extend(pieces);
    session(&mut Peer::new(all), config, f).expect("a session")
}

#[test]
fn parameters_of_any_length_pass() {
    for length in [1, 480, 512, 8192, 60_000] {
        let long = [b"connection_info\0", &vec![b'x'; length][..], b"\0"].concat();
        let hello = [
            request(0, b""),
            message(b'S', &long),
            message(b'S', b"server_version\09.2.4\0"),
            message(b'S', b"is_sysadmin\0off\0"),
            message(b'Z', b"I"),
        ];
        // No BackendKeyData: such a session cannot be cancelled, and works.
        with(vec![hello.concat()], |c| {
            assert!(c.is_opengauss());
            assert!(c.cancel_token().is_none());
        });
    }
}

#[test]
fn a_long_ready_and_unknown_messages_after_login() {
    let answer = [
        message(b'k', b"12345678"),
        // The server's time, as a second BackendKeyData.
        message(b'K', b"\0\0\0\0\0\0\0\x07"),
        message(b'1', b""),
        message(b'2', b""),
        message(b'y', &[7; 2000]),
        message(b'C', b"MERGE 3\0"),
        message(b'Z', b"I\0"),
    ];
    let again = [
        message(b'1', b""),
        message(b'2', b""),
        message(b'C', b"ANONYMOUS BLOCK EXECUTE\0"),
        message(b'Z', b"I\0"),
    ];
    let hello = [welcome(), message(b'N', b"mprinted by dbe_output\0\0\0")].concat();
    with(vec![hello, answer.concat(), again.concat()], |c| {
        assert_eq!(c.execute("merge into t …", ()), Ok(3));
        assert_eq!(c.execute("do $$ … $$", ()), Ok(0));
    });
}

/// `c` and `d` are a number and a module here, not a column and a type.
#[test]
fn error_fields_are_read_as_opengauss_means_them() {
    let error = b"SERROR\0c10692\0Mdivision by zero\0C22012\0dBACKEND\0\0";
    let answer = |ready: &[u8]| [message(b'E', error), message(b'Z', ready)].concat();
    with(vec![welcome(), answer(b"I")], |c| {
        let failed = c.execute("select 1/0", ()).unwrap_err();
        assert!(failed.is_usable());
        assert_eq!(failed.sqlstate().unwrap().as_str(), "22012");
        let message = c.server_error().unwrap();
        assert_eq!(message.message().to_string(), "division by zero");
        assert_eq!(message.severity().to_string(), "ERROR");
    });
}

/// A notice that only has `m`, with one zero byte too many, anywhere.
#[test]
fn printed_lines_are_passed_over() {
    let line = message(b'N', b"mone line\0\0\0");
    let answer = [
        line.clone(),
        message(b'1', b""),
        line.clone(),
        message(b'2', b""),
        message(b'C', b"CALL\0"),
        line,
        message(b'Z', b"I"),
    ];
    with(vec![welcome(), answer.concat()], |c| assert_eq!(c.execute("call p()", ()), Ok(0)));
}

#[test]
fn a_session_that_ran_out_says_why() {
    let shutdown = [
        message(b'N', b"SWARNING\0c0\0MSession unused timeout.\0C01000\0dBACKEND\0\0"),
        message(
            b'E',
            b"SFATAL\0c0\0Mterminating connection due to administrator command\0C57P01\0dBACKEND\0\0",
        ),
    ];
    with(vec![welcome(), shutdown.concat()], |c| {
        let error = c.execute("select 1", ()).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "57P01");
        assert!(!error.is_usable());
        let again = c.ping().unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Broken);
    });
}

/// A PostgreSQL may not send what only openGauss sends.
#[test]
fn postgresql_may_not_speak_opengauss() {
    let hello = [
        message(b'v', b"\0\x03\0\0\0\0\0\0"),
        request(0, b""),
        message(b'S', b"server_version\x0015.2\0"),
        message(b'Z', b"I"),
    ];
    let mut peer = Peer::new(vec![hello.concat(), message(b'k', b"12345678")]);
    let result = session(&mut peer, user("u"), |c| c.execute("select 1", ()).unwrap_err().kind());
    assert_eq!(result.unwrap(), ErrorKind::Protocol(ProtocolError::UnexpectedMessage));
}
