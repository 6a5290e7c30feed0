//! Several hosts, some of them dead.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use barepg::host::Host;
use barepg::{
    Client, Config, Dial, DialError, ErrorKind, Outcome, ProtocolError, Remedy, SqlState, Storage,
    Target,
};
use barepg_testkit::account::Account;
use barepg_testkit::pg::{Cluster, Options};
use barepg_testkit::{faults, pg, provision};

use crate::ask;

/// A port where no server listens.
fn dead() -> u16 {
    faults::closed_port().unwrap()
}

#[test]
fn the_first_host_that_lives_is_taken() {
    let server = pg::shared(15);
    let (port, dir) = (server.port(), server.socket_dir());
    let rest = "dbname=test user=scram_user password=scram_user_pw";
    for hosts in [
        format!("host=127.0.0.1,127.0.0.1 port={},{port}", dead()),
        format!("host=no-such-host.invalid,127.0.0.1 port={port}"),
        format!("host=/nonexistent,{} port={port}", dir.display()),
        format!("hostaddr=127.0.0.1,127.0.0.1,127.0.0.1 port={},{port},{}", dead(), dead()),
    ] {
        let text = format!("{hosts} {rest}");
        assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user", "{text}");
    }
}

#[test]
fn a_silent_host_costs_its_timeout_and_no_more() {
    let server = pg::shared(15);
    // Accepts through the kernel's queue and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} dbname=test user=scram_user password=scram_user_pw connect_timeout=1",
        silent.local_addr().unwrap().port(),
        server.port(),
    );
    let start = Instant::now();
    assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user");
    let took = start.elapsed();
    // The login at the other takes its time on a busy machine; the default would be 30 s.
    assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

/// A postmaster that cannot start a process says so in the words of protocol 2. That passes, and no person is called.
#[test]
fn a_server_that_has_no_process_to_spare_is_asked_again() {
    let server = Cluster::start(Options::major(18));
    let limit = |processes: &str| {
        let mut command = Command::new(provision::program("prlimit", "util-linux").unwrap());
        command.args(["--pid", &server.pid().to_string(), &format!("--nproc={processes}:")]);
        Account::for_servers().apply(&mut command, server.dir());
        provision::run(&mut command).unwrap();
    };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max processes")).unwrap();
    let most = line.split_whitespace().nth(1).unwrap();
    limit("1");
    #[cfg(feature = "tls")]
    let answer = ErrorKind::Protocol(ProtocolError::BadTlsAnswer);
    for (more, kind) in [
        ("sslmode=disable", ErrorKind::Protocol(ProtocolError::BadLength)),
        ("sslmode=disable dialect=postgresql", ErrorKind::Protocol(ProtocolError::BadLength)),
        #[cfg(feature = "tls")]
        ("sslmode=require", answer),
        #[cfg(feature = "tls")]
        ("sslmode=require sslnegotiation=direct", answer),
    ] {
        let text = format!("{} {more}", server.conninfo("trust_user"));
        let error = ask(&text, "select 1::text").unwrap_err();
        assert_eq!((error.kind(), error.remedy()), (kind, Remedy::Retry), "{more}");
        assert_eq!(error.outcome(), Outcome::NotSent, "{more}");
    }
    limit(most);
    assert_eq!(ask(&server.conninfo("trust_user"), "select 1::text").unwrap(), "1");
}

#[test]
fn a_refused_login_ends_the_search() {
    let server = pg::shared(15);
    let port = server.port();
    let text =
        format!("host=127.0.0.1,127.0.0.1 port={port} dbname=test user=scram_user password=wrong");
    let error = ask(&text, "select 1::text").unwrap_err();
    assert_eq!(error.sqlstate().unwrap().as_str(), "28P01");
}

#[test]
fn what_cannot_be_reached_is_named() {
    let text = |host: &str| format!("{host} dbname=test user=scram_user password=x");
    let kind = |host: &str| ask(&text(host), "select 1::text").unwrap_err().kind();
    assert_eq!(kind("host=no-such-host.invalid"), ErrorKind::Dial(DialError::UnknownHost));
    let refused = ErrorKind::Dial(DialError::Failed(embedded_io::ErrorKind::ConnectionRefused));
    assert_eq!(kind(&format!("host=127.0.0.1 port={}", dead())), refused);
    let missing = ErrorKind::Dial(DialError::Failed(embedded_io::ErrorKind::NotFound));
    assert_eq!(kind("host=/nonexistent"), missing);
}

#[test]
fn hosts_are_shuffled_on_request() {
    let servers = [pg::shared(15), pg::shared(18)];
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} dbname=test user=scram_user password=scram_user_pw",
        servers[0].port(),
        servers[1].port(),
    );
    let version = "select current_setting('server_version_num')";
    let seen = |more: &str| -> HashSet<String> {
        (0..24).map(|_| ask(&format!("{text} {more}"), version).unwrap()).collect()
    };
    assert_eq!(seen("").len(), 1);
    // All 24 alike happens once in eight million runs.
    assert_eq!(seen("load_balance_hosts=random").len(), 2);
}

#[test]
fn keepalive_is_set_on_the_socket() {
    let base = pg::shared(15).conninfo("scram_user");
    let with = |more: &str| {
        let text = format!("{base} {more}");
        let mut host = Host::new();
        let mut client = host.client(&text).unwrap();
        let link = client.connect().unwrap().close().unwrap();
        (link.keepalive(), link.tcp_user_timeout_ms())
    };
    assert_eq!(with(""), (Some((7200, 75, 9)), 0));
    assert_eq!(with("keepalives=0"), (None, 0));
    let more = "keepalives_idle=11 keepalives_interval=12 keepalives_count=3 tcp_user_timeout=4000";
    assert_eq!(with(more), (Some((11, 12, 3)), 4000));
}

#[test]
fn cancel_requests_go_where_the_session_is_and_as_it_is_protected() {
    let server = pg::shared(18);
    let base = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} dbname=test user=scram_user password=scram_user_pw",
        dead(),
        server.port(),
    );
    for sslmode in ["disable", "prefer"] {
        let text = format!("{base} sslmode={sslmode}");
        let mut host = Host::new();
        let mut client = host.client(&text).unwrap();
        let mut connection = client.connect().unwrap();
        let token = connection.cancel_token().unwrap();
        let pid = connection.backend_pid();
        let canceller = std::thread::spawn({
            let text = text.clone();
            move || {
                // A request that comes before the statement is lost.
                server.wait_until(&format!(
                    "select query like '%pg_sleep%' and state = 'active' from pg_stat_activity
                    where pid = {pid}"
                ));
                Host::new().client(&text).unwrap().cancel(&token)
            }
        });
        let error = connection.execute("select pg_sleep(20)", ()).unwrap_err();
        canceller.join().unwrap().unwrap();
        assert_eq!(error.sqlstate().unwrap().as_str(), "57014", "{sslmode}");
        assert!(connection.is_usable());
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_key_of_a_session_with_tls_never_travels_in_clear() {
    let server = pg::shared(18);
    let text = server.conninfo("scram_user");
    let mut host = Host::new();
    let mut client = host.client(&text).unwrap();
    let connection = client.connect().unwrap();
    let token = connection.cancel_token().unwrap();
    // A machine on the way says that there is no TLS.
    let liar = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = liar.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut link, _) = liar.accept().unwrap();
        let mut request = [0; 8];
        link.read_exact(&mut request).unwrap();
        link.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        link.read_to_end(&mut rest).unwrap();
        rest
    });
    let text = text.replace(&format!("port={}", server.port()), &format!("port={port}"));
    let error = Host::new().client(&text).unwrap().cancel(&token).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls(barepg::tls::TlsError::NotOffered));
    assert_eq!(heard.join().unwrap(), b"");
}

/// A name with three addresses, of which the last is the server's. Notes what it is asked for.
struct ThreeAddresses {
    port: u16,
    asked: Vec<(u16, u32)>,
}

impl Dial for ThreeAddresses {
    type Transport = barepg::host::Link;

    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        self.asked.push((target.address, target.rotation));
        match target.address {
            0 => Err(DialError::TimedOut),
            1 => Err(DialError::Failed(embedded_io::ErrorKind::ConnectionRefused)),
            2 => {
                let mut there = *target;
                (there.host.host, there.host.port, there.address) = ("127.0.0.1", self.port, 0);
                barepg::host::Dialler::new().dial(&there)
            }
            _ => Err(DialError::NoMoreAddresses),
        }
    }
}

#[test]
fn every_address_of_a_name_is_tried_and_cancelled_where_it_worked() {
    let port = pg::shared(15).port();
    let text = "host=db dbname=test user=scram_user password=scram_user_pw sslmode=disable";
    let config = Config::parse(text, &mut []).unwrap();
    let shuffled = config.load_balance_hosts(barepg::LoadBalanceHosts::Random);
    let platform = barepg::host::SystemPlatform::new();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let mut dialler = ThreeAddresses { port, asked: vec![] };
    let token = {
        let connection = client.connect_with(&mut dialler).unwrap();
        connection.cancel_token().unwrap()
    };
    assert_eq!(dialler.asked, [(0, 0), (1, 0), (2, 0)]);
    dialler.asked.clear();
    client.cancel_with(&token, &mut dialler).unwrap();
    assert_eq!(dialler.asked, [(2, 0)]);

    // Shuffled: one random number for all addresses of a host.
    dialler.asked.clear();
    client.set_config(&shuffled);
    drop(client.connect_with(&mut dialler).unwrap());
    let rotation = dialler.asked[0].1;
    assert_ne!(rotation, 0);
    assert_eq!(dialler.asked, [(0, rotation), (1, rotation), (2, rotation)]);
}

#[test]
fn what_a_lost_session_left_running_is_cancelled() {
    let server = pg::shared(15);
    let config = Config::new().user("trust_user").dbname("test").host("127.0.0.1");
    let config = config.sslmode(barepg::SslMode::Disable);
    let platform = barepg::host::SystemPlatform::new();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let mut dialler = ThreeAddresses { port: server.port(), asked: vec![] };
    // Nothing is left running by a session that ended in order, or failed while nothing was owed.
    assert_eq!(client.cancel_interrupted(&mut dialler), Ok(false));
    drop(client.connect_with(&mut dialler).unwrap());
    assert_eq!(client.cancel_interrupted(&mut dialler), Ok(false));

    let sql = "select pg_sleep(60), 'left by a lost session'";
    let error = {
        let mut connection = client.connect_with(&mut dialler).unwrap();
        connection.set_timeout_ms(500);
        connection.execute(sql, ()).unwrap_err()
    };
    assert_eq!((error.kind(), error.is_usable()), (ErrorKind::TimedOut, false));
    let runs = format!(
        "select exists (select from pg_stat_activity
            where query = '{}' and state = 'active')",
        sql.replace('\'', "''")
    );
    server.wait_until(&runs);
    dialler.asked.clear();
    assert_eq!(client.cancel_interrupted(&mut dialler), Ok(true));
    assert_eq!(dialler.asked, [(2, 0)], "the address where the session was");
    server.wait_until(&runs.replace("exists", "not exists"));
    // Once.
    assert_eq!(client.cancel_interrupted(&mut dialler), Ok(false));

    // A connection that was dropped while its statement ran.
    let sql = "select generate_series(1, 10000000)";
    drop(client.connect_with(&mut dialler).unwrap().query(sql, ()).unwrap());
    assert_eq!(client.cancel_interrupted(&mut dialler), Ok(true));
}

#[test]
fn a_server_that_starts_up_is_passed_over() {
    let server = pg::shared(15);
    let starting = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = starting.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for link in starting.incoming() {
            let mut link = link.unwrap();
            let mut start = [0; 256];
            let _ = link.read(&mut start);
            if start[..8] == [0, 0, 0, 8, 4, 210, 22, 47] {
                link.write_all(b"N").unwrap();
                let _ = link.read(&mut start);
            }
            let message = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
            let length = u32::try_from(message.len() + 4).unwrap();
            link.write_all(b"E").unwrap();
            link.write_all(&length.to_be_bytes()).unwrap();
            link.write_all(message).unwrap();
        }
    });
    let base = "dbname=test user=scram_user password=scram_user_pw";
    let alone = ask(&format!("host=127.0.0.1 port={port} {base}"), "select 1::text").unwrap_err();
    assert_eq!(alone.sqlstate().unwrap().as_str(), "57P03");
    // The search went on to another address, of which there is none: the server's message stays.
    let message = |hosts: &str| {
        let (text, mut host) = (format!("{hosts} {base}"), Host::new());
        let mut client = host.client(&text).unwrap();
        let kind = client.connect().map(drop).unwrap_err().kind();
        (kind, client.server_error().map(|error| error.message().to_string()))
    };
    let (kind, said) = message(&format!("host=127.0.0.1 port={port}"));
    assert_eq!(kind, ErrorKind::Server(SqlState::CANNOT_CONNECT_NOW));
    assert_eq!(said.as_deref(), Some("the database system is starting up"));
    // It is not that of another host's error.
    for (next, kind) in [
        ("127.0.0.1", DialError::Failed(embedded_io::ErrorKind::ConnectionRefused)),
        ("no-such-host.invalid", DialError::UnknownHost),
    ] {
        let hosts = format!("host=127.0.0.1,{next} port={port},{}", dead());
        assert_eq!(message(&hosts), (ErrorKind::Dial(kind), None), "{next}");
    }
    let text = format!("host=127.0.0.1,127.0.0.1 port={port},{} {base}", server.port());
    assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user");
}
