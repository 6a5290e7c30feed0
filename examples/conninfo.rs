//! Shows how a connection string is understood, keyword by keyword. Secrets are masked.
//!
//! ```text
//! cargo run --features std --example conninfo -- 'postgresql://me:secret@db1,db2/plant'
//! ```
//!
//! `PG*` variables fill in what the string leaves out, as they do when connecting; `--pure` shows
//! the string alone, as firmware would see it. Exit status 1: the string was refused.

use std::process::ExitCode;

use barepg::{Config, host};

const USAGE: &str = "usage: conninfo [--pure] CONNECTION-STRING";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let pure = arguments.first().is_some_and(|argument| argument == "--pure");
    if pure {
        arguments.remove(0);
    }
    let text = match &arguments[..] {
        [text] if !text.starts_with('-') => text,
        [word] if matches!(&**word, "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut scratch = [0; 8192];
    let config =
        if pure { Config::parse(text, &mut scratch) } else { host::parse(text, &mut scratch) };
    match config {
        Ok(config) => {
            show(&config);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("conninfo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(config: &Config<'_>) {
    let masked = |given: bool| given.then_some("********");
    let methods = config.get_require_auth().map(|methods| methods.to_string());
    let timeout = match config.get_connect_timeout_ms() {
        u32::MAX => String::from("none"),
        ms => format!("{ms} ms"),
    };
    let keepalives = config.get_keepalives();
    let figure = |value: u32, unit: &str| match value {
        0 => String::from("system default"),
        value => format!("{value}{unit}"),
    };
    // Not sent unless given.
    let limit = |value: u32, unit: &str| (value != 0).then(|| format!("{value}{unit}"));
    let limits = [
        ("statement_timeout", limit(config.get_statement_timeout_ms(), " ms")),
        ("lock_timeout", limit(config.get_lock_timeout_ms(), " ms")),
        (
            "idle_in_transaction_session_timeout",
            limit(config.get_idle_in_transaction_session_timeout_ms(), " ms"),
        ),
        ("idle_session_timeout", limit(config.get_idle_session_timeout_ms(), " ms")),
        ("server_keepalives_idle", limit(config.get_server_keepalives_idle_s(), " s")),
        ("server_keepalives_interval", limit(config.get_server_keepalives_interval_s(), " s")),
        ("server_keepalives_count", limit(config.get_server_keepalives_count(), "")),
    ];
    let (client_key, server_key) = config.reveal_scram_keys();
    for (keyword, value) in [
        ("user", config.get_user()),
        ("password", masked(config.has_password())),
        ("passfile", config.get_passfile()),
        ("dbname", config.get_dbname()),
        ("options", config.get_options()),
        ("application_name", config.get_application_name()),
        ("connect_timeout", Some(&*timeout)),
        ("sslmode", Some(config.get_sslmode().as_str())),
        ("sslnegotiation", Some(config.get_sslnegotiation().as_str())),
        ("sslcert", config.get_sslcert()),
        ("sslkey", config.get_sslkey()),
        ("sslrootcert", config.get_sslrootcert()),
        ("sslsni", Some(if config.get_sslsni() { "1" } else { "0" })),
        ("channel_binding", Some(config.get_channel_binding().as_str())),
        ("require_auth", methods.as_deref()),
        ("scram_client_key", masked(client_key.is_some())),
        ("scram_server_key", masked(server_key.is_some())),
        ("min_protocol_version", config.get_min_protocol_version().map(|v| v.as_str())),
        ("max_protocol_version", config.get_max_protocol_version().map(|v| v.as_str())),
        ("target_session_attrs", Some(config.get_target_session_attrs().as_str())),
        ("load_balance_hosts", Some(config.get_load_balance_hosts().as_str())),
        ("keepalives", Some(if keepalives.on { "1" } else { "0" })),
        ("keepalives_idle", Some(&*figure(keepalives.idle_s, " s"))),
        ("keepalives_interval", Some(&*figure(keepalives.interval_s, " s"))),
        ("keepalives_count", Some(&*figure(keepalives.count, ""))),
        ("tcp_user_timeout", Some(&*figure(config.get_tcp_user_timeout_ms(), " ms"))),
        ("dialect", Some(config.get_dialect().as_str())),
    ]
    .into_iter()
    .chain(limits.iter().map(|(keyword, value)| (*keyword, value.as_deref())))
    {
        if let Some(value) = value {
            println!("{keyword:<25} {value}");
        }
    }
    // The lists were checked when they were read.
    for host in config.hosts().into_iter().flatten() {
        let place = match (host.host, host.hostaddr) {
            ("", "") => String::from("UNIX socket in the usual directory"),
            (name, "") if host.is_unix() => format!("UNIX socket in {name}"),
            ("", address) => format!("address {address}"),
            (name, "") => name.to_string(),
            (name, address) => format!("{name} at address {address}"),
        };
        println!("{:<25} {place}, port {}", "host to try", host.port);
    }
}
