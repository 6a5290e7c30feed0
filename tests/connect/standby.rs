//! A primary and a streaming standby: `target_session_attrs` picks, also after a failover.

use barepg::ErrorKind;
use barepg_testkit::gauss::{self, Front};
use barepg_testkit::pg::{Cluster, Options, StopMode};

use crate::ask;

const PORT: &str = "select current_setting('port')";

#[test]
fn each_value_picks_the_right_server_also_after_a_failover() {
    // Up to version 13 a server does not report what it is and must be asked.
    for major in [10, 15, 18] {
        let primary = Cluster::start(Options::major(major));
        let standby = Cluster::standby_of(&primary);
        let (p, s) = (primary.port().to_string(), standby.port().to_string());
        let hosts = |first: &str, second: &str, attrs: &str| {
            let text = format!(
                "host=127.0.0.1,127.0.0.1 port={first},{second} dbname=test user=scram_user password=scram_user_pw target_session_attrs={attrs}"
            );
            ask(&text, PORT)
        };
        for (attrs, expected) in [
            ("any", None),
            ("read-write", Some(&p)),
            ("read-only", Some(&s)),
            ("primary", Some(&p)),
            ("standby", Some(&s)),
            ("prefer-standby", Some(&s)),
        ] {
            // Both orders; `any` takes the first.
            assert_eq!(&hosts(&p, &s, attrs).unwrap(), expected.unwrap_or(&p), "{major} {attrs}");
            assert_eq!(&hosts(&s, &p, attrs).unwrap(), expected.unwrap_or(&s), "{major} {attrs}");
        }
        assert_eq!(&hosts(&p, &p, "prefer-standby").unwrap(), &p);
        assert_eq!(hosts(&s, &s, "primary").unwrap_err().kind(), ErrorKind::NoSuitableHost);
        assert_eq!(hosts(&p, &p, "read-only").unwrap_err().kind(), ErrorKind::NoSuitableHost);

        // A primary that is read-only by default is no place to write, and still the primary.
        primary.append_conf("default_transaction_read_only = on").unwrap();
        primary.reload();
        wait_until(|| hosts(&p, &p, "read-only").is_ok());
        assert_eq!(hosts(&p, &s, "read-write").unwrap_err().kind(), ErrorKind::NoSuitableHost);
        assert_eq!(&hosts(&s, &p, "primary").unwrap(), &p);
        primary.append_conf("default_transaction_read_only = off").unwrap();
        primary.reload();
        wait_until(|| hosts(&p, &s, "read-write").is_ok());

        primary.stop(StopMode::Fast);
        assert_eq!(hosts(&p, &s, "primary").unwrap_err().kind(), ErrorKind::NoSuitableHost);
        standby.promote();
        assert_eq!(&hosts(&p, &s, "primary").unwrap(), &s);
        assert_eq!(&hosts(&p, &s, "read-write").unwrap(), &s);
        assert_eq!(&hosts(&p, &s, "prefer-standby").unwrap(), &s);
    }
}

#[test]
fn an_opengauss_is_asked_what_it_is() {
    let primary = Cluster::start(Options::major(15));
    let standby = Cluster::standby_of(&primary);
    let fronts = [&primary, &standby].map(|server| Front::start(gauss::Options::before(server)));
    let [p, s] = fronts.each_ref().map(|front| front.port().to_string());
    let base = fronts[0].conninfo("sha256_2048_user");
    let base = base.replace("host=127.0.0.1", "host=127.0.0.1,127.0.0.1");
    for (attrs, expected) in [
        ("read-write", "f"),
        ("read-only", "t"),
        ("primary", "f"),
        ("standby", "t"),
        ("prefer-standby", "t"),
    ] {
        for (first, second) in [(&p, &s), (&s, &p)] {
            let text = format!("{base} port={first},{second} target_session_attrs={attrs}");
            let answer = ask(&text, "select substr(pg_is_in_recovery()::text, 1, 1)").unwrap();
            assert_eq!(answer, expected, "{attrs}");
        }
    }
}

/// A reload takes a moment to reach new sessions.
fn wait_until(mut done: impl FnMut() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("it did not come about within 20 s");
}
