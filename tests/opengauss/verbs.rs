//! COPY, streams, pipelines, portals, savepoints, the reset: through the front, which takes
//! openGauss's way with them.

use barepg::{Error, Outcome, Streamed, TransactionStatus};
use embedded_io::Read;

use crate::common::with_session;
use crate::{front, user};

#[test]
fn the_verbs_of_a_session() {
    let front = front();
    let config = user("sha256_2048_user").require_auth(crate::ALL);
    with_session(front.port(), config, |c| {
        assert!(c.is_opengauss());
        c.batch_execute("create temp table t (id int4 check (id >= 0), image bytea)").unwrap();
        let long = vec![7_u8; 5000];
        let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
        for id in 0..100 {
            copy.send_row((id, Streamed::new(long.len(), &*long))).unwrap();
        }
        assert_eq!(copy.finish(), Ok(100));
        let mut copy = c.copy_in("copy t from stdin").unwrap();
        copy.send(b"-1\tx\n").unwrap();
        let error: Error = copy.finish().unwrap_err();
        assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
        let mut copy = c.copy_out("copy (select id from t) to stdout").unwrap();
        while copy.next().unwrap().is_some() {}
        assert_eq!(copy.rows(), 100);

        let mut rows = c.query("select image from t where id = 7", ()).unwrap();
        let mut row = rows.next_streamed().unwrap().unwrap();
        let mut image = row.next_column().unwrap().unwrap();
        let (mut buf, mut length) = ([0; 100], 0);
        loop {
            match image.read(&mut buf).unwrap() {
                0 => break,
                n => length += n,
            }
        }
        assert_eq!(length, long.len());

        let mut pipeline = c.pipeline().unwrap();
        pipeline.execute("insert into t values ($1)", (200,)).unwrap();
        pipeline.execute("insert into t values ($1)", (-1,)).unwrap();
        assert!(pipeline.finish().is_err());
        assert_eq!(c.batch_done(), 1);

        let mut tx = c.build_transaction().read_only(false).start().unwrap();
        let mut savepoint = tx.savepoint().unwrap();
        assert!(savepoint.execute("insert into t values ($1)", (-1,)).is_err());
        savepoint.rollback().unwrap();
        let portal = tx.portal("select id from t order by id", ()).unwrap();
        let mut seen = 0;
        loop {
            let mut rows = tx.fetch(&portal, 30).unwrap();
            while let Some(row) = rows.next().unwrap() {
                assert_eq!(row.get::<i32>(0), Ok(seen));
                seen += 1;
            }
            if !rows.is_suspended() {
                break;
            }
        }
        assert_eq!(seen, 100);
        tx.commit().unwrap();

        let statement = c.prepare("select 1", &[]).unwrap();
        c.batch_execute("begin").unwrap();
        c.reset().unwrap();
        assert_eq!(c.transaction_status(), TransactionStatus::Idle);
        // The server has forgotten the statement; it is prepared anew, unseen.
        assert_eq!(c.execute(&statement, ()), Ok(1));
        c.ping().unwrap();
    });
}
