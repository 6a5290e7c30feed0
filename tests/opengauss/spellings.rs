//! `connect(dbname="test", user="postgres", password="secret", host="127.0.0.1", port="5432")` at an
//! openGauss: in its three spellings, by every method, over TCP, TLS and the UNIX socket.

#[cfg(feature = "tls")]
use barepg::SslMode;
use barepg::host::Host;
use barepg::{AuthMethods, Config, Connection, GaussKeys};
use barepg_testkit::gauss::{Front, PASSWORD};

use crate::front_with;

/// A way to the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Tcp,
    #[cfg(feature = "tls")]
    Tls,
    Unix,
}

impl Way {
    const ALL: &[Way] = &[
        Way::Tcp,
        #[cfg(feature = "tls")]
        Way::Tls,
        Way::Unix,
    ];

    fn host(self, front: &Front) -> String {
        match self {
            Way::Unix => front.socket_dir().display().to_string(),
            _ => "127.0.0.1".to_string(),
        }
    }

    /// Keywords and values beside those of the call.
    fn more(self, front: &Front, method: &str) -> Vec<(&'static str, String)> {
        let _ = front;
        match self {
            // MD5 shows a hash that others can use: only where no one can listen, or by name.
            Way::Tcp if method == "md5" => vec![("require_auth", "md5".to_string())],
            Way::Tcp => vec![("sslmode", "disable".to_string())],
            Way::Unix => Vec::new(),
            #[cfg(feature = "tls")]
            Way::Tls => {
                let root = front.certificates().path("ca.crt").display().to_string();
                vec![("sslmode", "verify-ca".to_string()), ("sslrootcert", root)]
            }
        }
    }
}

fn works(connection: &mut Connection) {
    assert!(connection.is_opengauss());
    let row = connection.query_one("select current_database()::text, $1 + 1", (41,)).unwrap();
    assert_eq!(row.decode(), Ok(("test", 42)));
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn the_call_works_in_three_spellings_by_every_method_and_way() {
    // By TLS and without: one front offers it, the other is asked in clear.
    let fronts = [front_with(|options| options.tls = true), front_with(|_| {})];
    let mut logins = 0;
    for (method, name) in [
        ("sha256", "sha256_user"),
        ("md5", "md5_user"),
        #[cfg(feature = "sm3")]
        ("sm3", "sm3_user"),
        ("keys", "combined_user"),
    ] {
        for way in Way::ALL {
            let front = match way {
                #[cfg(feature = "tls")]
                Way::Tls => &fronts[0],
                _ => &fronts[1],
            };
            let (host, port) = (way.host(front), front.port().to_string());
            let mut more = way.more(front, method);
            let keys = front.login_keys(name);
            let password = match method {
                "keys" => {
                    more.push(("gauss_keys", keys.clone().expect("keys")));
                    None
                }
                _ => Some(PASSWORD),
            };
            let context = format!("{method} over {way:?}");
            let tried = |mut host: Box<Host<512, 512>>, text: &str| {
                let mut client =
                    host.client(text).unwrap_or_else(|error| panic!("{context}: {text}: {error}"));
                let mut connection = match client.connect() {
                    Ok(connection) => connection,
                    Err(error) => panic!("{context}: {text}: {error}"),
                };
                works(&mut connection);
                connection.close().unwrap();
            };
            // keyword=value
            let mut text = format!("dbname=test user={name} host={host} port={port}");
            if let Some(password) = password {
                text.push_str(&format!(" password='{password}'"));
            }
            for (keyword, value) in &more {
                text.push_str(&format!(" {keyword}='{value}'"));
            }
            tried(Box::new(Host::with_buffers()), &text);
            // A URI.
            let secret = password.map(|text| format!(":{}", escaped(text))).unwrap_or_default();
            let mut text = format!("postgresql://{name}{secret}@{}:{port}/test", escaped(&host));
            for (index, (keyword, value)) in more.iter().enumerate() {
                let sign = if index == 0 { '?' } else { '&' };
                text.push_str(&format!("{sign}{keyword}={}", escaped(value)));
            }
            tried(Box::new(Host::with_buffers()), &text);
            // The builder.
            let root = front.shows_certificates().then(|| front.certificates().path("ca.crt"));
            let root = root.map(|path| path.display().to_string()).unwrap_or_default();
            let parsed = keys.as_deref().and_then(GaussKeys::parse);
            let mut config = Config::new().dbname("test").user(name).host(&host).port(&port);
            match (password, &parsed) {
                (Some(password), _) => config = config.password(password),
                (None, keys) => config = config.gauss_keys(keys.as_ref().expect("keys")),
            }
            match way {
                Way::Tcp if method == "md5" => config = config.require_auth(AuthMethods::MD5),
                Way::Tcp | Way::Unix => {}
                #[cfg(feature = "tls")]
                Way::Tls => config = config.sslmode(SslMode::VerifyCa).sslrootcert(&root),
            }
            let _ = &root;
            let mut host = Host::<512, 512>::with_buffers();
            let mut client = host.client_for(config);
            let mut connection =
                client.connect().unwrap_or_else(|error| panic!("{context}: builder: {error}"));
            works(&mut connection);
            connection.close().unwrap();
            logins += 3;
        }
    }
    let seen: usize = fronts.iter().map(|front| front.attempts().len()).sum();
    assert_eq!(seen, logins, "no login was tried twice");
    assert!(fronts[0].attempts().iter().all(|attempt| attempt.tls && attempt.ok));
    assert!(fronts[1].attempts().iter().all(|attempt| !attempt.tls && attempt.ok));
}
