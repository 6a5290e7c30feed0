//! Each kind of stored password under each method of `pg_hba.conf`, and what stands in the way
//! of a login.

use barepg::{
    AuthError, AuthMethods, Client, Dialect, ErrorKind, GaussKeys, GaussMethod, KeyCache, Outcome,
    Platform, SqlState, Storage,
};
use barepg_testkit::gauss::{Front, Hba, Kind, PASSWORD, Trouble, User};
use barepg_testkit::pg;

use crate::common::{Host, tcp, with_session};
use crate::{ALL, front, front_with, refused, user};

/// Code of the last authentication request, and whether it was answered and accepted.
fn last(front: &Front) -> (Option<u32>, bool, bool) {
    let attempt = front.attempts().pop().expect("an attempt");
    (attempt.code, attempt.answer.is_some(), attempt.ok)
}

fn works(front: &Front, name: &str) {
    with_session(front.port(), user(name).require_auth(ALL), |c| {
        assert!(c.is_opengauss());
        assert_eq!(c.query_one("select 6 * $1", (7_i32,)).unwrap().get::<i32>(0), Ok(42));
    });
}

#[test]
fn every_method_logs_in() {
    let front = front();
    for (name, code) in [
        ("sha256_user", 10),
        ("sha256_2048_user", 10),
        ("combined_user", 10),
        ("md5_user", 5),
        ("ldap_user", 3),
    ] {
        works(&front, name);
        assert_eq!(last(&front), (Some(code), true, true), "{name}");
        assert_eq!(front.attempts().pop().unwrap().minor, 51);
    }
}

#[cfg(feature = "sm3")]
#[test]
fn sm3_logs_in() {
    let front = front();
    works(&front, "sm3_user");
    assert_eq!(last(&front), (Some(13), true, true));
}

#[cfg(not(feature = "sm3"))]
#[test]
fn without_its_feature_sm3_is_not_answered() {
    let front = front();
    let (error, _) = refused(front.port(), user("sm3_user"));
    assert_eq!(error.kind(), ErrorKind::Auth(AuthError::UnknownMethod));
    assert_eq!(last(&front), (Some(13), false, false));
}

/// The table: what each line of `pg_hba.conf` makes of each kind of stored password.
#[test]
fn every_line_with_every_kind_of_password() {
    use Hba::{Md5, Sha256, Sm3, Trust};
    let sm3 = cfg!(feature = "sm3");
    // Line, kind, code of the request, whether the login succeeds.
    let table = [
        (Sha256, Kind::Md5, 5, true),
        (Sha256, Kind::Sha256, 10, true),
        (Sha256, Kind::Combined, 10, true),
        (Sha256, Kind::Sm3, 13, false),
        (Md5, Kind::Md5, 5, true),
        (Md5, Kind::Sha256, 11, false),
        (Md5, Kind::Combined, 5, true),
        (Md5, Kind::Sm3, 13, false),
        (Sm3, Kind::Md5, 13, false),
        (Sm3, Kind::Sha256, 13, false),
        (Sm3, Kind::Combined, 13, false),
        (Sm3, Kind::Sm3, 13, sm3),
        (Trust, Kind::Md5, 5, true),
        (Trust, Kind::Sha256, 10, true),
        (Trust, Kind::Sm3, 13, sm3),
    ];
    let name = |(hba, kind, ..): &(Hba, Kind, u32, bool)| format!("{hba:?}_{kind:?}");
    let front = front_with(|options| {
        options.users =
            table.iter().map(|row| User::new(&name(row), PASSWORD, row.1, 2048, row.0)).collect();
    });
    for row in table {
        let (name, port) = (name(&row), front.port());
        if row.3 {
            works(&front, &name);
            assert_eq!(last(&front), (Some(row.2), true, true), "{name}");
            continue;
        }
        let (error, _) = refused(port, user(&name).require_auth(ALL));
        let expected = match row.2 {
            11 => ErrorKind::Auth(AuthError::GaussMd5Sha256),
            13 if !sm3 => ErrorKind::Auth(AuthError::UnknownMethod),
            _ => ErrorKind::Server(SqlState::INVALID_PASSWORD),
        };
        assert_eq!(error.kind(), expected, "{name}");
        let answered = matches!(expected, ErrorKind::Server(_));
        assert_eq!(last(&front), (Some(row.2), answered, false), "{name}");
    }
}

#[test]
fn dialects() {
    let front = front();
    with_session(front.port(), user("sha256_user").dialect(Dialect::OpenGauss), |c| {
        assert!(c.is_opengauss());
    });
    let dialect = ErrorKind::Auth(AuthError::Dialect);
    // Protocol 3.0 is offered to a PostgreSQL, and code 10 in its layout comes back.
    let (error, _) = refused(front.port(), user("sha256_user").dialect(Dialect::PostgreSql));
    assert_eq!(error.kind(), dialect);
    assert_eq!(last(&front), (Some(10), false, false));
    for major in [10, 15, 18] {
        let config = crate::common::role("scram_user").dialect(Dialect::OpenGauss);
        assert_eq!(refused(pg::shared(major).port(), config).0.kind(), dialect, "{major}");
    }
}

#[test]
fn a_wrong_password_is_tried_once_and_ten_of_them_lock() {
    let front = front();
    let wrong = user("sha256_2048_user").password("wrong");
    for attempt in 1..=10 {
        let (error, message) = refused(front.port(), wrong);
        assert_eq!(error.kind(), ErrorKind::Server(SqlState::INVALID_PASSWORD));
        assert_eq!(error.outcome(), Outcome::Refused);
        assert_eq!(message, "Invalid username/password,login denied.");
        assert_eq!((front.attempts().len(), front.connections()), (attempt, attempt));
    }
    let (error, message) = refused(front.port(), user("sha256_2048_user"));
    assert_eq!(error.sqlstate().unwrap().as_str(), "28000");
    assert_eq!(message, "The account has been locked.");
}

#[test]
fn unknown_users_learn_nothing() {
    let front = front();
    let (error, message) = refused(front.port(), user("nobody"));
    assert_eq!(error.kind(), ErrorKind::Server(SqlState::INVALID_PASSWORD));
    assert_eq!(message, "Invalid username/password,login denied.");
    assert_eq!(last(&front), (Some(10), true, false));
}

/// What a policy does not name is not answered.
#[test]
fn require_auth_knows_the_methods() {
    let front = front();
    let not_allowed = ErrorKind::Auth(AuthError::MethodNotAllowed);
    for (name, policy) in [
        ("sha256_user", AuthMethods::SCRAM_SHA_256),
        ("sha256_user", AuthMethods::GAUSS_SM3),
        ("sm3_user", AuthMethods::GAUSS_SHA256),
        ("md5_user", AuthMethods::GAUSS_SHA256),
        ("ldap_user", AuthMethods::GAUSS_SHA256),
    ] {
        let (error, _) = refused(front.port(), user(name).require_auth(policy));
        assert_eq!(error.kind(), not_allowed, "{name}");
        assert!(!last(&front).1, "{name}");
    }
    // Without a policy, MD5 and passwords in clear are not answered in plaintext.
    for name in ["md5_user", "ldap_user"] {
        assert_eq!(refused(front.port(), user(name)).0.kind(), not_allowed, "{name}");
        assert!(!last(&front).1, "{name}");
    }
    let config = user("sha256_user").require_auth(AuthMethods::GAUSS_SHA256);
    with_session(front.port(), config, |c| c.ping().unwrap());
}

#[test]
fn what_keeps_a_client_out_is_told() {
    let reported = |front: &Front, name: &str| {
        let (error, message) = refused(front.port(), user(name));
        (error.sqlstate().map(|state| state.as_str().to_string()).unwrap_or_default(), message)
    };
    let remote = front_with(|options| {
        options.remote = true;
        let trusted = User::new("trusted", PASSWORD, Kind::Sha256, 2048, Hba::Trust);
        let initial = User::new("omm", PASSWORD, Kind::Sha256, 2048, Hba::Sha256);
        options.users = vec![trusted, User { initial: true, ..initial }];
    });
    let (state, message) = reported(&remote, "trusted");
    assert_eq!((&*state, &*message), ("28000", "Forbid remote connection with trust method!"));
    let (state, message) = reported(&remote, "omm");
    assert_eq!((&*state, &*message), ("28000", "Forbid remote connection with initial user."));
    let (state, message) = reported(&front(), "tls_user");
    assert_eq!(state, "28000");
    assert!(message.starts_with("no pg_hba.conf entry for host") && message.ends_with("SSL off"));
    let (state, message) =
        reported(&front_with(|options| options.require_ssl = true), "sha256_user");
    assert_eq!(
        (&*state, &*message),
        ("57P03", "SSL connection is required by the database system")
    );
    let crowded = front_with(|options| options.trouble = Some(Trouble::TooManyClients));
    assert_eq!(reported(&crowded, "sha256_user").0, "53300");
    let silent = front_with(|options| options.trouble = Some(Trouble::SilentEof));
    let (error, _) = refused(silent.port(), user("sha256_user"));
    assert_eq!(error.kind(), ErrorKind::HungUp);
    assert_eq!(error.outcome(), Outcome::NotSent);
    let old = front_with(|options| options.trouble = Some(Trouble::OldError));
    let (error, _) = refused(old.port(), user("sha256_user"));
    assert_eq!(error.kind(), ErrorKind::Protocol(barepg::ProtocolError::BadLength));
    assert_eq!(error.remedy(), barepg::Remedy::Retry);
}

/// The keys of a user, from what the server stores.
fn stored(front: &Front, name: &str, method: GaussMethod) -> ([u8; 32], u32, [u8; 32]) {
    let text = front.rolpassword(name);
    let text = text.strip_prefix(if method == GaussMethod::Sm3 { "sm3" } else { "sha256" });
    let bytes = |at: usize| -> [u8; 32] {
        let digits = &text.unwrap()[at..at + 64];
        std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
    };
    let count = if name.contains("2048") { 2048 } else { 10_000 };
    (bytes(0), count, bytes(128))
}

#[test]
fn keys_log_in_without_a_password() {
    let front = front();
    for name in ["sha256_user", "sha256_2048_user"] {
        let (salt, count, stored_key) = stored(&front, name, GaussMethod::Sha256);
        let derive = |password: &[u8], salt| {
            GaussKeys::derive(GaussMethod::Sha256, password, salt, count, &|| {}).unwrap()
        };
        let keys = derive(PASSWORD.as_bytes(), salt);
        assert_eq!(*keys.stored_key(), stored_key);
        let config = barepg::Config::new().user(name).dbname("test");
        with_session(front.port(), config.gauss_keys(&keys), |c| c.ping().unwrap());
        // The password was set again since: nothing is sent, and no attempt is counted.
        let stale = derive(PASSWORD.as_bytes(), [7; 32]);
        let (error, _) = refused(front.port(), config.gauss_keys(&stale));
        assert_eq!(error.kind(), ErrorKind::Auth(AuthError::StaleKeys));
        assert_eq!(last(&front), (Some(10), false, false));
        // With a password as well, the login goes on with it.
        with_session(front.port(), user(name).gauss_keys(&stale), |c| c.ping().unwrap());
        let wrong = derive(b"wrong", salt);
        let (error, _) = refused(front.port(), config.gauss_keys(&wrong));
        assert_eq!(error.kind(), ErrorKind::Server(SqlState::INVALID_PASSWORD));
    }
}

/// Keys work where the hash that derived them is not compiled in.
#[test]
fn keys_of_sm3_need_no_feature() {
    let front = front();
    let (salt, count, stored_key) = stored(&front, "sm3_user", GaussMethod::Sm3);
    let sha256 =
        GaussKeys::derive(GaussMethod::Sha256, PASSWORD.as_bytes(), salt, count, &|| {}).unwrap();
    let keys = GaussKeys::new(GaussMethod::Sm3, salt, count, *sha256.client_key(), stored_key);
    let config = barepg::Config::new().user("sm3_user").dbname("test");
    with_session(front.port(), config.gauss_keys(&keys), |c| c.ping().unwrap());
}

/// Counts the turns of the loops that hash and wait.
struct Counting(std::cell::Cell<u32>);

impl Platform for Counting {
    fn now_ms(&self) -> u64 {
        Host.now_ms()
    }

    fn idle(&self) {
        self.0.set(self.0.get() + 1);
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), barepg::NoEntropy> {
        Host.entropy(buf)
    }
}

#[test]
fn a_cache_saves_the_hashing_of_every_login_but_the_first() {
    let front = front();
    let cluster = pg::shared(15);
    for (port, config, turns) in [
        (front.port(), user("sha256_user"), 1_200),
        (cluster.port(), crate::common::role("scram_user"), 250),
    ] {
        let changed = config.password("wrong");
        let platform = Counting(0.into());
        let (mut storage, mut cache) = (Storage::<512, 512>::new(), KeyCache::new());
        let mut client = Client::new(storage.buffers(), &config, &platform);
        client.set_key_cache(&mut cache);
        let mut login = |password: Option<&'static str>| {
            if password.is_some() {
                client.set_config(&changed);
            }
            let before = platform.0.get();
            let result = client.connect(tcp(port)).map(|connection| {
                connection.close().unwrap();
            });
            (result.map_err(|error| error.kind()), platform.0.get() - before)
        };
        let (result, first) = login(None);
        assert_eq!(result, Ok(()));
        assert!(first > turns, "{first}");
        for _ in 0..3 {
            let (result, again) = login(None);
            assert_eq!(result, Ok(()));
            assert!(again < 100, "{again}");
        }
        // Another password: the keys are forgotten, and those that were refused are not kept.
        let invalid = Err(ErrorKind::Server(SqlState::INVALID_PASSWORD));
        for password in ["wrong", "wrong"] {
            let (result, turns_taken) = login(Some(password));
            assert_eq!(result, invalid);
            assert!(turns_taken > turns);
        }
        assert_eq!(login(None).0, invalid);
        assert!(client.key_cache().unwrap().scram().is_none());
        assert!(client.key_cache().unwrap().gauss().is_none());
    }
}

/// libpq 18's `scram_client_key` and `scram_server_key`, from the keys of a login.
#[test]
fn scram_keys_log_in_without_a_password() {
    for major in [10, 15, 18] {
        let port = pg::shared(major).port();
        let (mut storage, mut cache) = (Storage::<512, 512>::new(), KeyCache::new());
        let config = crate::common::role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        client.set_key_cache(&mut cache);
        client.connect(tcp(port)).unwrap().close().unwrap();
        let keys = client.key_cache().unwrap().scram().expect("keys of SCRAM").clone();
        assert_eq!((keys.iterations(), keys.salt().len()), (4096, 16));
        let again = barepg::ScramKeys::derive(b"scram_user_pw", keys.salt(), 4096, &|| {}).unwrap();
        assert!(again == keys);
        let (client_key, server_key) = (base64(keys.client_key()), base64(keys.server_key()));
        let config = barepg::Config::new()
            .user("scram_user")
            .dbname("test")
            .scram_client_key(&client_key)
            .scram_server_key(&server_key);
        with_session(port, config, |c| c.ping().unwrap());
        // The server is verified with the key too.
        let wrong = base64(&[1; 32]);
        let (error, _) = refused(port, config.scram_server_key(&wrong));
        assert_eq!(error.kind(), ErrorKind::Auth(AuthError::ServerSignature));
        let (error, _) = refused(port, config.scram_client_key(&wrong));
        assert_eq!(error.kind(), ErrorKind::Server(SqlState::INVALID_PASSWORD));
        let (error, _) = refused(port, config.scram_client_key("AAAA"));
        assert_eq!(error.kind(), ErrorKind::Config(barepg::ConfigError::BadKey));
        // One without the other is not left aside, also beside the password.
        for config in [
            crate::common::role("scram_user").scram_server_key(&server_key),
            crate::common::role("scram_user").scram_client_key(&client_key),
            barepg::Config::new().user("scram_user").scram_client_key(&client_key),
        ] {
            let (error, _) = refused(port, config);
            assert_eq!(error.kind(), ErrorKind::Config(barepg::ConfigError::BadKey));
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[usize::try_from(word >> (18 - 6 * i) & 63).unwrap()];
            text.push(if i > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
