//! What is larger than the buffers, and batches larger than one round trip.

use barepg::{Buffer, Error, ErrorKind, Outcome, SqlState, limits};

use super::peer::{Delivery, Script};
use super::play::{Conn, Log, Scenario, note};
use super::startup::{CONFIG, config};
use super::transcript::read;

const STATEMENT: &str = ">>> P \"\" \"q\" 0s\n>>> B \"\" \"\" 1s 1s 0s 1s 1s\n>>> D 'P' \"\"\n\
                         >>> E \"\" 0\n>>> S\n<<< 1\n<<< 2";
const PING: &str = ">>> Q \"\"\n<<< I\n<<< Z 'I'\n@bye";

type Work = fn(&mut Conn<'_, '_>, &mut Log) -> Result<(), Error>;

/// A session of one query, then a ping.
fn scenario(name: &'static str, rx: usize, answer: &str, work: Work) -> Scenario {
    let text = format!("@login\n@statement\n{answer}\n@ping");
    let long = "x".repeat(1000);
    let name_of_300 = "n".repeat(300);
    let script = read(
        &text,
        &[("statement", STATEMENT), ("ping", PING), ("long", &long), ("300", &name_of_300)],
    );
    Scenario { name, config: config(), script, rx, tx: 512, work, leaves_answers: true }
}

/// Reads text from the first column of all rows, then pings.
fn all(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    match connection.query("q", ()) {
        Ok(mut rows) => {
            let columns: Vec<_> = rows.columns().map(|c| (c.name.len(), c.oid)).collect();
            log.push(format!("{} columns, the last {:?}", columns.len(), columns.last()));
            loop {
                match rows.next() {
                    Ok(Some(row)) => note(log, row.get::<Option<&str>>(0))?,
                    Ok(None) => break,
                    Err(error) if matches!(error.kind(), ErrorKind::Capacity { .. }) => {
                        note(log, Err::<(), _>(error))?;
                    }
                    Err(error) => {
                        note(log, Err::<(), _>(error))?;
                        break;
                    }
                }
            }
        }
        Err(error) => note(log, Err::<(), _>(error))?,
    }
    let reported = connection
        .server_error()
        .map(|e| format!("{} {} {}", e.sqlstate(), e.message().len(), e.is_truncated()));
    log.extend(reported);
    note(log, connection.ping())
}

fn sweep(scenario: &Scenario, states: &[SqlState]) -> Log {
    scenario.sweep(states);
    scenario.play(Delivery::WHOLE).log
}

const TEXT: &str = r#"<<< T 1s "id" 0 0s 25 -1s -1 1s"#;

#[test]
fn a_row_that_does_not_fit_is_skipped() {
    let answer = format!(
        "{TEXT}\n<<< D 1s ['small']\n<<< D 1s [{{long}}]\n<<< D 1s -1\n<<< C \"SELECT 3\"\n<<< Z 'I'"
    );
    let log = sweep(&scenario("row", 128, &answer, all), &[]);
    assert_eq!(
        log,
        [
            "1 columns, the last Some((2, 25))",
            "Some(\"small\")",
            // 2 bytes of count, 4 of length, 1000 of value, 8 of pinned description.
            "the receive buffer has 128 bytes, needs 1014; only reading failed, connection usable",
            "None",
            "()",
        ]
    );
    // And it would have fitted, to the byte.
    for (size, fits) in [(1013, false), (1014, true)] {
        let log = scenario("row", size, &answer, all).play(Delivery::WHOLE).log;
        assert_eq!(log[2].starts_with("Some("), fits, "{size}: {:?}", log[2]);
    }
}

#[test]
fn query_one_says_what_it_would_have_needed() {
    let answer = format!("{TEXT}\n<<< D 1s [{{long}}]\n<<< C \"SELECT 1\"\n<<< Z 'I'");
    let work: Work = |connection, log| {
        match connection.query_one("q", ()) {
            Ok(row) => log.push(format!("{}", row.get::<&str>(0)?.len())),
            Err(error) => {
                if let ErrorKind::Capacity { buffer: Buffer::Rx, needed, .. } = error.kind() {
                    log.push(format!("needs {needed}"));
                }
                note(log, Err::<(), _>(error))?;
            }
        }
        note(log, connection.ping())
    };
    let log = sweep(&scenario("one", 200, &answer, work), &[]);
    let needed: usize = log[0].split(' ').next_back().unwrap().parse().unwrap();
    for (size, fits) in [(needed - 1, false), (needed, true)] {
        let log = scenario("one", size, &answer, work).play(Delivery::WHOLE).log;
        assert_eq!(log[0] == "1000", fits, "{size}: {log:?}");
    }
}

#[test]
fn a_long_error_is_cut_at_its_end() {
    let error = "<<< E 'SERROR' #00 'VERROR' #00 'C22003' #00 'M' {long} #00 'Ddetail' #00 #00";
    let answer = format!("{error}\n<<< Z 'I'");
    let state = SqlState::UNKNOWN;
    let states = [super::sessions::state("22003"), state];
    for size in [limits::MIN_RX, 512] {
        let log = sweep(&scenario("error", size, &answer, all), &states);
        assert_eq!(log[0], "server error 22003; refused, connection usable");
        let cut = size - limits::RX_RESERVE - b"SERROR\0VERROR\0C22003\0M".len();
        assert_eq!(log[1], format!("22003 {cut} true"));
    }
    let log = scenario("error", 6000, &answer, all).play(Delivery::WHOLE).log;
    assert_eq!(log[1], "22003 1000 false");
}

#[test]
fn long_asynchronous_messages_are_skipped() {
    let answer = format!(
        "<<< N 'SNOTICE' #00 'M' {{long}} #00 #00\n{TEXT}\n<<< S \"a\" {{long}} #00\n\
         <<< D 1s ['small']\n<<< A 1 \"a\" {{long}} #00\n<<< C \"SELECT 1\"\n<<< Z 'I'"
    );
    let log = sweep(&scenario("skipped", limits::MIN_RX, &answer, all), &[]);
    assert_eq!(log[1..], ["Some(\"small\")", "()"]);
}

#[test]
fn the_encoding_and_a_shutdown_notice_are_seen_however_full_the_buffer_is() {
    // 13 columns without names leave as little room as a description may leave.
    let columns = "\"\" 0 0s 25 -1s -1 1s ".repeat((limits::MIN_RX - limits::RX_RESERVE) / 6);
    let count = (limits::MIN_RX - limits::RX_RESERVE) / 6;
    let full = format!("<<< T {count}s {columns}");
    let answer = format!("{full}\n<<< S \"client_encoding\" \"SHIFT_JIS_2004\"");
    let played = scenario("encoding", limits::MIN_RX, &answer, all).play(Delivery::WHOLE);
    let kind = played.result.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Protocol(barepg::ProtocolError::Encoding));
    let notice = "<<< N 'SWARNING' #00 'VWARNING' #00 'C57P02' #00 'M' {long} #00 #00\n--- eof";
    for size in [limits::MIN_RX, 512] {
        let mut ended = scenario("shutdown", size, "", all);
        let text = format!("@login\n@statement\n{full}\n{notice}");
        let long = "x".repeat(1000);
        ended.script = read(&text, &[("statement", STATEMENT), ("long", &long)]);
        let error = ended.play(Delivery::WHOLE).result.unwrap_err();
        assert_eq!(error.sqlstate().map(|s| s.to_string()).as_deref(), Some("57P02"), "{size}");
    }
    // The largest number that a command may count.
    let answer = format!("{full}\n<<< C \"INSERT 0 18446744073709551615\"\n<<< Z 'I'");
    let log = scenario("count", limits::MIN_RX, &answer, all).play(Delivery::WHOLE).log;
    assert_eq!(log[1..], ["()"]);
}

#[test]
fn descriptions_larger_than_the_buffer_are_packed() {
    let column = |name: &str| format!("{name} 16400 3s 25 -1s -1 1s ");
    let rows = |count: usize| {
        format!("<<< D {count}s {}\n<<< C \"SELECT 1\"\n<<< Z 'I'", "-1 ".repeat(count))
    };
    // Names that fit; names that take more than half; a name of 300 bytes.
    for (count, name, names) in [(6, "\"short\"", true), (12, "\"a_rather_long_name\"", false)] {
        let answer = format!("<<< T {count}s {}\n{}", column(name).repeat(count), rows(count));
        let log = sweep(&scenario("names", 220, &answer, all), &[]);
        let length = if names { name.len() - 2 } else { 0 };
        assert_eq!(log[0], format!("{count} columns, the last Some(({length}, 25))"));
        assert_eq!(log[1..], ["None", "()"]);
    }
    let answer = format!("<<< T 1s {}\n{}", column("{300} #00"), rows(1));
    let log = scenario("long name", 512, &answer, all).play(Delivery::WHOLE).log;
    assert_eq!(log[0], "1 columns, the last Some((0, 25))");
    // Too many for the buffer: said so, and the session goes on.
    let answer = format!("<<< T 200s {}\n{}", column("\"c\"").repeat(200), rows(200));
    let log = sweep(&scenario("too many", 220, &answer, all), &[]);
    assert!(log[0].starts_with("the receive buffer has 220 bytes, needs"), "{log:?}");
    assert!(log[0].ends_with("connection usable"), "{log:?}");
    assert_eq!(log[1..], ["()"]);
    // Names that are themselves larger than the buffer.
    let answer = format!("<<< T 2s {}\n{}", column("{long} #00").repeat(2), rows(2));
    let log = sweep(&scenario("name", limits::MIN_RX, &answer, all), &[]);
    assert_eq!(log, ["2 columns, the last Some((0, 25))", "None", "()"]);
}

/// What a buffer is said to need is enough: also where a larger one holds the names of the columns,
/// which take a part of it.
#[test]
fn a_result_fits_the_buffer_that_it_is_said_to_need() {
    for (names, value) in [(5, 60), (5, 10), (20, 1), (1, 200), (3, 120), (12, 4)] {
        let column = format!("\"{}\" 16400 3s 25 -1s -1 1s ", "n".repeat(63 - 2 * names));
        let answer = format!(
            "<<< T {names}s {}\n<<< D {names}s {}\n<<< C \"SELECT 1\"\n<<< Z 'I'",
            column.repeat(names),
            format!("['{}'] ", "v".repeat(value)).repeat(names)
        );
        for start in limits::MIN_RX..400 {
            let (mut size, mut tries) = (start, 0);
            loop {
                let log = scenario("needs", size, &answer, all).play(Delivery::WHOLE).log;
                // What the columns need, and then what the row needs.
                let lacks = log.iter().find(|line| line.contains("needs ")).cloned();
                let Some(lacks) = lacks else { break };
                let needed = lacks.split_once("needs ").unwrap().1.split_once(';').unwrap().0;
                let columns = log[0] == lacks;
                size = needed.parse().unwrap();
                tries += if columns { 0 } else { 1 };
                assert!(tries < 2, "{names} names, {value} bytes, {start} bytes: {lacks}");
            }
        }
    }
}

const ITEMS: usize = 300;

/// The transcript of a batch of 300: what the client sends in each round, and the answers.
fn batch(refused: Option<usize>) -> Script {
    let window = usize::from(limits::PIPELINE_WINDOW);
    let mut text = String::from("@login\n>>> P \"\" \"insert\" 1s 23\n");
    let mut answers = String::from("<<< 1\n");
    for item in 0..ITEMS {
        if item > 0 && item % window == 0 {
            text.push_str(">>> H\n");
            text.push_str(&answers);
            answers.clear();
            if refused.is_some_and(|at| at < item) {
                text.push_str(">>> S\n<<< Z 'I'\n");
                text.push_str(PING);
                return read(&text, &[]);
            }
        }
        text.push_str(&format!(">>> B \"\" \"\" 1s 1s 1s [{item}] 1s 1s\n>>> E \"\" 0\n"));
        match refused {
            Some(at) if at == item => {
                answers.push_str("<<< 2\n<<< E 'SERROR' #00 'VERROR' #00 'C23505' #00 #00\n");
            }
            Some(at) if at < item => {}
            _ => answers.push_str("<<< 2\n<<< C \"INSERT 0 1\"\n"),
        }
    }
    text.push_str(">>> S\n");
    text.push_str(&answers);
    text.push_str("<<< Z 'I'\n");
    text.push_str(PING);
    read(&text, &[])
}

#[test]
fn batches_of_several_windows() {
    let work: Work = |connection, log| {
        let touched = connection.execute_many("insert", (0..ITEMS as i32).map(|item| (item,)));
        note(log, touched)?;
        log.push(format!("{} done", connection.batch_done()));
        note(log, connection.ping())
    };
    let refusal = "server error 23505; refused, connection usable";
    for (refused, first, done) in [
        (None, "300", 300),
        (Some(0), refusal, 0),
        (Some(127), refusal, 127),
        (Some(128), refusal, 128),
        (Some(299), refusal, 299),
    ] {
        let scenario = Scenario {
            name: "windows",
            config: config(),
            script: batch(refused),
            rx: 256,
            tx: 256,
            work,
            leaves_answers: false,
        };
        for delivery in [
            Delivery::WHOLE,
            Delivery { read: 1, ..Delivery::WHOLE },
            Delivery { write: 1, pauses: true, ..Delivery::WHOLE },
        ] {
            let played = scenario.play(delivery);
            assert_eq!(played.result, Ok(()));
            assert_eq!(played.log, [first, &format!("{done} done"), "()"], "{refused:?}");
        }
    }
}

/// An item that cannot be sent takes back those that were.
#[test]
fn a_batch_is_rolled_back_whole() {
    // With a large send buffer nothing was sent yet; with a small one the server must forget.
    let work: Work = |connection, log| {
        let items = (0..20).map(|i| if i == 19 { "a\0b" } else { "abcdefghij" });
        let result = connection.execute_many("insert", items.map(|text| (text,)));
        let error = result.unwrap_err();
        let nul = ErrorKind::Encode(barepg::wire::WireError::Nul);
        if !error.is_usable() {
            return Err(error);
        }
        assert_eq!(error.kind(), nul);
        log.push(format!("{:?}", error.outcome()));
        note(log, connection.ping())
    };
    let item = ">>> B \"\" \"\" 1s 1s 1s ['abcdefghij'] 1s 1s\n>>> E \"\" 0\n";
    let mut text = String::from("@login\n>>> P \"\" \"insert\" 1s 25\n");
    text.push_str(&item.repeat(19));
    text.push_str(">>> E \" abort\" 0\n>>> S\n<<< 1\n");
    text.push_str(&"<<< 2\n<<< C \"INSERT 0 1\"\n".repeat(19));
    text.push_str("<<< E 'SERROR' #00 'VERROR' #00 'C34000' #00 #00\n<<< Z 'I'\n");
    text.push_str(PING);
    let sent = Scenario {
        name: "taken back",
        config: config(),
        script: read(&text, &[]),
        rx: 256,
        tx: limits::MIN_TX,
        work,
        leaves_answers: true,
    };
    assert_eq!(sweep(&sent, &[super::sessions::state("34000")]), ["Refused", "()"]);
    let unsent = Scenario { script: read(&format!("@login\n{PING}"), &[]), tx: 4096, ..sent };
    assert_eq!(sweep(&unsent, &[]), ["NotSent", "()"]);
}

#[test]
fn buffers_below_the_minimum_are_refused_before_anything_is_sent() {
    for (rx, tx) in [(limits::MIN_RX - 1, 512), (512, limits::MIN_TX - 1), (0, 0)] {
        let machine = super::peer::Machine::default();
        let peer = super::peer::Peer::new(&read("@login", &[]), Delivery::WHOLE, &machine);
        let (mut rx, mut tx) = (vec![0; rx], vec![0; tx]);
        let buffers = barepg::Buffers::new(&mut rx, &mut tx);
        let mut client = barepg::Client::new(buffers, &CONFIG, &machine);
        let error = client.connect(peer.transport()).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config(barepg::ConfigError::BufferTooSmall));
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert_eq!(peer.calls(), 0);
    }
}
