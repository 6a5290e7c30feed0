//! `connect(dbname="test", user="postgres", password="secret", host="127.0.0.1", port="5432")`
//! in every spelling, over TCP and the UNIX socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use barepg::{AuthError, Config, ErrorKind};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::scratch::Scratch;

use crate::{ask, ask_built};

const WHO: &str = "select current_user || ' in ' || current_database() || coalesce(' from ' || host(inet_client_addr()), '')";

fn servers() -> [&'static Cluster; 2] {
    [15, 18].map(pg::shared)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn the_call_works_in_three_spellings_over_tcp() {
    for server in servers() {
        let port = server.port().to_string();
        let expected = "scram_user in test from 127.0.0.1";
        let built = Config::new()
            .dbname("test")
            .user("scram_user")
            .password("scram_user_pw")
            .host("127.0.0.1")
            .port(&port);
        assert_eq!(ask_built(built, WHO).unwrap(), expected);
        for text in [
            format!(
                "dbname=test user=scram_user password=scram_user_pw host=127.0.0.1 port={port}"
            ),
            format!(
                "database = 'test' user='scram_user'password='scram_user\\_pw' hostaddr=127.0.0.1 port={port}"
            ),
            format!("postgresql://scram_user:scram_user_pw@127.0.0.1:{port}/test"),
            format!(
                "postgres://scram_user:{}@localhost:{port}/test?hostaddr=127.0.0.1",
                escaped("scram_user_pw")
            ),
            format!(
                "postgresql:///test?user=scram_user&password=scram_user_pw&host=localhost&port={port}&dialect=postgresql"
            ),
        ] {
            assert_eq!(ask(&text, WHO).unwrap(), expected, "{text}");
        }
    }
}

#[test]
fn the_call_works_over_the_unix_socket() {
    for server in servers() {
        let (dir, port) = (server.socket_dir(), server.port());
        let dir = dir.to_str().unwrap();
        for text in [
            format!("dbname=test user=scram_user password=scram_user_pw host={dir} port={port}"),
            format!("postgresql://scram_user:scram_user_pw@{}:{port}/test", escaped(dir)),
            format!("opengauss://scram_user:scram_user_pw@/test?host={dir}&port={port}"),
        ] {
            assert_eq!(ask(&text, WHO).unwrap(), "scram_user in test", "{text}");
        }
    }
}

#[test]
fn no_server_listens_on_a_unix_socket() {
    let server = pg::shared(15);
    let (dir, port) = (server.socket_dir(), server.port());
    let base = format!("host={} port={port} dbname=test", dir.display());
    for role in ["pass_user", "md5_user"] {
        // sslmode is for TCP, as in libpq.
        let text = format!("{base} user={role} password={role}_pw sslmode=require");
        assert_eq!(ask(&text, "select current_user::text").unwrap(), role);
    }
    let text = format!("{base} user=pass_user password=pass_user_pw require_auth=scram-sha-256");
    let error = ask(&text, "select 1::text").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth(AuthError::MethodNotAllowed));
}

#[test]
fn require_auth_decides_what_is_answered_over_tcp() {
    let server = pg::shared(15);
    let try_with = |role: &str, require_auth: &str| {
        let text = format!("{} {require_auth}", server.conninfo(role));
        ask(&text, "select current_user::text").map_err(|error| error.kind())
    };
    let not_allowed = Err(ErrorKind::Auth(AuthError::MethodNotAllowed));
    for (role, require_auth, allowed) in [
        ("pass_user", "", false),
        ("md5_user", "", false),
        ("pass_user", "require_auth=password", true),
        ("md5_user", "require_auth=md5,password", true),
        ("md5_user", "require_auth=!password", false),
        ("scram_user", "require_auth=!password,!md5", true),
        ("scram_user", "require_auth=!scram-sha-256", false),
        ("scram_user", "require_auth=md5", false),
        ("trust_user", "", true),
        ("trust_user", "require_auth=!none", false),
        ("trust_user", "require_auth=none", true),
        ("trust_user", "require_auth=scram-sha-256", false),
    ] {
        let expected = if allowed { Ok(role.to_string()) } else { not_allowed.clone() };
        assert_eq!(try_with(role, require_auth), expected, "{role} {require_auth}");
    }
}

#[test]
fn start_up_parameters_reach_the_server() {
    let server = pg::shared(18);
    let base = server.conninfo("scram_user");
    for (more, question, expected) in [
        ("application_name='a b'", "show application_name", "a b"),
        ("fallback_application_name=f", "show application_name", "f"),
        ("application_name=a fallback_application_name=f", "show application_name", "a"),
        ("options='-c statement_timeout=7s -c work_mem=3MB'", "show statement_timeout", "7s"),
        ("options='-c application_name=x\\\\ y'", "show application_name", "x y"),
        ("client_encoding=utf-8", "show client_encoding", "UTF8"),
    ] {
        assert_eq!(ask(&format!("{base} {more}"), question).unwrap(), expected, "{more}");
    }
}

#[test]
fn protocol_versions_are_negotiated_and_bounded() {
    for (major, more, good) in [
        (18, "", true),
        (18, "min_protocol_version=3.2", true),
        (18, "min_protocol_version=3.2 dialect=postgresql", true),
        (18, "max_protocol_version=3.0", true),
        (18, "max_protocol_version=latest", true),
        (15, "max_protocol_version=latest", true),
        (15, "min_protocol_version=3.2", false),
        (15, "min_protocol_version=3.0 dialect=postgresql", true),
    ] {
        let text = format!("{} {more}", pg::shared(major).conninfo("scram_user"));
        let result = ask(&text, "select 1::text");
        assert_eq!(result.is_ok(), good, "{major} {more}: {result:?}");
    }
}

#[test]
fn passwords_come_from_a_file_that_only_the_owner_can_read() {
    let server = pg::shared(15);
    let port = server.port();
    let path = server.dir().join("pgpass");
    let text = format!(
        "# a comment\n127.0.0.1:{port}:other:scram_user:wrong\n127.0.0.1:{port}:test:scram_user:scram_user_pw\n*:*:*:*:last\n"
    );
    fs::write(&path, text).unwrap();
    let conninfo = format!(
        "host=127.0.0.1 port={port} dbname=test user=scram_user passfile={}",
        path.display()
    );
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    assert_eq!(ask(&conninfo, WHO).unwrap(), "scram_user in test from 127.0.0.1");

    mode(0o640);
    let mut host = barepg::host::Host::new();
    let mut client = host.client(&conninfo).unwrap();
    let error = client.connect().map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config(barepg::ConfigError::NoPassword));
    assert_eq!(client.passfile_problem(), Some(barepg::host::PassfileProblem::Permissions));
    // Another client of the same memory has a password, and looks at no file.
    let conninfo = format!("{conninfo} password=scram_user_pw");
    let mut client = host.client(&conninfo).unwrap();
    client.connect().unwrap();
    assert_eq!(client.passfile_problem(), None);
}

#[test]
fn a_configuration_as_it_is_gets_no_password_from_the_home_directory() {
    const PORT: &str = "BAREPG_TEST_PORT";
    let Ok(port) = std::env::var(PORT) else {
        // Variables are those of a whole process: this test runs itself in another one.
        let home = Scratch::new("barepg-home", "").unwrap();
        let file = home.path().join(".pgpass");
        fs::write(&file, "*:*:*:*:scram_user_pw\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let name = "spellings::a_configuration_as_it_is_gets_no_password_from_the_home_directory";
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name]).env("HOME", home.path());
        let output = child.env(PORT, pg::shared(15).port().to_string()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    };
    let config = Config::new().host("127.0.0.1").port(&port).dbname("test").user("scram_user");
    let mut host = barepg::host::Host::new();
    let error = host.client_for(config).connect().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config(barepg::ConfigError::NoPassword));
    let text = format!("host=127.0.0.1 port={port} dbname=test user=scram_user");
    assert_eq!(host.client(&text).unwrap().connect().map(drop), Ok(()));
}

#[test]
fn iteration_counts_are_bounded_and_can_be_allowed() {
    let server = pg::shared(18);
    for (role, count) in [("few", 100), ("many", 50_000)] {
        server.psql(
            "postgres",
            &format!("set scram_iterations = {count}; create role {role} login password 'pw'"),
        );
        let hba = server.data_dir().join("pg_hba.conf");
        let lines = fs::read_to_string(&hba).unwrap();
        fs::write(&hba, format!("host all {role} all scram-sha-256\n{lines}")).unwrap();
        server.reload();
        let text = format!("{} user={role} password=pw", server.conninfo("x"));
        server.wait_until(&format!(
            "select exists (select from pg_hba_file_rules where user_name = '{{{role}}}')"
        ));
        let error = ask(&text, "select 1::text").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth(AuthError::Iterations), "{role}");
        let allowed = format!("{text} scram_min_iterations={count} scram_max_iterations={count}");
        assert_eq!(ask(&allowed, "select current_user::text").unwrap(), role);
    }
}
