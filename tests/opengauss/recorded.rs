//! A session recorded from openGauss 7.0.0-RC2, played again at the driver: it gets the bytes that the
//! real server sent, and what it sends is what was sent then, but where it knows better now.

use barepg::types::{AnyFormat, AnyText, Int1, Numeric, Scaled, Timestamp, Xid};
use barepg::{Config, GaussKeys, GaussMethod};

use crate::peer::{Peer, message, session};

/// What the client sent at once, and what was answered, as bytes.
fn exchanges() -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = include_str!("../data/opengauss-session.txt");
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (way, tag) = (words.next().unwrap(), words.next().unwrap());
        let hex = words.next().unwrap_or("");
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        let body: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        // The start-up packet is recorded whole, and the parameters that tell the family are not.
        let bytes = match (way, tag) {
            (">", "startup") => body,
            ("<", "K") => [
                message(b'S', b"server_version\09.2.4\0"),
                message(b'S', b"is_sysadmin\0off\0"),
                message(b'K', &body),
            ]
            .concat(),
            _ => message(tag.as_bytes()[0], &body),
        };
        match (way, all.last_mut()) {
            (">", Some((sent, heard))) if heard.is_empty() => sent.extend(bytes),
            (">", _) => all.push((bytes, Vec::new())),
            (_, last) => last.expect("the client speaks first").1.extend(bytes),
        }
    }
    all
}

/// What openGauss answers to the question what '' is: recorded in another session.
fn empty_is_null() -> Vec<u8> {
    let description = b"\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x10\0\x01\xff\xff\xff\xff\0\0";
    [
        message(b'T', description),
        message(b'D', b"\0\x01\0\0\0\x01t"),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}

#[test]
fn the_recorded_session_is_the_drivers() {
    let recorded = exchanges();
    let request = &recorded[0].1;
    let digits = std::str::from_utf8(&request[13..77]).unwrap();
    let salt = std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap());
    let keys =
        GaussKeys::derive(GaussMethod::Sha256, b"Gauss_12345", salt, 10_000, &|| {}).unwrap();
    let mut pieces: Vec<Vec<u8>> = recorded.iter().map(|(_, answer)| answer.clone()).collect();
    // One question more, before the first batch.
    pieces.insert(3, empty_is_null());
    let mut peer = Peer::new(pieces);
    let config = Config::new().user("ogit2048").gauss_keys(&keys).dbname("test");
    session(&mut peer, config, |c| {
        c.batch_execute("create temp table tt (i int4 primary key, s text)").unwrap();
        let items = [(1, Some("a")), (2, None), (3, Some(""))];
        assert_eq!(c.execute_many("insert into tt values ($1,$2)", items), Ok(3));
        let items = [(1, "b"), (9, "c")];
        assert_eq!(c.execute_many("update tt set s=$2 where i=$1", items), Ok(1));
        let many = |c: &mut barepg::Connection, sql, items: [i32; 2]| {
            c.execute_many(sql, items.map(|i| (i,)))
        };
        assert_eq!(many(c, "select s from tt where i=$1", [1, 2]), Ok(2));
        assert_eq!(many(c, "insert into tt (i) values ($1) returning i", [10, 11]), Ok(2));
        let merge = "merge into tt using (select $1::int4 as i) q on (tt.i=q.i) when matched then \
            update set s='m' when not matched then insert (i) values (q.i)";
        assert_eq!(many(c, merge, [1, 77]), Ok(2));
        let again = "insert into tt values ($1,'x') on duplicate key update s='d'";
        assert_eq!(many(c, again, [1, 78]), Ok(2));
        let items = [20, 1, 21].map(|i| (i,));
        let error = c.execute_many("insert into tt values ($1)", items).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "23505");
        let error = c.execute_many("insert into nowhere values ($1)", [(20,)]).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "42P01");
        assert_eq!(c.execute_many("select pg_sleep($1)", [(0.0_f64,), (0.0,)]), Ok(2));
        assert_eq!(many(c, "delete from tt where i=$1", [1, 2]), Ok(2));
        let mut tx = c.transaction().unwrap();
        assert_eq!(tx.execute("select 1/0", ()).unwrap_err().sqlstate().unwrap().as_str(), "22012");
        let error = tx.execute_many("insert into tt values ($1)", [(30,), (31,)]).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "25P02");
        tx.rollback().unwrap();
        assert_eq!(c.execute_many("show server_version", [(), ()]), Ok(0));
        let mut tx = c.transaction().unwrap();
        let portal = tx.portal("select generate_series(1,3)", ()).unwrap();
        let mut rows = tx.fetch(&portal, 2).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().get(0), Ok(1));
        assert_eq!(rows.next().unwrap().unwrap().get(0), Ok(2));
        assert!(rows.next().unwrap().is_none() && rows.is_suspended());
        rows.finish().unwrap();
        tx.close_portal(&portal).unwrap();
        let error = tx.fetch(&portal, 2).err().unwrap();
        assert_eq!(error.sqlstate().unwrap().as_str(), "34001");
        tx.rollback().unwrap();
        let mut copy = c.copy_in("copy tt from stdin with (format binary)").unwrap();
        copy.send_row((40, "c")).unwrap();
        assert_eq!(copy.finish(), Ok(1));
        let sql = "copy (select i,s from tt order by i) to stdout with (format binary)";
        let mut copy = c.copy_out(sql).unwrap();
        let mut seen = Vec::new();
        while let Some((i, s)) = copy.next_row::<(i32, Option<&str>)>().unwrap() {
            seen.push((i, s.map(str::to_owned)));
        }
        let text = |text: &str| Some(text.to_owned());
        let all =
            [(3, text("")), (10, None), (11, None), (40, text("c")), (77, None), (78, text("x"))];
        assert_eq!(seen, all);
        let sql = "select '00FF'::blob, '00FF'::raw(10), 7::tinyint, 'n'::nvarchar2(5), 'c'::clob, \
            '5'::xid, '2024-02-29 01:02:03'::date, '2024-02-29 01:02'::smalldatetime, 5::int16, \
            .05::numeric";
        let row = c.query_one(sql, ()).unwrap();
        let bytes = &[0_u8, 0xFF][..];
        assert_eq!((row.get(0), row.get(1), row.get(2)), (Ok(bytes), Ok(bytes), Ok(Int1(7))));
        assert_eq!((row.get(3), row.get(4), row.get(5)), (Ok("n"), Ok("c"), Ok(Xid(5))));
        let time = |text: &str| text.parse::<Timestamp>();
        assert_eq!(row.get(6), Ok(time("2024-02-29 01:02:03").unwrap()));
        assert_eq!(row.get(7), Ok(time("2024-02-29 01:02:00").unwrap()));
        assert_eq!((row.get(8), row.get(9)), (Ok(5_i128), Ok(Scaled::<i64, 2>(5))));
        let sql = format!("{sql}, -0.5::numeric");
        let mut rows = c.simple_query(&sql).unwrap();
        let row = rows.next().unwrap().unwrap();
        assert_eq!(row.get(0), Ok(AnyText("00FF")));
        let mut room = [0; 4];
        let digits = row.raw(1).unwrap().unwrap();
        assert_eq!(barepg::types::bytes_from_text(digits, &mut room), Ok(bytes));
        assert_eq!(row.get(9), Ok(AnyFormat(Scaled::<i64, 2>(5))));
        let less = row.get::<AnyFormat<Numeric>>(10).unwrap();
        assert_eq!(less.0.to_string(), "-0.5");
        rows.finish().unwrap();
    })
    .unwrap();
    let mut heard = peer.heard;
    assert!(String::from_utf8_lossy(&heard.remove(3)).contains("select ''::text is null"));
    let mut same = 0;
    for (index, (sent, _)) in recorded.iter().enumerate().take(heard.len()) {
        let text = String::from_utf8_lossy(sent).into_owned();
        // "" is NULL now, and portals have longer names.
        let known = text.contains("insert into tt values ($1,$2)") || text.contains("p0000");
        if !known {
            assert_eq!(heard[index].escape_ascii().to_string(), sent.escape_ascii().to_string());
            same += 1;
        }
    }
    assert!(same > 20, "{same}");
    let (sent, now) = (&recorded[3].0, &heard[3]);
    let differing: Vec<usize> = (0..sent.len()).filter(|at| sent[*at] != now[*at]).collect();
    assert_eq!((sent.len(), differing.len()), (now.len(), 4), "one length is -1 instead of 0");
}
