//! What the comparison with libpq (`tests/conninfo.rs`) cannot show: borrowing, capacities,
//! redaction, and this driver's own keywords.

use std::format;

use super::*;

fn parse(text: &str) -> Result<Config<'_>, ParseError> {
    Config::parse(text, std::boxed::Box::leak(std::boxed::Box::new([0; 256])))
}

#[test]
fn three_spellings_mean_the_same() {
    let built = Config::new()
        .dbname("test")
        .user("postgres")
        .password("secret")
        .host("127.0.0.1")
        .port("5432");
    for text in [
        "dbname=test user=postgres password=secret host=127.0.0.1 port=5432",
        "database = 'test' user\t=\tpostgres password='sec\\ret' host=127.0.0.1 port=5432",
        "postgresql://postgres:secret@127.0.0.1:5432/test",
        "postgres://127.0.0.1/test?user=postgres&password=secr%65t&port=5432",
        "opengauss://postgres:secret@127.0.0.1:5432/?database=test",
    ] {
        let parsed = parse(text).unwrap();
        assert_eq!(format!("{parsed:?}"), format!("{built:?}"), "{text}");
        assert_eq!(parsed.credentials.password, built.credentials.password, "{text}");
    }
}

#[test]
fn plain_values_need_no_scratch() {
    for text in ["user=a password='b c'", "postgresql://a:b@[::1]:5/c?sslmode=require", "user=''"] {
        Config::parse(text, &mut []).unwrap();
    }
}

#[test]
fn scratch_that_is_too_small_names_the_first_keyword_and_the_whole_need() {
    let text = r"user=a\b password=c\d\e host=f dbname=\g";
    let mut scratch = [0; 4];
    let error = Config::parse(text, &mut scratch).unwrap_err();
    assert_eq!(error.keyword(), Some("password"));
    assert_eq!(error.reason(), ParseReason::Capacity { have: 4, needed: 6 });
    let mut scratch = [0; 6];
    let config = Config::parse(text, &mut scratch).unwrap();
    assert_eq!(config.get_user(), Some("ab"));
    assert_eq!(config.get_dbname(), Some("g"));
}

#[test]
fn errors_name_the_keyword_or_the_place() {
    for (text, keyword, position, reason) in [
        ("user=a sslmode=on", Some("sslmode"), 7, ParseReason::InvalidValue(SslMode::TAKES)),
        ("user=a tty=x", None, 7, ParseReason::UnknownKeyword),
        ("user=a User=x", None, 7, ParseReason::UnknownKeyword),
        ("postgresql://h?x=y", None, 15, ParseReason::UnknownKeyword),
        ("password=pass word", None, 14, ParseReason::MissingEquals),
        ("password='pass", None, 0, ParseReason::UnterminatedQuote),
        ("postgresql://u:%4@h", Some("password"), 15, ParseReason::PercentEncoding),
        ("postgresql://u:%ff@h", Some("password"), 15, ParseReason::NotUtf8),
        ("postgresql://[::1", None, 13, ParseReason::Brackets),
        ("user=a\0", None, 6, ParseReason::Nul),
        ("host=a,b port=1,2,3", Some("port"), 0, ParseReason::HostCount { hosts: 2, entries: 3 }),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.keyword(), keyword, "{text}");
        assert_eq!(error.position(), position, "{text}");
        assert_eq!(error.reason(), reason, "{text}");
        assert!(!format!("{error} {error:?}").contains("pass "), "{text}");
    }
    assert!(matches!(parse("service=x").unwrap_err().reason(), ParseReason::NotServed(_)));
    assert!(matches!(parse("gssencmode=require").unwrap_err().reason(), ParseReason::NotServed(_)));
    assert!(parse("gssencmode=disable sslcompression=0").is_ok());
}

#[test]
fn secrets_are_never_shown() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let text = format!("password=xyzzy scram_client_key={key} scram_server_key={key}");
    let config = parse(&text).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("<redacted>") && !shown.contains("xyzzy") && !shown.contains(key));
    assert!(config.has_password() && config.has_scram_keys());
    assert!(!parse("password=''").unwrap().has_password());
}

#[test]
fn numbers_and_defaults() {
    let config = parse("connect_timeout=3 keepalives=0 keepalives_idle=-1 keepalives_count=4");
    let config = config.unwrap();
    assert_eq!(config.connect_timeout_ms, 3000);
    assert_eq!(config.keepalives, Keepalives { on: false, idle_s: 0, interval_s: 0, count: 4 });
    assert_eq!(parse("connect_timeout=0").unwrap().connect_timeout_ms, u32::MAX);
    assert_eq!(parse("connect_timeout=2147483647").unwrap().connect_timeout_ms, u32::MAX);
    let config = parse("user=u fallback_application_name=f").unwrap();
    assert_eq!(config.get_application_name(), Some("f"));
    assert_eq!(config.get_dbname(), Some("u"));
    let config = parse("application_name='' fallback_application_name=f").unwrap();
    assert_eq!(config.get_application_name(), None);
    assert_eq!(parse("dialect=opengauss").unwrap().dialect, Dialect::OpenGauss);
    assert!(parse("client_encoding='UTF-8'").is_ok());
    assert!(parse("client_encoding=LATIN1").is_err());
}

#[test]
fn scram_can_be_allowed_other_iterations_than_the_default_ones() {
    let defaults = (limits::SCRAM_MIN_ITERATIONS, limits::SCRAM_MAX_ITERATIONS);
    for (text, expected) in [
        ("user=u", defaults),
        ("scram_min_iterations=1", (1, defaults.1)),
        ("scram_max_iterations=1000000", (defaults.0, 1_000_000)),
        ("postgresql://h/?scram_min_iterations=8&scram_max_iterations=8", (8, 8)),
    ] {
        assert_eq!(parse(text).unwrap().get_scram_iterations(), expected, "{text}");
    }
    for text in ["scram_max_iterations=4095", "scram_min_iterations=20001", "scram_min_iterations="]
    {
        assert_eq!(parse(text).unwrap_err().keyword(), Some("scram_min_iterations"), "{text}");
    }
    assert!(parse("password_prepared=1").unwrap().get_password_prepared());
    assert!(!parse("password_prepared=0").unwrap().get_password_prepared());
    assert!(parse("password_prepared=yes").is_err());
}

#[test]
fn contradictions_are_found() {
    assert_eq!(parse("sslrootcert=system").unwrap().sslmode, SslMode::VerifyFull);
    assert_eq!(parse("sslrootcert=system sslmode=require").unwrap_err().keyword(), Some("sslmode"));
    assert!(parse("sslnegotiation=direct").is_err());
    assert!(parse("sslnegotiation=direct sslmode=require").is_ok());
    assert!(parse("min_protocol_version=3.2 max_protocol_version=3.0").is_err());
    assert!(parse("min_protocol_version=3.2 max_protocol_version=latest").is_ok());
}
