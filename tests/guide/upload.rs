//! Bulk upload: each sample is there once, however often it was begun.

use std::cell::Cell;

use barepg::types::Timestamp;
use barepg_testkit::cut::{Cut, Direction, Ending};

use crate::bulk_upload::{Sample, Samples, run};
use crate::plant::{Plant, QUICK};

const SCHEMA: &str =
    "create table sample (at timestamp, sensor int2, value float4 check (value < 1000),
    primary key (sensor, at));
    create trigger calm before insert on sample for each row execute function calm_row()";

/// Samples that are made again each time.
struct Kept<'p> {
    plant: &'p Plant,
    /// What is left, in seconds.
    next: i64,
    end: i64,
    /// Uploads that were begun.
    begun: &'p Cell<u32>,
    value: f32,
}

/// In one upload.
const MANY: i64 = 300;

impl Samples for Kept<'_> {
    fn oldest(&self) -> impl Iterator<Item = Sample> {
        self.plant.turn();
        let begun = self.begun.get() + 1;
        self.begun.set(begun);
        // Anywhere: within the rows, before and after the COMMIT, before its answer.
        if begun.is_multiple_of(2) {
            self.plant.relay.arm(Cut {
                direction: if begun.is_multiple_of(4) {
                    Direction::ToServer
                } else {
                    Direction::ToClient
                },
                after: u64::from(begun * 197) % if begun.is_multiple_of(4) { 9000 } else { 120 },
                ending: if begun.is_multiple_of(3) { Ending::End } else { Ending::Reset },
            });
        }
        let value = self.value;
        (self.next..self.end.min(self.next + MANY)).map(move |second| Sample {
            at: Timestamp::from_unix_micros(1_000_000 * second).unwrap(),
            sensor: 3,
            value: (second % 10 != 0).then_some(value),
        })
    }

    fn forget(&mut self) {
        self.next = self.end.min(self.next + MANY);
    }

    fn is_empty(&self) -> bool {
        self.next == self.end
    }
}

#[test]
fn an_upload_is_repeated_until_it_is_there() {
    let plant = Plant::new("guide_upload", "sample", SCHEMA);
    let begun = Cell::new(0);
    // The second time as after a reset: it does not know what came of the first.
    for end in [6000, 9000] {
        let mut kept = Kept { plant: &plant, next: 0, end, begun: &begun, value: 0.5 };
        let pause = |pause: &barepg::Pause<'_>| {
            plant.turn();
            if pause.begins {
                plant.report(pause);
            }
        };
        let done =
            plant.with_client(|client, dialler| run(client, dialler, QUICK, &mut kept, pause));
        assert_eq!(done, Ok(()));
    }
    plant.was_broken();
    assert!(begun.get() > 55, "{}", begun.get());
    let sql = "select count(*), count(value), max(at) - min(at) = '8999 s' from sample";
    assert_eq!(plant.psql(sql), "9000|8100|t");
    // What would be refused for ever is not sent for ever, and not forgotten.
    let mut bad = Kept { plant: &plant, next: 9000, end: 9100, begun: &begun, value: 5000.0 };
    let refused =
        plant.with_client(|client, dialler| run(client, dialler, QUICK, &mut bad, |_| ()));
    assert_eq!(refused.unwrap_err().sqlstate().unwrap().as_str(), "23514");
    assert_eq!((bad.next, plant.psql("select count(*) from sample").as_str()), (9000, "9000"));
}
