//! The verbs that listen while they send, wait for what may not come, and stream: over TLS.

use barepg::{SslMode, Streamed};
use barepg_testkit::pg;
use embedded_io::Read;

use crate::common::role;
use crate::harness::{Setup, Table};

#[test]
fn copy_streams_and_notifications_over_tls() {
    for major in [15, 18] {
        let cluster = pg::shared(major);
        let root = cluster.authority().path("ca.crt");
        let files = Table::default().with_pem("root.crt", &root);
        let config = role("scram_user").host("localhost").sslrootcert("root.crt");
        let setup = Setup::new(config.sslmode(SslMode::VerifyFull), &files);
        let result = setup.run_sized::<4113, 768, _>(cluster.port(), |c| {
            c.set_timeout_ms(60_000);
            c.batch_execute("create temp table t (id int, image bytea); listen tls_verbs").unwrap();
            let image = vec![7_u8; 1_000_000];
            let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
            copy.send_row((1, Streamed::new(image.len(), &*image))).unwrap();
            copy.check().unwrap();
            for id in 2..1000 {
                copy.send_row((id, Some(&b"small"[..]))).unwrap();
            }
            assert_eq!(copy.finish(), Ok(999));

            assert_eq!(c.wait_notification(200), Ok(None));
            cluster.psql("test", "notify tls_verbs, 'on'");
            assert_eq!(c.wait_notification(5000).unwrap().unwrap().payload, "on");
            assert_eq!(c.wait_notification(0), Ok(None));

            let mut rows = c.query("select image from t order by id", ()).unwrap();
            let mut length = 0;
            while let Some(mut row) = rows.next_streamed().unwrap() {
                let mut column = row.next_column().unwrap().unwrap();
                let mut buf = [0; 333];
                loop {
                    match column.read(&mut buf).unwrap() {
                        0 => break,
                        n => length += n,
                    }
                }
            }
            assert_eq!(length, image.len() + 998 * 5);
            let mut copy = c.copy_out("copy t to stdout").unwrap();
            while copy.next().unwrap().is_some() {}
            assert_eq!(copy.rows(), 999);
        });
        assert_eq!(result, Ok(()), "PostgreSQL {major}");
    }
}
