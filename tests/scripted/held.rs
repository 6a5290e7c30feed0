//! The row of `query_one` and `query_opt` stays what it was while the rest of the answer arrives,
//! wherever in the buffer it lies and in whatever pieces the bytes come.

use barepg::{Buffers, Client};

use super::peer::{Delivery, Machine, Peer};
use super::startup::CONFIG;
use super::transcript::read;

/// Reads one row with a text of this length; what is asked for between row and end: notices.
fn row(rx: usize, length: usize, delivery: Delivery, notices: usize) -> Option<String> {
    let value: String = ('a'..='z').cycle().take(length).collect();
    let text = format!(
        "@login\n{}<<< 1\n<<< 2\n<<< T 1s \"t\" 0 0s 25 -1s -1 1s\n<<< D 1s ['{value}']\n\
         {}<<< C \"SELECT 1\"\n<<< Z 'I'",
        ">>> any\n".repeat(5),
        "<<< N 'C' \"00000\" 'M' \"hello\" #00\n".repeat(notices),
    );
    let machine = Machine::default();
    let peer = Peer::new(&read(&text, &[]), delivery, &machine);
    let (mut rx, mut tx) = (vec![0; rx], vec![0; 128]);
    let mut client = Client::new(Buffers::new(&mut rx, &mut tx), &CONFIG, &machine);
    let mut conn = client.connect(peer.transport()).expect("a login");
    let row = conn.query_one("select t", ()).ok()?;
    assert_eq!(row.get::<&str>(0), Ok(value.as_str()));
    assert_eq!(row.columns().next().map(|column| column.name), Some("t"));
    assert_eq!(peer.unfinished(), None);
    row.get::<&str>(0).ok().map(String::from)
}

#[test]
fn the_only_row_stays_what_it_was() {
    let whole = Delivery::WHOLE;
    let ways = [
        whole,
        Delivery { read: 1, ..whole },
        Delivery { read: 5, ..whole },
        Delivery { read: 31, ..whole },
        Delivery { pauses: true, read: 17, ..whole },
    ];
    let mut found = 0;
    for rx in [96, 97, 100, 111, 128, 160, 256] {
        // The description, the row's head, and room for the end must fit beside the value.
        for length in (rx % 3..rx - 50).step_by(3) {
            for way in ways {
                for notices in [0, 1, 40] {
                    let value = row(rx, length, way, notices);
                    assert_eq!(value.map(|v| v.len()), Some(length), "{rx} {length} {way:?}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 2500, "{found}");
}
