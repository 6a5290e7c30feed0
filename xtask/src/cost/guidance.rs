//! The tables that advise: which configuration for how much memory, and what a device costs its
//! network. Computed from the figures, with what they assume named here.

use super::boards::{IMAGES, section};
use crate::budgets::Budgets;
use crate::demo::digits;

/// Bytes of a segment beside its data: IPv4 and TCP, without options.
const HEADERS: u64 = 40;
/// Bytes of a TLS 1.3 record beside its data: header, type, tag. Source: RFC 8446, section 5.2.
const RECORD: u64 = 5 + 1 + 16;
/// The most data of a segment on Ethernet.
const SEGMENT: u64 = 1460;
/// The send buffer of the works that are counted: a longer message leaves in pieces.
const BUFFER: u64 = 512;
/// The smallest buffers, `limits::MIN_RX` and `limits::MIN_TX`.
const SMALLEST: u64 = 96 + 64;
/// One reading in ten seconds, for a day.
const READINGS: u64 = 24 * 60 * 60 / 10;
/// Readings of ten minutes.
const BATCH: u64 = 60;

/// Memory of the chip, bytes of the two buffers, features, and where the figures are.
struct Configuration {
    ram: &'static str,
    buffers: [u64; 2],
    features: &'static str,
    flash: (&'static str, &'static str),
    works: [&'static str; 3],
}

const CONFIGURATIONS: [Configuration; 3] = [
    Configuration {
        ram: "16 KB",
        buffers: [256, 128],
        features: "`small-sha256`",
        flash: ("driver_small", "set"),
        works: ["row_256", "insert_128", "copy_in_row_128"],
    },
    Configuration {
        ram: "64 KB",
        buffers: [512, 512],
        features: "",
        flash: ("driver", "set"),
        works: ["row", "insert", "copy_in_row"],
    },
    Configuration {
        ram: "256 KB",
        buffers: [4096, 2048],
        features: "every verb",
        flash: ("driver", "full"),
        works: ["row_4096", "insert_2048", "copy_in_row_2048"],
    },
];

pub fn memory(figures: &Budgets) -> String {
    let mut text = "\
| RAM of the chip | buffers, bytes | features | flash of the driver | RAM of a session | with kept keys \
| stack of a login | a row | an insert | a COPY row |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|
"
    .to_string();
    let of = |section: &str, name: &str| figures.get(section, name);
    let shown = |value: Option<u64>| value.map_or("–".to_string(), digits);
    for Configuration { ram, buffers, features, flash, works } in &CONFIGURATIONS {
        let [rx, tx] = buffers;
        let session = of("thumbv7m_ram", "client").map(|client| client + rx + tx);
        let kept = session.zip(of("thumbv7m_ram", "key_cache")).map(|(all, cache)| all + cache);
        let (rx, tx) = (digits(*rx), digits(*tx));
        text.push_str(&format!("| {ram} | {rx} + {tx} | {features} |"));
        let stack = of("thumbv7m_stack", "scram_login");
        let costs = works.map(|work| of("thumbv7m", work));
        for value in [of(flash.0, flash.1), session, kept, stack].into_iter().chain(costs) {
            text.push_str(&format!(" {} |", shown(value)));
        }
        text.push('\n');
    }
    text
}

pub fn images(figures: &Budgets) -> String {
    let mut text = "\
| firmware, all of it | flash | static RAM | stack | of which a login | a query | instructions of a login |
|---|--:|--:|--:|--:|--:|--:|
"
    .to_string();
    for image in IMAGES {
        let section = section(image);
        text.push_str(&format!("| `{}`{} |", image.0, if image.1 { ", TLS" } else { "" }));
        for name in
            ["flash", "static_ram", "stack", "login_stack", "query_stack", "login_instructions"]
        {
            let value = figures.get(&section, name).map_or("–".to_string(), digits);
            text.push_str(&format!(" {value} |"));
        }
        text.push('\n');
    }
    text
}

/// The sizes in KB of 1,024 bytes, for README.
pub fn sizes(figures: &Budgets) -> String {
    let of = |section: &str, name: &str| figures.get(section, name);
    let kb = |bytes: Option<u64>| {
        bytes.map_or("–".to_string(), |bytes| format!("{:.1} KB", bytes as f64 / 1024.0))
    };
    let client = of("thumbv7m_ram", "client");
    let session = |buffers| client.map_or("–".to_string(), |client| digits(client + buffers));
    let (plain, tls) = (section(("qemu-lm3s6965", false)), section(("qemu-lm3s6965", true)));
    let memory = of(&tls, "static_ram").zip(of(&tls, "stack")).map(|(ram, stack)| ram + stack);
    format!(
        "\
| | flash | RAM |
|---|---|---|
| the driver: login, statements, typed rows, COPY in, error fields | {}, {} with `small-sha256` | {} bytes with \
buffers of 512 + 512, {} the smallest; stack {} for a login, {} for a query |
| an image with smoltcp, DHCP and both demo programs | {} | {}, stack {} |
| one with TLS 1.3, `verify-full` and channel binding, which gives errors as bytes | {}, {} of it TLS | {}, stack included |
",
        kb(of("driver", "set")),
        kb(of("driver_small", "set")),
        session(512 + 512),
        session(SMALLEST),
        kb(of("thumbv7m_stack", "scram_login")),
        kb(of("thumbv7m_stack", "adhoc_trip")),
        kb(of(&plain, "flash")),
        kb(of(&plain, "static_ram")),
        kb(of(&plain, "stack")),
        kb(of(&tls, "flash")),
        kb(of(&tls, "flash_of_tls")),
        kb(memory),
    )
}

/// What goes over the wire.
#[derive(Clone, Copy, Default)]
struct Day {
    trips: u64,
    /// Bytes of the protocol.
    bytes: u64,
    segments: u64,
    records: u64,
    /// Handshakes of TLS.
    handshakes: u64,
}

impl Day {
    /// A request and its answer: each in as many segments as it takes, one acknowledged for every
    /// two, the last one at any rate.
    fn exchange(sent: u64, received: u64) -> Day {
        let out = sent.div_ceil(BUFFER.min(SEGMENT));
        let back = received.div_ceil(SEGMENT);
        let acknowledged = (out / 2) + back.div_ceil(2);
        Day {
            trips: 1,
            bytes: sent + received,
            segments: out + back + acknowledged,
            records: out + back,
            handshakes: 0,
        }
    }

    /// Opening a link and closing it: SYN, SYN and ACK, ACK; FIN and ACK each way.
    const LINK: Day = Day { trips: 1, bytes: 0, segments: 3 + 4, records: 0, handshakes: 1 };

    fn times(self, n: u64) -> Day {
        Day {
            trips: self.trips * n,
            bytes: self.bytes * n,
            segments: self.segments * n,
            records: self.records * n,
            handshakes: self.handshakes * n,
        }
    }

    fn and(self, other: Day) -> Day {
        Day {
            trips: self.trips + other.trips,
            bytes: self.bytes + other.bytes,
            segments: self.segments + other.segments,
            records: self.records + other.records,
            handshakes: self.handshakes + other.handshakes,
        }
    }

    const fn plain(self) -> u64 {
        self.bytes + self.segments * HEADERS
    }

    const fn over_tls(self, handshake: u64) -> u64 {
        self.plain() + self.records * RECORD + self.handshakes * handshake
    }
}

pub fn metered(figures: &Budgets) -> String {
    let mut text = "\
| one reading in 10 s | round trips a day | bytes a day | over TLS | MB a month | over TLS |
|---|--:|--:|--:|--:|--:|
"
    .to_string();
    let Some((days, handshake)) = days(figures) else { return text };
    for (about, day) in days {
        let (plain, over_tls) = (day.plain(), day.over_tls(handshake));
        let month = |bytes: u64| format!("{:.1}", bytes as f64 * 30.0 / 1e6);
        text.push_str(&format!(
            "| {about} | {} | {} | {} | {} | {} |\n",
            digits(day.trips),
            digits(plain),
            digits(over_tls),
            month(plain),
            month(over_tls)
        ));
    }
    text
}

/// What the ways of sending readings take, and the bytes of a handshake of TLS; `None` where a
/// figure was not measured.
fn days(figures: &Budgets) -> Option<([(&'static str, Day); 4], u64)> {
    let wire = |name: &str| figures.get("thumbv7m_wire", name);
    let both =
        |work: &str| Some((wire(&format!("{work}_sent"))?, wire(&format!("{work}_received"))?));
    let (insert, item, login) =
        (both("insert")?, both("execute_many_item")?, both("scram_login_with_keys")?);
    let one = Day::exchange(insert.0, insert.1);
    // One insert is an item and what a batch has once.
    let once = (insert.0.saturating_sub(item.0), insert.1.saturating_sub(item.1));
    let batch = Day::exchange(item.0 * BATCH + once.0, item.1 * BATCH + once.1);
    let trips = wire("scram_login_with_keys_trips")?;
    let mut begin = Day::exchange(login.0 / trips, login.1 / trips).times(trips).and(Day::LINK);
    begin.bytes = login.0 + login.1;
    let batches = READINGS / BATCH;
    let days = [
        ("a session kept, an insert for each", one.times(READINGS).and(begin)),
        ("a session kept, `execute_many` of 60 in 10 minutes", batch.times(batches).and(begin)),
        ("a session for every 60, keys kept", batch.and(begin).times(batches)),
        ("a session for each, keys kept", one.and(begin).times(READINGS)),
    ];
    let session = |image| {
        let section = section(image);
        let of = |name: &str| figures.get(&section, name);
        let bytes = of("session_bytes_sent")? + of("session_bytes_received")?;
        Some((bytes, of("session_round_trips")?))
    };
    let ((plain, trips), (tls, _)) =
        (session(("qemu-lm3s6965", false))?, session(("qemu-lm3s6965", true))?);
    let handshake = tls.checked_sub(plain + trips * 2 * RECORD)?;
    // Its segments: a flight each way and the acknowledgement.
    Some((days, handshake + 3 * HEADERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_counted_in_segments_and_records() {
        let one = Day::exchange(110, 27);
        assert_eq!((one.segments, one.records, one.bytes), (3, 2, 137));
        assert_eq!(one.plain(), 137 + 3 * 40);
        assert_eq!(one.times(2).over_tls(1000), 2 * (137 + 3 * 40 + 2 * 22));
        let many = Day::exchange(1025, 1461);
        assert_eq!((many.segments, many.records), (3 + 2 + 1 + 1, 5));
        assert_eq!(Day::LINK.times(3).over_tls(1000), 3 * (7 * 40 + 1000));
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let figures = Budgets::parse("[thumbv7m]\nrow = 900\n").unwrap();
        assert!(memory(&figures).contains("| 900 | – |"), "{}", memory(&figures));
        assert_eq!(metered(&figures).lines().count(), 2);
        assert!(images(&figures).contains("| `qemu-lm3s6965`, TLS | – |"));
        assert!(sizes(&figures).contains("| –, – with `small-sha256` |"), "{}", sizes(&figures));
    }
}
