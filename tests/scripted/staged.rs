//! What leaves in one write, and what is staged: the start-up packet, and messages that fit the
//! send buffer each but not together.

use barepg::{Buffers, Client, Config};

use super::model::Server;
use super::peer::{Delivery, Machine, Peer};
use super::transcript::read;
use super::verbs::CONFIG;

/// Start-up packets of many lengths, and how long they are.
fn configurations() -> Vec<(Config<'static>, usize)> {
    const NAME: &str = "a device of the north wing, second floor, sensor number 0000042";
    const OPTIONS: &str = "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=60000";
    let short = 62;
    let named = |n: usize| (CONFIG.application_name(&NAME[..n]), short + 18 + n);
    let mut all = vec![(CONFIG, short)];
    all.extend((1..=NAME.len()).map(named));
    let (config, length) = named(NAME.len());
    all.extend((1..=OPTIONS.len()).map(|n| (config.options(&OPTIONS[..n]), length + 9 + n)));
    all
}

/// A pooler may read the packet with one call (PgBouncer before 1.23 does).
#[test]
fn the_start_up_packet_leaves_in_one_write() {
    for tx in [64, 65, 96, 128, 256, 512] {
        for rx in [96, 256] {
            for (config, length) in configurations() {
                let machine = Machine::default();
                let server = Server::new(&machine);
                let (mut receive, mut send) = (vec![0; rx], vec![0; tx]);
                let buffers = Buffers::new(&mut receive, &mut send);
                let mut client = Client::new(buffers, &config, &machine);
                let context = format!("{rx} + {tx} bytes, {length} to send");
                let result = client.connect(server.transport()).map(|_| ());
                let writes = server.facts().writes;
                match result {
                    Ok(()) => assert_eq!(writes, 1, "{context}"),
                    // Or it is refused, before anything is sent, for want of memory.
                    Err(error) => {
                        assert!(length > tx.max(rx) && writes == 0, "{context}: {error}");
                    }
                }
            }
        }
    }
}

/// Items that fit one by one: what is staged goes out first.
#[test]
fn many_items_need_no_larger_buffer_than_one() {
    for size in [96, 128, 200, 256, 512] {
        for length in [1, 10, 40] {
            let machine = Machine::default();
            let server = Server::new(&machine);
            let (mut rx, mut tx) = (vec![0; 512], vec![0; size]);
            let mut client = Client::new(Buffers::new(&mut rx, &mut tx), &CONFIG, &machine);
            let mut conn = client.connect(server.transport()).expect("a login");
            let text = "x".repeat(length);
            let items = || (0..100).map(|n| (n, text.as_str()));
            let context = format!("{length} in {size}");
            assert_eq!(conn.execute_many("insert", items()), Ok(100), "{context}");
            let statement = conn.prepare("insert", &[]).expect("a statement");
            assert_eq!(conn.execute_many(&statement, [(); 100]), Ok(100), "{context}");
            assert_eq!(server.facts().committed, vec!["insert"; 200], "{context}");
            // One statement is several messages.
            assert_eq!(conn.execute("insert", (7, text.as_str())), Ok(1), "{context}");
            let rows = conn.query("select 1", (7, text.as_str())).and_then(|rows| rows.finish());
            assert_eq!(rows, Ok(1), "{context}");
            let mut pipeline = conn.pipeline().expect("a pipeline");
            for item in items() {
                pipeline.execute("insert", item).expect(&context);
            }
            assert_eq!(pipeline.finish(), Ok(100), "{context}");
        }
    }
}

/// The input of the report: 100 items of 92 bytes, 512 + 512 bytes.
#[test]
fn a_hundred_items_of_92_bytes_go_through_512_bytes() {
    let machine = Machine::default();
    let server = Server::new(&machine);
    let (mut rx, mut tx) = (vec![0; 512], vec![0; 512]);
    let mut client = Client::new(Buffers::new(&mut rx, &mut tx), &CONFIG, &machine);
    let mut conn = client.connect(server.transport()).expect("a login");
    let text = "x".repeat(56);
    let items = (0..100).map(|n: i32| (n, text.as_str()));
    assert_eq!(conn.execute_many("insert", items), Ok(100));
}

/// Slow transports do not change the number of bytes.
#[test]
fn a_start_up_packet_survives_a_transport_that_takes_little() {
    let script = read("@login\n>>> Q \"\"\n<<< I\n<<< Z 'I'\n@bye", &[]);
    for write in [1, 7, 64] {
        let machine = Machine::default();
        let peer = Peer::new(&script, Delivery { write, ..Delivery::WHOLE }, &machine);
        let (mut rx, mut tx) = (vec![0; 96], vec![0; 64]);
        let mut client =
            Client::new(Buffers::new(&mut rx, &mut tx), &super::startup::CONFIG, &machine);
        let mut conn = client.connect(peer.transport()).expect("a login");
        assert_eq!(conn.ping(), Ok(()));
        assert!(conn.close().is_ok());
        assert_eq!(peer.unfinished(), None);
    }
}
