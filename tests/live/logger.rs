//! The program of the boards that exist, against a real server: no reading is taken for one that is there.

#[path = "../../boards/nucleo-h743-serial/src/logger.rs"]
mod program;

use std::panic::{catch_unwind, resume_unwind};

use barepg::{Client, Dial, DialError, StaticStatements, Storage, Target};

use crate::common::{Host, Tcp, role, tcp};
use crate::usual;

/// A link to the server.
struct Line(u16);

impl Dial for Line {
    type Transport = Tcp;

    fn dial(&mut self, target: &Target<'_>) -> Result<Tcp, DialError> {
        if target.address > 0 { Err(DialError::NoMoreAddresses) } else { Ok(tcp(self.0)) }
    }
}

/// A board whose clock the server has put back while it ran.
struct Station {
    clock: std::slice::Iter<'static, i64>,
    time: Option<u64>,
}

/// What its clock says when it measures.
const CLOCK: [i64; 6] = [100, 101, 102, 99, 100, 200];

impl program::Device for Station {
    fn number(&self) -> i32 {
        7
    }

    fn measure(&mut self) -> (i64, f32) {
        match self.clock.next() {
            Some(&number) => (number, 21.5),
            // The program has no end of its own.
            None => resume_unwind(Box::new(self.time)),
        }
    }

    fn set_time(&mut self, seconds: u64) {
        self.time = Some(seconds);
    }

    fn show(&mut self, stored: bool) {
        assert!(stored);
    }
}

#[test]
fn a_clock_that_goes_back_loses_no_reading() {
    let server = usual();
    server.cluster().psql("postgres", "create database logger owner scram_user");
    server.cluster().psql(
        "logger",
        "set role scram_user; create table reading
         (device integer, number bigint, celsius real, primary key (device, number))",
    );
    let port = server.port();
    let ended = catch_unwind(move || {
        let config = role("scram_user").dbname("logger");
        let (mut storage, mut prepared) = (Storage::<512, 512>::new(), StaticStatements::new());
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut station = Station { clock: CLOCK.iter(), time: None };
        program::run(&mut client, &mut prepared, &mut Line(port), &mut station)
    });
    let time = ended.unwrap_err().downcast::<Option<u64>>().unwrap();
    assert!(time.is_some_and(|seconds| seconds > 1_700_000_000));
    let rows = server.cluster().psql("logger", "select number from reading order by number");
    assert_eq!(rows, "100\n101\n102\n103\n104\n200");
}
