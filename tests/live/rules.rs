//! Rules of tables, which add results to those of a statement.

use barepg::types::AnyText;

use crate::common::{role, with_session};
use crate::on_each;

/// In a simple query each comes with its columns, and all of them end with the statement.
#[test]
fn what_rules_select_are_results_of_a_text() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(
                "create temp table t (i int);
                 create rule a as on insert to t do also select new.i, 'a' as name;
                 create rule b as on insert to t do also
                   (select 1 where false; select 2, 3, 4 from generate_series(1, 2))",
            )
            .unwrap();
            c.batch_execute("insert into t values (7); select 1; insert into t values (8)")
                .unwrap();
            let text = "insert into t values (9); select 'last'";
            let mut rows = c.simple_query(text).unwrap();
            let mut found = Vec::new();
            loop {
                let mut values = String::new();
                while let Some(row) = rows.next().unwrap() {
                    let AnyText(value) = row.get(0).unwrap();
                    values = format!("{values}{value} of {}, ", row.len());
                }
                assert!(rows.next().unwrap().is_none());
                found.push((values, rows.finish_result().unwrap()));
                if !rows.next_result().unwrap() {
                    break;
                }
            }
            assert_eq!(rows.finish(), Ok(1));
            let expected = [("9 of 2, ", 0), ("", 0), ("2 of 3, 2 of 3, ", 1), ("last of 1, ", 1)];
            assert_eq!(found, expected.map(|(values, count)| (values.to_owned(), count)));
            // Read in part, to the end, and not at all.
            let mut rows = c.simple_query(text).unwrap();
            assert!(rows.next().unwrap().is_some());
            assert!(rows.next_result().unwrap());
            assert_eq!(rows.finish(), Ok(1));
            assert_eq!(c.simple_query(text).unwrap().finish(), Ok(1));
            drop(c.simple_query(text).unwrap());
            // What is larger than the buffer is one result less.
            let many = (0..200).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
            let rule = format!("create rule c as on insert to t do also select {many}");
            c.batch_execute(&rule).unwrap();
            let mut rows = c.simple_query(text).unwrap();
            let read = (0..4).map(|_| rows.next_result()).find(Result::is_err).unwrap();
            let error = read.unwrap_err();
            assert!(error.is_usable(), "{error}");
            assert_eq!(c.query_one("select count(*) from t", ()).unwrap().get(0), Ok(7_i64));
        });
    });
}
