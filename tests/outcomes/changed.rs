//! Prepared statements whose types change under them, behind a pooler that mixes sessions.

use barepg::types::oid;
use barepg::{Connection, ErrorKind, StaticStatement};

use crate::poolers::Pooled;

const INFERRED: &str = "insert into inferred_type values ($1)";

/// The text is the same, and what the server infers is not.
#[test]
fn a_type_that_was_inferred_stays() {
    let pooled = Pooled::new("inferred", 1, &[]);
    let column = |kind: &str| {
        let schema = format!(
            "drop table if exists inferred_type; create table inferred_type (x {kind});
             grant all on inferred_type to public"
        );
        pooled.cluster.psql("inferred", &schema);
    };
    let rows = || pooled.cluster.psql("inferred", "select x from inferred_type order by x");
    let alter = |kind: &str| {
        let alter = format!("alter table inferred_type alter x type {kind}");
        pooled.cluster.psql("inferred", &alter);
    };
    // Prepared anew on the same server connection, and by another client on it.
    column("int4");
    pooled.session(|c| {
        let statement = c.prepare(INFERRED, &[]).unwrap();
        assert_eq!(statement.parameter_type(0), Some(oid::INT4));
        assert_eq!(c.execute(&statement, (7,)), Ok(1));
        alter("float4");
        c.batch_execute("deallocate all").unwrap();
        assert_eq!(c.execute(&statement, (8,)), Ok(1));
        pooled.session(|other| {
            let statement = other.prepare(INFERRED, &[]).unwrap();
            assert_eq!(other.execute(&statement, (9.5_f32,)), Ok(1));
        });
        assert_eq!(c.execute(&statement, (10,)), Ok(1));
        assert_eq!(rows(), "7\n8\n9.5\n10");
    });
    column("int8");
    pooled.session(|c| {
        // Some of them given, as 0.
        let statement = c.prepare(INFERRED, &[0]).unwrap();
        alter("float8");
        c.batch_execute("discard all").unwrap();
        assert_eq!(c.execute(&statement, (7_i64,)), Ok(1));
        assert_eq!(rows(), "7");
        c.close_statement(&statement).unwrap();
        let left: i64 =
            c.query_one("select count(*) from pg_prepared_statements", ()).unwrap().get(0).unwrap();
        assert_eq!(left, 0);
    });
}

/// Another client prepares the same text again, after its rows have become others.
#[test]
fn rows_of_another_type_are_not_taken_for_those_described_before() {
    static IN_FLASH: StaticStatement = StaticStatement::new("select x from described", &[]);
    let pooled = Pooled::new("described", 1, &[]);
    for in_flash in [true, false] {
        pooled.cluster.psql(
            "described",
            "drop table if exists described; create table described (x int4);
             insert into described values (7); grant all on described to public",
        );
        pooled.session(|c| {
            // One in 1,024 of the pooler's random numbers could be a process.
            if c.backend_pid() >> 22 == 0 {
                return;
            }
            let prepared = c.prepare("select x from described", &[]).unwrap();
            let select = |c: &mut Connection| match in_flash {
                true => c.query_one(&IN_FLASH, ())?.get::<i32>(0),
                false => c.query_one(&prepared, ())?.get::<i32>(0),
            };
            assert_eq!((select(c), select(c)), (Ok(7), Ok(7)));
            pooled.cluster.psql("described", "alter table described alter x type float4");
            pooled.session(|other| {
                let found = match in_flash {
                    true => other.query_one(&IN_FLASH, ()).unwrap().get::<f32>(0),
                    false => {
                        let prepared = other.prepare("select x from described", &[]).unwrap();
                        other.query_one(&prepared, ()).unwrap().get::<f32>(0)
                    }
                };
                assert_eq!(found, Ok(7.0));
            });
            let error = select(c).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Column { .. }), "{in_flash}: {error}");
        });
    }
}
