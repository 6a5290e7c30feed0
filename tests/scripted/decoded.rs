//! A row that is malformed is not decoded, whether rows of its description were decoded before or not, and
//! whether its columns are looked at or not.

use barepg::{Buffers, Client, ErrorKind, ProtocolError, Result, Row};

use super::peer::{Delivery, Machine, Peer};
use super::startup::CONFIG;
use super::transcript::read;

const GOOD: &str = "D 2s [7] ['on']";

/// Rows that break off, go on, or have another length than their columns; all with two columns.
const BROKEN: &[&str] = &[
    "D 2s",
    "D 2s 4s",
    "D 2s [7]",
    "D 2s [7] 3s 'on'",
    "D 2s [7] 1s 'on'",
    "D 2s [7] ['on'] #00",
    "D 2s [7] ['on'] -1s",
    "D 2s [7] -2s",
    "D 2s 2147483647s 7s",
    "D 2s -2147483648s 7s",
];

/// What is decoded of a result, of this format.
fn decode(format: u8, rows: &[&str], decode: impl Fn(&Row<'_>) -> Result<()>) -> Vec<Result<()>> {
    let described = format!("T 2s \"a\" 0 0s 23 4s -1 {format}s \"b\" 0 0s 25 -1s -1 {format}s");
    let rows: String = rows.iter().map(|row| format!("<<< {row}\n")).collect();
    let text = format!(
        "@login\n{}<<< 1\n<<< 2\n<<< {described}\n{rows}<<< C \"SELECT 1\"\n<<< Z 'I'",
        ">>> any\n".repeat(5),
    );
    let machine = Machine::default();
    let peer = Peer::new(&read(&text, &[]), Delivery::WHOLE, &machine);
    let (mut rx, mut tx) = (vec![0; 512], vec![0; 128]);
    let mut client = Client::new(Buffers::new(&mut rx, &mut tx), &CONFIG, &machine);
    let mut conn = client.connect(peer.transport()).expect("a login");
    let mut found = Vec::new();
    let mut rows = conn.query("select a, b", ()).expect("a query");
    while let Ok(Some(row)) = rows.next() {
        found.push(decode(&row));
    }
    drop(rows);
    let is_malformed = found.last().is_some_and(|last| last.is_err_and(|error| !error.is_usable()));
    assert_eq!(conn.is_usable(), !is_malformed, "{text}");
    found
}

#[test]
fn a_malformed_row_is_not_decoded() {
    type Decode = fn(&Row<'_>) -> Result<()>;
    let exact: Decode = |row| row.decode::<(i32, &str)>().map(|row| assert_eq!(row, (7, "on")));
    let nullable: Decode = |row| row.decode::<(Option<i32>, Option<&str>)>().map(|_| ());
    let of_another: Decode = |row| {
        // What was compared last is another list, which fits, or does not.
        let _ = row.decode::<(i64, &str)>();
        row.decode::<(i32, &str)>().map(|_| ())
    };
    for format in [0, 1] {
        let good = if format == 1 { GOOD } else { "D 2s ['7'] ['on']" };
        for broken in BROKEN {
            let broken =
                if format == 1 { broken.to_string() } else { broken.replace("[7]", "['7']") };
            for decoder in [exact, nullable, of_another] {
                for before in 0..3 {
                    let mut rows = vec![good; before];
                    rows.push(&broken);
                    let found = decode(format, &rows, decoder);
                    assert_eq!(found.len(), before + 1, "{broken}");
                    assert!(found[..before].iter().all(Result::is_ok), "{broken} {before}");
                    let error = found[before].unwrap_err();
                    let malformed = ErrorKind::Protocol(ProtocolError::Malformed);
                    assert_eq!(error.kind(), malformed, "{format} {broken} {before}");
                }
            }
        }
    }
}

/// What was done is not certain after it, whichever statement's row it was.
#[test]
fn a_pipeline_with_a_malformed_row_is_no_success() {
    let described = "T 2s \"a\" 0 0s 23 4s -1 1s \"b\" 0 0s 25 -1s -1 1s";
    for (broken, at) in BROKEN.iter().flat_map(|broken| [(broken, 0), (broken, 1)]) {
        let answers: String = (0..2)
            .map(|n| {
                let row = if n == at { broken } else { GOOD };
                format!("<<< 1\n<<< 2\n<<< {described}\n<<< {row}\n<<< C \"SELECT 1\"\n")
            })
            .collect();
        let text = format!("@login\n{}{answers}<<< Z 'I'", ">>> any\n".repeat(9));
        let machine = Machine::default();
        let peer = Peer::new(&read(&text, &[]), Delivery::WHOLE, &machine);
        let (mut rx, mut tx) = (vec![0; 512], vec![0; 256]);
        let mut client = Client::new(Buffers::new(&mut rx, &mut tx), &CONFIG, &machine);
        let mut conn = client.connect(peer.transport()).expect("a login");
        let mut pipeline = conn.pipeline().unwrap();
        pipeline.execute("select a, b", ()).unwrap();
        pipeline.execute("select a, b", ()).unwrap();
        let error = loop {
            let mut rows = pipeline.next().expect("as described").expect("two statements");
            let row = rows.next().expect("a row as described").expect("one");
            if let Err(error) = row.decode::<(i32, &str)>() {
                break error;
            }
        };
        assert_eq!(pipeline.finish(), Err(error), "{broken}, statement {at}");
        assert!(!conn.is_usable());
    }
}
