//! Logging in: each method, right, wrong and missing.

use barepg::{
    AuthError, AuthMethods, Client, Config, ConfigError, Dialect, ErrorKind, Outcome, SqlState,
    Storage,
};

use crate::common::{Host, role, tcp, with_session};
use crate::on_each;

const NAMED: AuthMethods = AuthMethods::PASSWORD.or(AuthMethods::MD5);

fn refused(port: u16, config: Config<'_>) -> (ErrorKind, String) {
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let error = match client.connect(tcp(port)) {
        Ok(_) => panic!("logged in"),
        Err(error) => error,
    };
    assert!(!error.is_usable());
    let message = client.server_error().map(|e| e.message().to_string()).unwrap_or_default();
    (error.kind(), message)
}

#[test]
fn every_method_logs_in() {
    on_each(|cluster| {
        for user in ["trust_user", "scram_user"] {
            let name = with_session(cluster.port(), role(user), |c| {
                c.query_one("select current_user", ()).unwrap().get::<&str>(0).unwrap().to_string()
            });
            assert_eq!(name, user);
        }
        for user in ["pass_user", "md5_user"] {
            with_session(cluster.port(), role(user).require_auth(NAMED), |c| c.ping().unwrap());
        }
    });
}

#[test]
fn every_dialect_that_postgresql_speaks() {
    on_each(|cluster| {
        for dialect in [Dialect::Auto, Dialect::PostgreSql] {
            with_session(cluster.port(), role("scram_user").dialect(dialect), |c| {
                assert_eq!(c.server_version() / 10_000, u32::from(cluster.major()));
                assert!(!c.is_opengauss());
                assert!(c.cancel_token().is_some());
                // Both are reported since PostgreSQL 14, also when they change.
                let reported = cluster.major() >= 14;
                assert_eq!(c.in_hot_standby(), reported.then_some(false));
                assert_eq!(c.default_transaction_read_only(), reported.then_some(false));
                c.batch_execute("set default_transaction_read_only = on").unwrap();
                assert_eq!(c.default_transaction_read_only(), reported.then_some(true));
            });
        }
    });
}

#[test]
fn wrong_and_missing_passwords() {
    on_each(|cluster| {
        let port = cluster.port();
        let (kind, message) = refused(port, role("scram_user").password("wrong"));
        assert_eq!(kind, ErrorKind::Server(SqlState::INVALID_PASSWORD));
        assert!(message.contains("password authentication failed"), "{message}");
        let wrong = role("md5_user").password("wrong").require_auth(NAMED);
        assert_eq!(refused(port, wrong).0, ErrorKind::Server(SqlState::INVALID_PASSWORD));
        let missing = Config::new().user("scram_user").dbname("test");
        assert_eq!(refused(port, missing).0, ErrorKind::Config(ConfigError::NoPassword));
    });
}

#[test]
fn what_the_policy_does_not_name_is_not_answered() {
    on_each(|cluster| {
        let port = cluster.port();
        let not_allowed = ErrorKind::Auth(AuthError::MethodNotAllowed);
        for user in ["pass_user", "md5_user"] {
            assert_eq!(refused(port, role(user)).0, not_allowed, "{user}");
        }
        let only_scram = role("trust_user").require_auth(AuthMethods::SCRAM_SHA_256);
        assert_eq!(refused(port, only_scram).0, not_allowed);
    });
}

#[test]
fn unknown_database_and_user() {
    on_each(|cluster| {
        let (kind, message) = refused(cluster.port(), role("scram_user").dbname("nowhere"));
        assert_eq!(kind, ErrorKind::Server(SqlState::INVALID_CATALOG_NAME));
        assert!(message.contains("nowhere"), "{message}");
    });
}

#[test]
fn a_client_logs_in_again_and_again_with_the_same_memory() {
    let cluster = &crate::usual();
    let mut storage = Storage::<512, 512>::new();
    let config = role("scram_user");
    let mut client = Client::new(storage.buffers(), &config, &Host);
    for turn in 0..20 {
        let mut connection = client.connect(tcp(cluster.port())).unwrap();
        assert_eq!(connection.query_one("select 1", ()).unwrap().get::<i32>(0), Ok(1));
        if turn % 2 == 0 {
            connection.close().unwrap();
        }
    }
}

#[test]
fn the_smallest_buffers_log_in() {
    on_each(|cluster| {
        let mut storage = Storage::<{ barepg::limits::MIN_RX }, { barepg::limits::MIN_TX }>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut connection = client.connect(tcp(cluster.port())).unwrap();
        let row = connection.query_one("select 42, 'text'", ()).unwrap();
        assert_eq!(row.decode::<(i32, &str)>(), Ok((42, "text")));
    });
}

#[test]
fn nothing_is_sent_with_a_configuration_that_cannot_work() {
    let mut storage = Storage::<512, 512>::new();
    let config = Config::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let cluster = &crate::usual();
    let error = client.connect(tcp(cluster.port())).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config(ConfigError::NoUser));
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert_eq!(client.stats().bytes_out, 0);
}

/// What the server says of a parameter, in its base unit.
fn setting(c: &mut barepg::Connection<'_, '_>, name: &str) -> String {
    let row = c.query_one("select setting from pg_settings where name = $1", (name,)).unwrap();
    row.get::<&str>(0).unwrap().to_string()
}

#[test]
fn the_servers_limits_hold_from_the_first_statement() {
    on_each(|cluster| {
        let mut config = role("scram_user")
            .statement_timeout_ms(250)
            .lock_timeout_ms(125)
            .idle_in_transaction_session_timeout_ms(61_000)
            .server_keepalives_idle_s(71)
            .server_keepalives_interval_s(13)
            .server_keepalives_count(4);
        let mut expected = vec![
            ("statement_timeout", "250"),
            ("lock_timeout", "125"),
            ("idle_in_transaction_session_timeout", "61000"),
            ("tcp_keepalives_idle", "71"),
            ("tcp_keepalives_interval", "13"),
            ("tcp_keepalives_count", "4"),
        ];
        let idle_session = config.idle_session_timeout_ms(62_000);
        if cluster.major() >= 14 {
            config = idle_session;
            expected.push(("idle_session_timeout", "62000"));
        } else {
            let (kind, message) = refused(cluster.port(), idle_session);
            assert!(matches!(kind, ErrorKind::Server(_)), "{kind:?}");
            assert!(message.contains("idle_session_timeout"), "{message}");
        }
        with_session(cluster.port(), config, |c| {
            for (name, value) in expected {
                assert_eq!(setting(c, name), value, "{name}");
            }
            // The server ends the statement, long before the driver's deadline.
            c.set_timeout_ms(20_000);
            let begin = std::time::Instant::now();
            let error = c.execute("select pg_sleep(10)", ()).unwrap_err();
            assert_eq!(error.sqlstate(), Some(SqlState::QUERY_CANCELED));
            assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
            assert!(begin.elapsed().as_millis() < 5_000);
            c.ping().unwrap();
        });
        with_session(cluster.port(), role("scram_user"), |c| {
            assert_eq!(setting(c, "statement_timeout"), "0");
        });
    });
}

#[test]
fn a_session_that_idles_in_a_transaction_is_ended() {
    let config = role("scram_user").idle_in_transaction_session_timeout_ms(100);
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut connection = client.connect(tcp(barepg_testkit::pg::shared(15).port())).unwrap();
    let transaction = connection.transaction().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(600));
    let error = transaction.commit().unwrap_err();
    assert_eq!(error.sqlstate().map(|state| state.to_string()).as_deref(), Some("25P03"));
    // It was noticed before COMMIT was sent.
    assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, false));
}
