//! PgBouncer in front of the server.

use barepg::host::Host;
use barepg_testkit::pg;
use barepg_testkit::pgbouncer::{PgBouncer, PoolMode};

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
    }
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
