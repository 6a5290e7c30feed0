//! Connection strings mean to barepg what they mean to libpq.
//!
//! The corpus is made up anew in every run from a fixed seed. Each string goes to the newest
//! libpq there is and to Debian's; what differs between the two is named in [`differences`].

mod corpus;

use std::collections::HashMap;

use barepg::{Config, ParseError, ParseReason};
use barepg_testkit::libpq::{Libpq, Values};
use barepg_testkit::provision;

/// Strings compared per form and run.
const STRINGS: usize = 20_000;

/// Keywords of libpq that barepg refuses unless the value asks for nothing.
const REFUSED: &[&str] = &[
    "service",
    "sslcompression",
    "sslcertmode",
    #[cfg(not(feature = "sslpassword"))]
    "sslpassword",
    "sslcrl",
    "sslcrldir",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "sslkeylogfile",
    "requirepeer",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "replication",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "passfile",
    "client_encoding",
    "require_auth",
];

#[test]
fn every_keyword_of_libpq_is_known() {
    let libpq = Libpq::load(provision::newest_major());
    let keywords = libpq.keywords();
    assert!(keywords.len() >= 50, "{keywords:?}");
    for keyword in keywords {
        let text = format!("{keyword}=?");
        let known = match Config::parse(&text, &mut []) {
            Ok(_) => true,
            Err(error) => error.keyword() == Some(&keyword),
        };
        assert!(known, "{keyword}");
    }
}

#[test]
fn pairs_mean_what_they_mean_to_libpq() {
    compare(corpus::pairs);
}

#[test]
fn uris_mean_what_they_mean_to_libpq() {
    compare(corpus::uri);
}

#[test]
fn damaged_strings_are_refused_where_libpq_refuses_them() {
    compare(corpus::damaged);
}

fn compare(make: fn(&mut corpus::Dice) -> String) {
    let newest = Libpq::load(provision::newest_major());
    let debian = Libpq::load(provision::USUAL_MAJOR);
    let mut dice = corpus::Dice::new(0x5eed);
    let mut judge = Judge { libpq: &newest, cache: HashMap::new() };
    let (mut both, mut neither, mut refused) = (0, 0, 0);
    for _ in 0..STRINGS {
        let text = make(&mut dice);
        let theirs = newest.parse(&text);
        let mut scratch = vec![0; text.len()];
        let ours = Config::parse(&text, &mut scratch);
        match (&ours, &theirs) {
            (Ok(config), Ok(values)) => {
                same(&text, config, values);
                assert!(judge.accepts(values), "{text:?}: libpq would not connect with it");
                both += 1;
            }
            (Err(_), Err(_)) => neither += 1,
            (Ok(config), Err(error)) => panic!("{text:?}: {config:?}, libpq says {error}"),
            (Err(error), Ok(values)) => {
                judge.justified(&text, error, values);
                refused += 1;
            }
        }
        differences(&text, &debian.parse(&text), &theirs);
    }
    println!(
        "of {STRINGS}: {both} mean the same, {neither} mean nothing to either, {refused} are refused by barepg alone, with cause"
    );
    assert!(both > STRINGS / 20, "the corpus is too wild: {both} of {STRINGS} mean anything");
    assert!(neither + refused > STRINGS / 20, "the corpus is too tame");
}

/// Debian's libpq differs from the newest in its keywords and, in URIs, in blanks.
fn differences(text: &str, old: &Result<Values, String>, new: &Result<Values, String>) {
    let uri = text.starts_with("postgres");
    let unknown = |said: &str| {
        said.contains("invalid connection option") || said.contains("invalid URI query parameter")
    };
    match (old, new) {
        (Ok(old), Ok(new)) if old == new => {}
        (Err(_), Err(_)) => {}
        _ if uri && text.contains([' ', '\t', '\n']) => {}
        (Err(said), Ok(_)) if unknown(said) => {}
        _ => panic!("{text:?}: libpq's versions differ: {old:?} and {new:?}"),
    }
}

/// Every value that libpq found is in the configuration, and no other.
fn same(text: &str, config: &Config<'_>, values: &Values) {
    let value = |keyword: &str| {
        values.get(keyword).map(|value| std::str::from_utf8(value).expect("barepg took it"))
    };
    let number = |keyword: &str| value(keyword).map(|text| text.trim().parse::<i64>().unwrap());
    let at_least_0 = |keyword: &str| number(keyword).map_or(0, |value| value.max(0) as u32);
    let (client_key, server_key) = config.reveal_scram_keys();
    for (keyword, ours) in [
        ("user", config.get_user()),
        ("password", config.reveal_password()),
        ("host", config.get_host()),
        ("hostaddr", config.get_hostaddr()),
        ("port", config.get_port()),
        ("options", config.get_options()),
        ("sslcert", config.get_sslcert()),
        ("sslkey", config.get_sslkey()),
        ("sslrootcert", config.get_sslrootcert()),
        ("scram_client_key", client_key),
        ("scram_server_key", server_key),
    ] {
        assert_eq!(ours, value(keyword), "{keyword} of {text:?}");
    }
    #[cfg(feature = "std")]
    assert_eq!(config.get_passfile(), value("passfile"), "{text:?}");
    #[cfg(feature = "sslpassword")]
    {
        let password = value("sslpassword").filter(|password| !password.is_empty());
        assert_eq!(config.reveal_sslpassword(), password, "{text:?}");
    }
    let not_empty = |text: &&str| !text.is_empty();
    let dbname = value("dbname").filter(not_empty).or(value("user"));
    assert_eq!(config.get_dbname(), dbname, "{text:?}");
    let name = value("application_name").or(value("fallback_application_name"));
    assert_eq!(config.get_application_name(), name.filter(not_empty), "{text:?}");

    let sslmode = match value("sslrootcert") {
        Some("system") => "verify-full",
        _ => "prefer",
    };
    let version = |text| if text == "latest" { "3.2" } else { text };
    for (keyword, ours, default) in [
        ("sslmode", config.get_sslmode().as_str(), sslmode),
        ("sslnegotiation", config.get_sslnegotiation().as_str(), "postgres"),
        ("channel_binding", config.get_channel_binding().as_str(), "prefer"),
        ("target_session_attrs", config.get_target_session_attrs().as_str(), "any"),
        ("load_balance_hosts", config.get_load_balance_hosts().as_str(), "disable"),
        ("sslsni", if config.get_sslsni() { "1" } else { "0" }, "1"),
        ("min_protocol_version", config.get_min_protocol_version().map_or("", |v| v.as_str()), ""),
        ("max_protocol_version", config.get_max_protocol_version().map_or("", |v| v.as_str()), ""),
    ] {
        assert_eq!(ours, version(value(keyword).unwrap_or(default)), "{keyword} of {text:?}");
    }

    let timeout = match number("connect_timeout") {
        None => barepg::limits::DEFAULT_CONNECT_TIMEOUT_MS,
        Some(..=0) => u32::MAX,
        Some(seconds) => u32::try_from(seconds * 1000).unwrap_or(u32::MAX),
    };
    assert_eq!(config.get_connect_timeout_ms(), timeout, "{text:?}");
    let keepalives = config.get_keepalives();
    assert_eq!(keepalives.on, number("keepalives") != Some(0), "{text:?}");
    assert_eq!(keepalives.idle_s, at_least_0("keepalives_idle"), "{text:?}");
    assert_eq!(keepalives.interval_s, at_least_0("keepalives_interval"), "{text:?}");
    assert_eq!(keepalives.count, at_least_0("keepalives_count"), "{text:?}");
    assert_eq!(config.get_tcp_user_timeout_ms(), at_least_0("tcp_user_timeout"), "{text:?}");

    let hosts: Vec<_> = config.hosts().unwrap().collect();
    let list = |keyword: &str| -> Vec<&str> {
        value(keyword).filter(not_empty).map_or(vec![], |list| list.split(',').collect())
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    assert_eq!(hosts.len(), names.len().max(addresses.len()).max(1), "{text:?}");
    for (n, host) in hosts.iter().enumerate() {
        let at = |list: &[&str]| list.get(n).copied().unwrap_or("").to_string();
        assert_eq!((host.host, host.hostaddr), (&*at(&names), &*at(&addresses)), "{text:?}");
        let port = if ports.len() == 1 { ports[0].to_string() } else { at(&ports) };
        assert_eq!(host.port, port.trim().parse().unwrap_or(5432), "{text:?}");
    }
}

/// What libpq does with values that it has read.
struct Judge<'l> {
    libpq: &'l Libpq,
    cache: HashMap<String, bool>,
}

impl Judge<'_> {
    /// Whether libpq would connect with these values. It is sent to a port where no server is.
    fn accepts(&mut self, values: &Values) -> bool {
        let mut text = String::from("hostaddr=127.0.0.1 port=1");
        for (keyword, value) in values {
            let plain = ["host", "hostaddr", "port", "user", "password", "dbname", "options"];
            if !plain.contains(&&**keyword) {
                let value = String::from_utf8_lossy(value);
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                text.push_str(&format!(" {keyword}='{value}'"));
            }
        }
        let libpq = self.libpq;
        *self.cache.entry(text).or_insert_with_key(|text| {
            let error = libpq.connect_error(text).expect("no server listens on port 1");
            // The manual promises that 0 is the system's figure; Linux wants a positive one.
            error.contains("Connection refused") || error.contains("setsockopt(TCP_KEEP")
        })
    }

    /// That barepg had a cause to refuse what `PQconninfoParse` took.
    fn justified(&mut self, text: &str, error: &ParseError, values: &Values) {
        let keyword = error.keyword().unwrap_or("");
        let value = values.get(keyword).map(|value| String::from_utf8_lossy(value));
        let count = |keyword| {
            let list = values.get(keyword).filter(|list| !list.is_empty());
            list.map(|list| list.split(|byte| *byte == b',').count())
        };
        let justified = match error.reason() {
            ParseReason::NotServed(_) => REFUSED.contains(&keyword),
            // The value that is not UTF-8 may have been replaced by a later one.
            ParseReason::NotUtf8 => text.contains('%'),
            ParseReason::InvalidValue(_) if keyword == "port" => {
                let ports = value.as_deref().unwrap_or("").split(',');
                ports.filter(|port| !port.is_empty()).any(|port| {
                    !port.trim().parse::<i32>().is_ok_and(|port| (1..=65535).contains(&port))
                })
            }
            // libpq takes anything and means 0; barepg is stricter.
            ParseReason::InvalidValue(_) if keyword == "sslsni" => true,
            // An empty one lets no method through from libpq 16 on, which shows at a login only.
            ParseReason::InvalidValue(_)
                if keyword == "require_auth" && value.as_deref() == Some("") =>
            {
                true
            }
            // By itself, for libpq looks at some only where another parameter asks for it. A
            // later value may have replaced the bad one, then libpq does not see it.
            ParseReason::InvalidValue(_) => {
                let mut alone = values.clone();
                alone.retain(|other, _| other == keyword);
                let other = if keyword == "sslmode" { "ssl" } else { keyword };
                !self.accepts(&alone) || text.matches(other).count() > 1
            }
            ParseReason::Conflict(_) => !self.accepts(values),
            ParseReason::HostCount { .. } => {
                let hosts = count("hostaddr").or(count("host")).unwrap_or(1);
                let hosts_differ =
                    count("hostaddr").is_some_and(|n| count("host").is_some_and(|m| m != n));
                let ports_differ = count("port").is_some_and(|n| n != 1 && n != hosts);
                hosts_differ || ports_differ
            }
            _ => false,
        };
        assert!(justified, "{text:?}: {error}; libpq reads {values:?}");
    }
}
