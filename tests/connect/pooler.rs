//! PgBouncer in front of the server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use barepg::host::Host;
use barepg_testkit::libpq::Libpq;
use barepg_testkit::pg;
use barepg_testkit::pgbouncer::{Options, PgBouncer, PoolMode};

use crate::ask;

fn conninfo(pooler: &PgBouncer, dialect: &str) -> String {
    let port = pooler.port();
    format!(
        "host=127.0.0.1 port={port} dbname=test user=scram_user password=scram_user_pw {dialect}"
    )
}

#[test]
fn sessions_work_through_both_pool_modes_and_dialects() {
    let server = pg::shared(15);
    for mode in [PoolMode::Session, PoolMode::Transaction] {
        let pooler = PgBouncer::start(server, mode);
        for dialect in ["dialect=auto", "dialect=postgresql"] {
            let text = conninfo(&pooler, dialect);
            let mut host = Host::<512, 512>::with_buffers();
            let mut client = host.client(&text).unwrap();
            // The second time the refused protocol version is known.
            for _ in 0..2 {
                let mut connection = client.connect().unwrap_or_else(|error| {
                    panic!("{mode:?} {dialect}: {error}\n{}", pooler.log())
                });
                for n in 0..20_i32 {
                    let (twice,): (i32,) =
                        connection.query_one("select $1 * 2", (n,)).unwrap().decode().unwrap();
                    assert_eq!(twice, n * 2);
                }
                let mut transaction = connection.transaction().unwrap();
                transaction.execute("create temp table t (id int) on commit drop", ()).unwrap();
                let rows = transaction
                    .execute_many("insert into t values ($1)", (0..50).map(|n: i32| (n,)))
                    .unwrap();
                assert_eq!(rows, 50);
                transaction.commit().unwrap();
                assert_eq!(
                    connection.execute("select 1/0", ()).unwrap_err().sqlstate().unwrap().as_str(),
                    "22012"
                );
                connection.ping().unwrap();
                connection.close().unwrap();
            }
        }
        let refused = pooler.log().matches("closing because: bad packet header").count();
        assert_eq!(refused, 1, "3.51 is offered once, by dialect=auto\n{}", pooler.log());
    }
}

/// The blocks of docs/fleet.md, as a reader copies them: PgBouncer knows no comment after a value.
#[test]
fn the_fleets_recipe_is_taken_as_it_is() {
    let page = include_str!("../../docs/fleet.md");
    let block = |kind: &str| page.split(kind).nth(1).unwrap().split("```").next().unwrap();
    let server = pg::shared(15);
    server.psql("postgres", &format!("create role device; {}", block("```sql\n")));
    let set = "select array_to_string(setconfig, ' ') from pg_db_role_setting
        where setrole = 'device'::regrole";
    assert!(server.psql("postgres", set).starts_with("statement_timeout=9s "));
    server.psql("postgres", "drop role device");
    // The file of verifiers is the testkit's.
    let lines = block("```ini\n").lines().filter(|line| !line.starts_with("auth_file"));
    let extra = lines.map(str::to_string).collect();
    let options = Options { verifiers: true, extra, ..Options::default() };
    let pooler = PgBouncer::start_with(server, &options);
    let mut host = Host::new();
    let text = conninfo(&pooler, "");
    let mut client = host.client(&text).unwrap();
    let mut connection = client.connect().unwrap();
    assert_eq!(connection.query_one("select 7", ()).unwrap().get::<i32>(0), Ok(7));
    assert!(pooler.admin("show config").contains("\nserver_login_retry|1|"));
}

/// With `sslmode=allow` any refusal of a link without TLS leads to one with it, as libpq's: PgBouncer's has the
/// SQLSTATE 08P01. What refuses a version does not.
#[test]
fn a_pooler_that_insists_on_tls_gets_it() {
    let server = pg::shared(15);
    let file = |name: &str| server.authority().path(name).display().to_string();
    let with_tls = |mode: &str| {
        let lines = [
            format!("client_tls_sslmode = {mode}"),
            format!("client_tls_key_file = {}", file("server.key")),
            format!("client_tls_cert_file = {}", file("server.crt")),
        ];
        let options = Options { extra: lines.to_vec(), ..Options::default() };
        PgBouncer::start_with(server, &options)
    };
    let (must, may) = (with_tls("require"), with_tls("allow"));
    for dialect in ["dialect=auto", "dialect=postgresql"] {
        for (pooler, encrypted) in [(&must, true), (&may, false)] {
            let text = conninfo(pooler, &format!("{dialect} sslmode=allow"));
            let mut host = Host::new();
            let mut client = host.client(&text).unwrap();
            for _ in 0..2 {
                let connection = client.connect().unwrap_or_else(|error| {
                    panic!("{dialect}, {encrypted}: {error}\n{}", pooler.log())
                });
                assert_eq!(connection.ssl_in_use(), encrypted, "{dialect}");
                connection.close().unwrap();
            }
        }
    }
    let judge = Libpq::load(15);
    let text = conninfo(&must, "");
    assert_eq!(judge.connect_error(&format!("{text} sslmode=allow")), None);
    let refused = judge.connect_error(&format!("{text} sslmode=disable")).unwrap();
    assert!(refused.contains("SSL required"), "{refused}");
}

#[test]
fn a_wrong_password_is_refused_once() {
    let pooler = PgBouncer::start(pg::shared(15), PoolMode::Transaction);
    let text = conninfo(&pooler, "").replace("scram_user_pw", "wrong");
    let error = ask(&text, "select 1::text").unwrap_err();
    assert!(error.sqlstate().is_some(), "{error}");
    let tries = pooler.log().matches("closing because: SASL authentication failed").count();
    assert_eq!(tries, 1, "{}", pooler.log());
}

/// A pooler that is full says so, each time, and has one link for each login that it refuses.
#[test]
fn a_full_pooler_is_not_asked_twice() {
    let extra = vec!["max_client_conn = 1".to_string()];
    let options = Options { extra, ..Options::default() };
    let pooler = PgBouncer::start_with(pg::shared(15), &options);
    let text = conninfo(&pooler, "");
    let (mut host, mut other) =
        (Host::<512, 512>::with_buffers(), Host::<512, 512>::with_buffers());
    let (mut client, mut holder) = (host.client(&text).unwrap(), other.client(&text).unwrap());
    client.connect().unwrap().close().unwrap();
    let held = holder.connect().unwrap();
    for _ in 0..4 {
        client.connect().map(|_| ()).unwrap_err();
        let said = client.server_error().map(|error| error.message().to_string());
        assert_eq!(said.as_deref(), Some("no more connections allowed (max_client_conn)"));
    }
    held.close().unwrap();
    let log = pooler.log();
    let refused = |why: &str| log.matches(&format!("closing because: {why}")).count();
    assert_eq!(refused("no more connections allowed"), 4, "{log}");
    assert_eq!(refused("bad packet header"), 2, "once for each client\n{log}");
}

/// PgBouncer forgets a client with its link, and no cancel request finds what it left running: only a limit of the
/// role's ends that. Its pool counts no server connection that it has given up.
#[test]
fn what_is_left_running_behind_a_pooler_is_ended_by_the_roles_limits() {
    let server = pg::shared(15);
    server.psql("postgres", "create database left_pooled");
    server.psql("left_pooled", "create table held as select 1 as a; grant all on held to public");
    let waiting = "select count(*) from pg_stat_activity where usename = 'scram_user'
        and datname = 'left_pooled' and wait_event_type = 'Lock'";
    let mut host = Host::<512, 512>::with_buffers();
    let text = format!("{} dbname=left_pooled", server.conninfo("scram_user"));
    let mut holder = host.client(&text).unwrap();
    let mut holder = holder.connect().unwrap();
    holder.batch_execute("begin; lock table held").unwrap();
    for (limit, left) in [("300ms", "0"), ("0", "4")] {
        let set = "alter role scram_user in database left_pooled set lock_timeout";
        server.psql("postgres", &format!("{set} = '{limit}'"));
        let pooler = PgBouncer::start(server, PoolMode::Transaction);
        let text = conninfo(&pooler, "").replace("dbname=test", "dbname=left_pooled");
        let mut host = Host::<512, 512>::with_buffers();
        let mut client = host.client(&text).unwrap();
        client.set_timeout_ms(if limit == "0" { 1_500 } else { 10_000 });
        for _ in 0..4 {
            let error = client.connect().unwrap().execute("update held set a = 2", ()).unwrap_err();
            let limited = error.sqlstate().is_some_and(|state| state.as_str() == "55P03");
            assert_eq!(limited, limit != "0", "{error}");
            assert_eq!(client.cancel_interrupted(), Ok(limit == "0"));
        }
        assert_eq!(server.psql("left_pooled", waiting), left, "lock_timeout={limit}");
    }
}

#[test]
fn limits_of_the_server_are_refused_by_name() {
    let pooler = PgBouncer::start(pg::shared(15), PoolMode::Transaction);
    for parameter in ["statement_timeout", "idle_in_transaction_session_timeout"] {
        let text = conninfo(&pooler, &format!("dialect=postgresql {parameter}=5000"));
        let error = ask(&text, "select 1::text").unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "08P01");
        let logged = format!("unsupported startup parameter: {parameter}");
        assert!(pooler.log().contains(&logged), "{}", pooler.log());
    }
}

#[test]
fn target_session_attrs_is_asked_where_it_is_not_reported() {
    let pooler = PgBouncer::start(pg::shared(15), PoolMode::Transaction);
    for (attrs, good) in
        [("read-write", true), ("primary", true), ("read-only", false), ("standby", false)]
    {
        let text = conninfo(&pooler, &format!("target_session_attrs={attrs}"));
        assert_eq!(ask(&text, "select 1::text").is_ok(), good, "{attrs}");
    }
}

/// A pooler that hangs up on every protocol but 3.0, as some do, and one that hangs up always.
/// Answers with its port.
fn hangs_up(server: u16, also_on_3_0: bool) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = [0; 8];
            client.read_exact(&mut head).unwrap();
            if head == [0, 0, 0, 8, 4, 210, 22, 47] {
                // No TLS.
                client.write_all(b"N").unwrap();
                client.read_exact(&mut head).unwrap();
            }
            if head[4..] != [0, 3, 0, 0] || also_on_3_0 {
                continue;
            }
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            server.write_all(&head).unwrap();
            forward(client.try_clone().unwrap(), server.try_clone().unwrap());
            forward(server, client);
        }
    });
    port
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[test]
fn a_pooler_that_hangs_up_on_the_version_is_asked_again() {
    let server = pg::shared(15);
    let port = hangs_up(server.port(), false);
    let text = format!("{} port={port}", server.conninfo("scram_user"));
    assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user");
    let error = ask(&format!("{text} dialect=opengauss"), "select 1::text").unwrap_err();
    assert_eq!(error.kind(), barepg::ErrorKind::HungUp);

    // Where nothing helps, the next host has its turn, and openGauss's version again.
    let dead = hangs_up(server.port(), true);
    let text = text.replace("host=127.0.0.1", "host=127.0.0.1,127.0.0.1");
    let text = format!("{text} port={dead},{}", server.port());
    assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user");
}
