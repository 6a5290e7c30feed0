//! Logins: every method, version negotiation, cancel keys, refusals.

use barepg::transport::Local;
use barepg::{
    AuthError, AuthMethods, Config, ConfigError, Dialect, Error, ErrorKind, Outcome, SqlState,
    SslMode, limits,
};

use super::crypto::{PASSWORD, exchange, md5_answer, scram};
use super::peer::{Delivery, Script};
use super::play::{Conn, Log, Scenario};
use super::transcript::read;

pub const fn config() -> Config<'static> {
    Config::new().user("u").password(PASSWORD).dbname("d").sslmode(SslMode::Disable)
}

pub const CONFIG: Config<'static> = config();

/// Notes what the login taught, then pings.
fn look(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    log.push(format!(
        "{} {} {:?} {:?} {:?}",
        connection.server_version(),
        connection.backend_pid(),
        connection.cancel_token(),
        connection.transaction_status(),
        connection.is_opengauss(),
    ));
    connection.ping()?;
    log.push("pong".into());
    Ok(())
}

const LOOK: &str = ">>> Q \"\"\n<<< I\n<<< Z 'I'\n@bye";

fn scenario(name: &'static str, config: Config<'static>, text: &str) -> Scenario {
    let scram = exchange(8);
    let md5 = md5_answer([1, 2, 3, 4]);
    let names = [
        ("server-first", scram.server_first.as_str()),
        ("client-final", scram.client_final.as_str()),
        ("server-final", scram.server_final.as_str()),
        ("password", PASSWORD),
        ("md5", md5.as_str()),
        ("look", LOOK),
    ];
    let script = read(text, &names);
    let (rx, tx) = (limits::MIN_RX, limits::MIN_TX);
    Scenario { name, config, script, rx, tx, work: look, leaves_answers: false }
}

/// A SCRAM exchange of 8 rounds, which the tests allow to be quick.
pub const SCRAM: &str = r#"
    <<< R 10 "SCRAM-SHA-256" #00
    >>> p "SCRAM-SHA-256" ['n,,n=,r=ABCDEFGHIJKLMNOPQRSTUVWX']
    <<< R 11 {server-first}
    >>> p {client-final}
    <<< R 12 {server-final}
"#;

#[test]
fn trust() {
    let played = scenario("trust", config(), "@login\n@look");
    played.sweep(&[]);
    let log = played.play(Delivery::WHOLE).log;
    assert_eq!(log, ["150018 77 Some(CancelToken(77)) Idle false", "pong"]);
}

#[test]
fn cleartext() {
    let config = config().require_auth(AuthMethods::PASSWORD);
    let text = "@start\n<<< R 3\n>>> p {password} #00\n@settle\n@look";
    scenario("cleartext", config, text).sweep(&[]);
}

#[test]
fn md5() {
    let config = config().require_auth(AuthMethods::MD5);
    let text = "@start\n<<< R 5 #01020304\n>>> p {md5} #00\n@settle\n@look";
    scenario("md5", config, text).sweep(&[]);
}

#[test]
fn scram_sha_256() {
    let config = config().scram_iterations(8, 8);
    let text = format!("@start\n{SCRAM}\n@settle\n@look");
    scenario("scram", config, &text).sweep(&[]);
}

#[test]
fn scram_with_the_iterations_of_a_real_server() {
    let scram = scram();
    let names = [
        ("server-first", scram.server_first.as_str()),
        ("client-final", scram.client_final.as_str()),
        ("server-final", scram.server_final.as_str()),
        ("look", LOOK),
    ];
    let script = read(&format!("@start\n{SCRAM}\n@settle\n@look"), &names);
    let all = Scenario { script, ..scenario("scram 4096", config(), "") };
    assert_eq!(all.play(Delivery::WHOLE).result, Ok(()));
}

#[test]
fn versions_are_negotiated() {
    for (name, version) in [("3.0", 196_608), ("3.2", 196_610), ("3.51", 196_659)] {
        let text = format!("@start\n<<< v {version} 0\n@settle\n@look");
        scenario(name, config(), &text).sweep(&[]);
    }
}

#[test]
fn the_dialect_decides_the_version_asked_for() {
    let start = |version: u32| {
        format!(
            ">>> start {version} \"user\" \"u\" \"database\" \"d\" \"client_encoding\" \"UTF8\" \
             \"DateStyle\" \"ISO\" #00\n@settle\n@look"
        )
    };
    for (dialect, version) in
        [(Dialect::Auto, 196_659), (Dialect::PostgreSql, 196_608), (Dialect::OpenGauss, 196_659)]
    {
        let played = scenario("dialect", config().dialect(dialect), &start(version));
        assert_eq!(played.play(Delivery::WHOLE).result, Ok(()));
    }
}

#[test]
fn the_servers_limits_are_sent() {
    let start = ">>> start 196608 \"user\" \"u\" \"database\" \"d\" \"client_encoding\" \"UTF8\" \
                 \"DateStyle\" \"ISO\" \"statement_timeout\" \"5000\" \
                 \"tcp_keepalives_idle\" \"60\" #00\n@settle\n@look";
    let config = config().statement_timeout_ms(5000).server_keepalives_idle_s(60);
    let mut limits = scenario("limits", config.dialect(Dialect::PostgreSql), start);
    limits.tx = 256;
    limits.sweep(&[]);
}

#[test]
fn cancel_keys_of_every_length_are_kept_whole_or_not_at_all() {
    for length in [4, 5, 31, 32, 33, 255, 256] {
        let text = format!("@start\n<<< R 0\n<<< K 9 #{}\n<<< Z 'I'\n@look", "a5".repeat(length));
        let mut keys = scenario("key", config(), &text);
        keys.rx = 512;
        keys.sweep(&[]);
        let kept = if length <= 32 { "Some(CancelToken(9))" } else { "None" };
        assert_eq!(keys.play(Delivery::WHOLE).log[0], format!("0 9 {kept} Idle false"));
    }
}

#[test]
fn notices_and_parameters_may_come_at_any_time() {
    let text = format!(
        r#"
        @start
        <<< N 'SNOTICE' #00 'C00000' #00 'Mbefore the first request' #00 #00
        <<< v 196608 0
        {SCRAM}
        <<< N 'SNOTICE' #00 'C00000' #00 'Mbefore the last' #00 #00
        <<< R 0
        <<< S "in_hot_standby" "off"
        <<< N 'SWARNING' #00 'C01000' #00 'Mhello' #00 #00
        <<< S "server_version" "18.0"
        <<< K 1 #00000000
        <<< S "client_encoding" "UTF8"
        <<< Z 'I'
        <<< N 'SNOTICE' #00 'C00000' #00 'Mafterwards' #00 #00
        <<< S "TimeZone" "UTC"
        <<< A 12 "channel" "payload"
        >>> Q ""
        <<< A 12 "channel" "payload"
        <<< I
        <<< S "TimeZone" "GMT"
        <<< Z 'I'
        @bye
        "#
    );
    scenario("notices", config().scram_iterations(8, 8), &text).sweep(&[]);
}

fn refused(name: &'static str, text: &str, state: &str) {
    let played = scenario(name, config(), text);
    let result = played.play(Delivery::WHOLE).result.unwrap_err();
    assert_eq!(result.sqlstate().map(|s| s.to_string()).as_deref(), Some(state), "{name}");
    assert_eq!(result.outcome(), Outcome::Refused);
    played.sweep(&[result.sqlstate().unwrap()]);
}

const FATAL: &str = "<<< E 'SFATAL' #00 'VFATAL' #00";

#[test]
fn the_server_refuses() {
    let error = |state: &str| format!("{FATAL} 'C{state}' #00 'Mno' #00 #00\n--- eof");
    refused("too many", &format!("@start\n{}", error("53300")), "53300");
    refused("starting", &format!("@start\n{}", error("57P03")), "57P03");
    refused("database", &format!("@start\n<<< R 0\n{}", error("3D000")), "3D000");
    refused(
        "parameters",
        &format!("@start\n<<< R 0\n<<< S \"a\" \"b\"\n{}", error("22023")),
        "22023",
    );
    let end = SCRAM.trim_end().rsplit_once('\n').unwrap().0;
    let text = format!("@start\n{end}\n{}", error("28P01"));
    let mut wrong = scenario("password", config().scram_iterations(8, 8), &text);
    wrong.sweep(&[SqlState::INVALID_PASSWORD]);
    // More than the buffer can hold: what is cut is the end.
    let long = "x".repeat(600);
    let text = format!("@start\n{FATAL} 'C28000' #00 'M{long}' #00 #00\n--- eof");
    wrong = scenario("long", config(), &text);
    wrong.sweep(&[SqlState::INVALID_AUTHORIZATION]);
}

#[test]
fn a_minor_version_refused_is_not_asked_for_again() {
    // As PgBouncer answers.
    let refuse = "@start\n<<< E 'SFATAL' #00 'C08P01' #00 'Munsupported protocol' #00 #00\n--- eof";
    let plain = ">>> start 196608 \"user\" \"u\" \"database\" \"d\" \"client_encoding\" \"UTF8\" \
                 \"DateStyle\" \"ISO\" #00\n@settle\n@bye";
    let machine = super::peer::Machine::default();
    let mut storage = barepg::Storage::<512, 512>::new();
    let mut client = barepg::Client::new(storage.buffers(), &CONFIG, &machine);
    let connect = |client: &mut barepg::Client<'_>, script: &Script| {
        let peer = super::peer::Peer::new(script, Delivery::WHOLE, &machine);
        client.connect(peer.transport()).and_then(|connection| connection.close()).map(|_| ())
    };
    let error = connect(&mut client, &read(refuse, &[])).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Server(_)));
    for _ in 0..2 {
        assert_eq!(connect(&mut client, &read(plain, &[])), Ok(()));
    }
}

#[test]
fn a_link_is_local_because_of_what_it_is_and_not_because_of_its_host() {
    let cleartext = "@start\n<<< R 3";
    let hosts = [("/x", None), ("/x", Some("127.0.0.1")), ("@x,h", Some("::1,::1")), ("h", None)];
    let machine = super::peer::Machine::default();
    let try_with = |config: Config<'_>, local: bool| {
        let peer = super::peer::Peer::new(&read(cleartext, &[]), Delivery::WHOLE, &machine);
        let mut storage = barepg::Storage::<512, 512>::new();
        let mut client = barepg::Client::new(storage.buffers(), &config, &machine);
        let error = match local {
            false => client.connect(peer.transport()).map(|_| ()).unwrap_err(),
            true => client.connect(Local(peer.transport())).map(|_| ()).unwrap_err(),
        };
        (error.kind(), peer.written())
    };
    for (host, hostaddr) in hosts {
        let config = config().host(host);
        let config = hostaddr.map_or(config, |hostaddr| config.hostaddr(hostaddr));
        let (kind, written) = try_with(config, false);
        assert_eq!(kind, ErrorKind::Auth(AuthError::MethodNotAllowed), "{host} {hostaddr:?}");
        assert!(!written.windows(PASSWORD.len()).any(|bytes| bytes == PASSWORD.as_bytes()));
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            let (kind, written) = try_with(config.sslmode(mode), false);
            assert_eq!(kind, ErrorKind::Config(ConfigError::TlsUnavailable), "{host} {mode:?}");
            assert_eq!(written, b"");
        }
        // Whoever says so takes it on: as over a UNIX socket, which only its user can read.
        let (_, written) = try_with(config.sslmode(SslMode::VerifyFull), true);
        assert!(written.windows(PASSWORD.len()).any(|bytes| bytes == PASSWORD.as_bytes()));
    }
}

/// What libpq takes, though no server of today sends it.
#[test]
fn answers_that_libpq_takes_are_taken() {
    let kilobytes = "x".repeat(60_000);
    let tag = "y".repeat(300);
    let error =
        |state: &str| format!("<<< E 'SERROR' #00 'VERROR' #00 'C{state}' #00 'Mx' #00 #00");
    let ping = ">>> Q \"\"\n<<< I\n<<< Z 'I'";
    for (name, text, state) in [
        (
            "a large notice after AuthenticationOk",
            format!(
                "@start\n<<< R 0\n<<< N 'SNOTICE' #00 'C00000' #00 'M{kilobytes}' #00 #00\n\
                 <<< S \"server_version\" \"15.18\"\n<<< K 77 #01020304\n<<< Z 'I'\n{ping}\n@bye"
            ),
            None,
        ),
        (
            "two cancel keys",
            format!(
                "@start\n<<< R 0\n<<< K 1 #05060708\n<<< K 77 #01020304\n<<< Z 'I'\n{ping}\n@bye"
            ),
            None,
        ),
        ("nothing for an empty query", String::from("@login\n>>> Q \"\"\n<<< Z 'I'\n@bye"), None),
        ("a long tag", format!("@login\n>>> Q \"\"\n<<< C \"{tag}\"\n<<< Z 'I'\n@bye"), None),
        (
            "two errors",
            format!("@login\n>>> Q \"\"\n{}\n{}\n<<< Z 'I'\n@bye", error("42601"), error("42602")),
            Some("42602"),
        ),
    ] {
        let look = |connection: &mut Conn<'_, '_>, log: &mut Log| {
            let state = match connection.ping() {
                Ok(()) => None,
                Err(error) => Some(error.sqlstate().ok_or(error)?.to_string()),
            };
            let (usable, token) = (connection.is_usable(), connection.cancel_token());
            log.push(format!("{state:?} {usable} {token:?}"));
            Ok(())
        };
        let played = Scenario { work: look, rx: 512, ..scenario(name, config(), &text) };
        let key = "true Some(CancelToken(77))";
        let state = state.map(String::from);
        assert_eq!(played.play(Delivery::WHOLE).log, [format!("{state:?} {key}")], "{name}");
        // A cut after an error is another matter, and 60 kB byte by byte take long.
        if state.is_none() && text.len() < 10_000 {
            played.sweep(&[]);
        }
    }
}
