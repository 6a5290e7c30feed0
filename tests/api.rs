//! What the types promise apart from their behaviour: sizes, threads, secrets in their output.

mod common;

use barepg::*;

/// A transport of a pointer and a length.
type Small<'c> = Channel<'c, NoReadReady<common::Std<std::io::Cursor<&'static mut [u8]>>>>;

/// The largest that each may be on this machine, in bytes. On a 32-bit core they are about two
/// thirds of it; the budgets there are measured on the linked firmware.
#[test]
fn sizes() {
    for (name, size, most) in [
        ("Error", size_of::<Error>(), 16),
        // An RSA signature waits in it until it is sent.
        (
            "Client",
            size_of::<Client<'_>>(),
            if cfg!(feature = "tls-client-rsa") { 1536 } else { 1024 },
        ),
        // With TLS it holds the session's keys and what the record layer keeps.
        (
            "Connection",
            size_of::<Connection<'_, '_, Small<'_>>>(),
            if cfg!(feature = "tls") { 1536 } else { 64 },
        ),
        ("Rows", size_of::<Rows<'_, '_>>(), 64),
        ("Row", size_of::<Row<'_>>(), 72),
        // Its text and its name go with it.
        ("Statement", size_of::<Statement<'_>>(), 128),
        ("Transaction", size_of::<Transaction<'_, '_, '_>>(), 24),
        ("CancelToken", size_of::<CancelToken>(), 80),
        ("Config", size_of::<Config<'_>>(), 512),
        ("Storage", size_of::<Storage>(), 2 * limits::DEFAULT_BUFFER),
    ] {
        println!("{name}: {size} bytes");
        assert!(size <= most, "{name} has {size} bytes, {most} are allowed");
    }
    // The buffers and nothing else.
    assert_eq!(size_of::<Storage<100, 120>>(), 220);
}

#[test]
fn what_may_go_to_another_thread() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn copy<T: Copy>() {}
    send::<Error>();
    sync::<Error>();
    copy::<Error>();
    send::<CancelToken>();
    sync::<CancelToken>();
    copy::<CancelToken>();
    send::<Statement>();
    sync::<Statement>();
    copy::<Statement>();
    send::<Config<'static>>();
    sync::<Config<'static>>();
    send::<SqlState>();
    send::<Stats>();
    send::<Storage>();
    sync::<Storage>();
    send::<ScramKeys>();
    send::<KeyCache>();
    send::<HashHardware<()>>();
    send::<HashStart>();
    send::<ServerError<'static>>();
    // A result may cross threads with `?`, as `std::error::Error` in a box.
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(SomeError::get());
    assert!(!boxed.to_string().is_empty());
}

/// What a board's own functions get from the driver's goes on by `?`, whatever error they return.
#[test]
fn errors_of_the_board_are_errors() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<NoEntropy>();
    error::<HashFailed>();
    error::<DialError>();
    error::<ParseError>();
}

struct SomeError;

impl SomeError {
    /// An error, from a client that has no user.
    fn get() -> Error {
        let mut storage = Storage::<512, 512>::new();
        let config = Config::new();
        let mut client = Client::new(storage.buffers(), &config, &common::Host);
        let transport = NoReadReady(common::Std(std::io::Cursor::new(Vec::new())));
        client.connect(transport).map(|_| ()).unwrap_err()
    }
}

#[test]
fn no_output_holds_a_password_or_a_key() {
    const PASSWORD: &str = "Tr0ub4dor&3";
    const CLIENT_KEY: &str = "Y2xpZW50IGtleSBvZiBleGFjdGx5IDMyIGJ5dGVzISE=";
    const SERVER_KEY: &str = "c2VydmVyIGtleSBvZiBleGFjdGx5IDMyIGJ5dGVzISE=";
    let keys = ScramKeys::derive(PASSWORD.as_bytes(), b"salt", 1, &|| ()).unwrap();
    let config = Config::new()
        .user("the-user")
        .password(PASSWORD)
        .scram_client_key(CLIENT_KEY)
        .scram_server_key(SERVER_KEY);
    let text = format!("postgresql://the-user:{PASSWORD}@host/db");
    let mut scratch = [0; 100];
    let parsed = Config::parse(&text, &mut scratch).unwrap();
    let outputs = [
        format!("{config:?} {config:#?}"),
        format!("{parsed:?} {parsed:#?}"),
        format!("{keys:?} {keys:#?}"),
        format!("{:?}", KeyCache::new()),
        format!("{:?}", SomeError::get()),
        format!("{:?}", Config::parse(&format!("password={PASSWORD} x=y"), &mut [0; 100])),
        format!("{:?}", Config::parse(&format!("password='{PASSWORD}"), &mut [0; 100])),
        format!("{:?}", Config::parse(PASSWORD, &mut [0; 100])),
    ];
    assert!(outputs[0].contains("the-user"));
    let list = |key: &[u8]| format!("{key:?}").trim_matches(['[', ']']).to_string();
    for output in outputs {
        for secret in [PASSWORD, CLIENT_KEY, SERVER_KEY] {
            assert!(!output.contains(secret), "{output}");
        }
        for key in [keys.client_key(), keys.server_key()] {
            assert!(!output.contains(&list(key)), "{output}");
        }
    }
}

/// Types that hold secrets do not derive their output. Found by the names of the fields, so that
/// a new type is looked at too.
#[test]
fn no_type_with_a_key_derives_debug() {
    fn sources(directory: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut files = Vec::new();
    sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let secret = |line: &str| {
        let name = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        // Of its own type `Secret`, which is redacted, it may be.
        !name.contains("Secret<")
            && [
                "client_key:",
                "server_key:",
                "stored_key:",
                "proof:",
                "password:",
                "key: [",
                "server_signature:",
            ]
            .iter()
            .any(|field| name.starts_with(field))
    };
    let mut checked = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut attributes = String::new();
        let mut inside = None;
        for line in text.lines() {
            if line.trim_start().starts_with("#[") {
                attributes.push_str(line);
            } else if line.contains("struct ") && line.ends_with('{') {
                inside = Some((line.to_string(), std::mem::take(&mut attributes)));
            } else if line.trim() == "}" {
                inside = None;
            } else if !line.trim_start().starts_with("//") {
                attributes.clear();
            }
            if let Some((name, derives)) = &inside
                && secret(line)
            {
                checked += 1;
                assert!(
                    !derives.contains("Debug") && !derives.contains("Format"),
                    "{}: {name} derives its output and holds {}",
                    path.display(),
                    line.trim()
                );
            }
        }
    }
    assert!(checked >= 8, "{checked}");
}

/// What the README shows is compiled: none of its code is marked to be left out.
#[test]
fn the_readme_is_compiled() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    for fence in readme.lines().filter(|line| line.starts_with("```")) {
        let words: Vec<&str> = fence.trim_start_matches('`').split(',').collect();
        assert!(!words.contains(&"ignore"), "{fence}");
    }
}
