//! What was set out to be reached, beside what is.

use super::tables::ratio;
use crate::bench::Client;
use crate::budgets::Budgets;
use crate::demo::digits;

/// One thing that costs, the most that it is meant to cost, and what would be the best there is.
struct Bar {
    about: &'static str,
    cost: Cost,
    bar: u64,
    best: Option<u64>,
}

/// Where its cost comes from, by section and name.
enum Cost {
    Of(&'static str, &'static str),
    Sum(&'static str, &'static str, &'static str),
    /// One program less another.
    Less(&'static str, &'static str, &'static str),
    /// Hundredths of what a work costs tokio-postgres.
    PercentOfTokio(&'static str),
}

use Cost::{Less, Of, PercentOfTokio, Sum};

const fn bar(about: &'static str, cost: Cost, bar: u64, best: u64) -> Bar {
    Bar { about, cost, bar, best: if best == 0 { None } else { Some(best) } }
}

const BARS: &[Bar] = &[
    bar("host: prepared trip", Of("barepg", "prepared"), 800, 385),
    bar("host: simple trip", Of("barepg", "simple"), 950, 493),
    bar("host: statement as text", Of("barepg", "adhoc"), 1_300, 800),
    bar("host: binary row of five", Of("barepg", "row_binary"), 330, 288),
    bar("host: text row of five", Of("barepg", "row_text"), 800, 710),
    bar("host: COPY OUT row", Of("barepg", "copy_out"), 150, 100),
    bar("host: prepared insert of five", Of("barepg", "insert"), 800, 456),
    bar("host: item of `execute_many`", Of("barepg", "execute_many"), 400, 250),
    bar("host: statement in a pipeline", Of("barepg", "pipeline"), 550, 250),
    bar("host: COPY IN row", Of("barepg", "copy_in"), 155, 130),
    bar("host: login without a password", Of("barepg", "connect"), 4_500, 2_100),
    bar("host: SCRAM login with kept keys", Of("barepg", "login_keys"), 65_000, 60_000),
    bar("host: read of 10 MB, percent of tokio-postgres", PercentOfTokio("read_10mb"), 40, 33),
    bar("host: `get(i)` of 1,024 columns", Of("barepg", "get"), 200, 0),
    bar("Cortex-M3: prepared trip", Of("thumbv7m", "prepared_trip"), 1_200, 600),
    bar("Cortex-M3: binary row of five", Of("thumbv7m", "row"), 550, 410),
    bar("Cortex-M3: prepared insert of five", Of("thumbv7m", "insert"), 1_200, 700),
    bar("Cortex-M3: COPY IN row", Of("thumbv7m", "copy_in_row"), 420, 260),
    bar("flash of `set`", Of("driver", "set"), 21_504, 17_408),
    bar("flash of `set` with `small-sha256`", Of("driver_small", "set"), 15_360, 12_288),
    bar("flash of a supervised session", Less("driver_survive", "supervised", "dial"), 3_072, 0),
    bar("flash of the outbox", Less("driver_survive", "outbox", "batch"), 6_144, 0),
    bar("bytes of a client without buffers", Of("thumbv7m_ram", "client"), 256, 0),
    bar("micro:bit: stack of a login", Of("qemu-microbit-uart", "login_stack"), 1_200, 0),
    bar("micro:bit: stack of a query", Of("qemu-microbit-uart", "query_stack"), 512, 400),
    bar("TLS board: flash, errors as bytes", Of("qemu-lm3s6965-tls", "flash"), 135_168, 122_880),
    bar(
        "TLS board: RAM, stack included",
        Sum("qemu-lm3s6965-tls", "static_ram", "stack"),
        28_672,
        0,
    ),
];

impl Bar {
    fn now(&self, figures: &Budgets) -> Option<u64> {
        match self.cost {
            Of(section, name) => figures.get(section, name),
            Sum(section, a, b) => Some(figures.get(section, a)? + figures.get(section, b)?),
            Less(section, a, b) => figures.get(section, a)?.checked_sub(figures.get(section, b)?),
            PercentOfTokio(name) => {
                ratio(figures, name, Client::Tokio).map(|ratio| (ratio * 100.0).ceil() as u64)
            }
        }
    }

    fn state(&self, now: u64) -> &'static str {
        match self.best {
            Some(best) if now <= best => "the best",
            _ if now <= self.bar => "met",
            _ => "**missed**",
        }
    }
}

/// All of them.
pub fn table(figures: &Budgets) -> String {
    let head = "| | now | bar | at best | |\n|---|--:|--:|--:|---|\n".to_string();
    BARS.iter().fold(head, |text, bar| {
        let now = bar.now(figures);
        let (shown, state) = match now {
            Some(now) => (digits(now), bar.state(now)),
            None => ("–".to_string(), "not measured"),
        };
        let best = bar.best.map_or("–".to_string(), digits);
        format!("{text}| {} | {shown} | {} | {best} | {state} |\n", bar.about, digits(bar.bar))
    })
}

/// How many are met, and how many there are.
pub fn count(figures: &Budgets) -> (usize, usize) {
    let met = |bar: &&Bar| bar.now(figures).is_some_and(|now| now <= bar.bar);
    (BARS.iter().filter(met).count(), BARS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(text: &str) -> Budgets {
        Budgets::parse(text).unwrap()
    }

    #[test]
    fn what_is_met_missed_and_unknown_is_said() {
        let some = figures("[thumbv7m]\nrow = 550\ninsert = 1201\ncopy_in_row = 260\n");
        let table = table(&some);
        assert!(table.contains("| Cortex-M3: binary row of five | 550 | 550 | 410 | met |\n"));
        assert!(table.contains("insert of five | 1,201 | 1,200 | 700 | **missed** |\n"));
        assert!(table.contains("| Cortex-M3: COPY IN row | 260 | 420 | 260 | the best |\n"));
        assert!(table.contains("| flash of `set` | – | 21,504 | 17,408 | not measured |\n"));
        assert_eq!(count(&some), (2, BARS.len()));
    }

    #[test]
    fn one_program_is_taken_from_another() {
        let some = figures("[driver_survive]\noutbox = 30000\nbatch = 20000\n");
        assert!(table(&some).contains("| flash of the outbox | 10,000 | 6,144 | – | **missed** |"));
    }
}
