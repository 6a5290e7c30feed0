//! Rows from flash, at both families: each gets its own words, and `""` its meaning.

use barepg::outbox::{Options, Outbox, RamFlash};
use barepg::{Connection, PerDialect, StaticStatement, insert_once, types::oid};
use barepg_testkit::pg;

use crate::common::{Host, role, with_session};
use crate::{front, user};

static INSERT: PerDialect<StaticStatement> = insert_once!(
    "insert into kept (device, key, name, note) values ($1, $2, $3, $4)",
    &[oid::INT4, oid::INT8, oid::TEXT, oid::VARCHAR],
);
static STATEMENTS: &[&StaticStatement] = &[&INSERT.postgresql];
static AT_OPENGAUSS: &[&StaticStatement] = &[&INSERT.opengauss];

/// `counted`: rows, names and notes that are not NULL, the longest name.
fn drains(c: &mut Connection, counted: (i64, i64, i64, i32)) {
    c.batch_execute(
        "create temp table kept (device int4, key int8, name text, note varchar(9), primary key (device, key))",
    )
    .unwrap();
    let (mut flash, mut buffer) = ([0; 8192], [0; 160]);
    let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&(7_i32,));
    let mut outbox = Outbox::open(RamFlash::new(&mut flash), &mut buffer, options, &Host).unwrap();
    let long = "x".repeat(70);
    for name in ["a", long.as_str()] {
        outbox.push(&INSERT.postgresql, (name, "")).unwrap();
    }
    // Two from another outbox, with their keys.
    let (mut ram, mut buffer) = ([0; 4096], [0; 160]);
    let mut other = Outbox::open(RamFlash::new(&mut ram), &mut buffer, options, &Host).unwrap();
    for name in ["", "b"] {
        other.push(&INSERT.postgresql, (name, "")).unwrap();
    }
    assert_eq!(outbox.take_over(&mut other), Ok(2));
    assert_eq!(outbox.drain(c), Ok(4));
    let sql = "select count(*), count(name), count(note), max(length(name))::int4 from kept";
    let row = c.query_one(sql, ()).unwrap();
    assert_eq!(row.decode(), Ok(counted));
}

#[test]
fn rows_from_flash_go_to_both_families() {
    with_session(front().port(), user("sha256_2048_user"), |c| drains(c, (4, 3, 0, 70)));
    with_session(pg::shared(15).port(), role("scram_user"), |c| drains(c, (4, 4, 4, 70)));
}
