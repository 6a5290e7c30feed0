//! Rows from flash, at both families: each gets its own words, and `""` its meaning.

use barepg::outbox::{Options, Outbox, RamFlash};
use barepg::types::{Composite, ExactText, Xid, oid};
use barepg::{Connection, EncodedParams, PerDialect, StaticStatement, insert_once};
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

static EXACT: PerDialect<StaticStatement> = insert_once!(
    "insert into exact (key, plain, text, number) values ($1, $2, $3, $4)",
    &[oid::INT8, oid::TEXT, oid::TEXT, oid::XID8],
);
static EXACT_STATEMENTS: &[&StaticStatement] = &[&EXACT.postgresql];
static EXACT_AT_OPENGAUSS: &[&StaticStatement] = &[&EXACT.opengauss];

/// An empty string that is none of `''`, and a number whose halves openGauss has the other way, are in
/// the table what they were in flash.
fn drains_exactly(c: &mut Connection, plain: i64) {
    // What openGauss calls `xid` is `xid8` where the front keeps it.
    c.batch_execute(
        "create temp table exact (key int8 primary key, plain text, text text, number xid8)",
    )
    .unwrap();
    let (mut flash, mut buffer) = ([0; 8192], [0; 160]);
    let options = Options::new(EXACT_STATEMENTS).at_opengauss(EXACT_AT_OPENGAUSS);
    let mut outbox = Outbox::open(RamFlash::new(&mut flash), &mut buffer, options, &Host).unwrap();
    let number = Xid(0x1_0000_0005);
    for _ in 0..20 {
        outbox.push(&EXACT.postgresql, ("", ExactText(""), number)).unwrap();
        outbox.push(&EXACT.postgresql, ("a", ExactText("b"), None::<Xid>)).unwrap();
    }
    assert_eq!(outbox.drain(c), Ok(40));
    let sql = "select count(plain) filter (where plain = '' or length(plain) = 0), count(text),
        count(number) filter (where number::text = '4294967301'), count(number) from exact";
    let row = c.query_one(sql, ()).unwrap();
    assert_eq!(row.decode(), Ok((plain, 40_i64, 20_i64, 20_i64)));
    let mut block = [0; 64];
    let length = EncodedParams::encode(&(ExactText(""), number), &mut block).unwrap();
    let kept = EncodedParams::new(&[oid::TEXT, oid::XID8], &block[..length]).unwrap();
    let row = c.query_one("select length($1), $2::text", kept).unwrap();
    assert_eq!(row.decode(), Ok((0, "4294967301")));
}

#[test]
fn what_is_kept_for_either_server_is_exact() {
    let front = front();
    with_session(front.port(), user("sha256_2048_user"), |c| drains_exactly(c, 0));
    with_session(pg::shared(15).port(), role("scram_user"), |c| {
        drains_exactly(c, 20);
        // Within a value there is nothing to be told apart.
        c.batch_execute("create type pg_temp.pair as (a text, b int4)").unwrap();
        let mut block = [0; 64];
        let pair = Composite((ExactText(""), 7_i32));
        let length = EncodedParams::encode(&(pair,), &mut block).unwrap();
        let kept = EncodedParams::new(&[], &block[..length]).unwrap();
        let row = c.query_one("select (($1::pg_temp.pair).a = ''), ($1).b", kept).unwrap();
        assert_eq!(row.decode(), Ok((true, 7)));
    });
}
