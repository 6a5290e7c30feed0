//! What the targets about sessions share: a scripted server, and a connection to it.
#![allow(dead_code, reason = "each target uses a part")]

#[path = "../../../tests/scripted/peer.rs"]
pub mod peer;

use barepg::{Buffers, Client, Config, Connection, Error, ErrorKind, Outcome, SslMode};
use peer::{Delivery, End, Machine, Peer, Script, Step};

pub type Conn<'c, 'b> = Connection<'c, 'b>;

pub const PASSWORD: &str = "Tr0ub4dor&3";

/// AuthenticationOk, BackendKeyData, ReadyForQuery.
pub const LOGIN: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x09Z\0\0\0\x05I";

pub fn config() -> Config<'static> {
    Config::new()
        .user("u")
        .password(PASSWORD)
        .dbname("d")
        .sslmode(SslMode::Disable)
        .scram_iterations(1, 64)
}

/// How a flag byte lets the bytes travel, and how the stream ends.
pub fn delivery(flags: u8) -> (Delivery, End) {
    let delivery = Delivery {
        read: [usize::MAX, 1, 7, 64][usize::from(flags & 3)],
        write: if flags & 4 == 0 { usize::MAX } else { 5 },
        pauses: flags & 8 != 0,
        ..Delivery::WHOLE
    };
    (delivery, [End::Eof, End::Silence, End::Reset, End::Silence][usize::from(flags >> 4 & 3)])
}

/// Connects to a server that plays these steps, and works. What died must stay dead.
/// Returns what the client sent, and whether it logged in.
pub fn play(
    steps: Vec<Step>,
    flags: u8,
    config: Config<'_>,
    work: impl FnOnce(&mut Conn<'_, '_>) -> Result<(), Error>,
) -> (Vec<u8>, bool) {
    let (delivery, end) = delivery(flags);
    let machine = Machine::default();
    let peer = Peer::new(&Script { steps: steps.into(), end }, delivery, &machine);
    let (rx, tx) = if flags & 64 == 0 { (96, 112) } else { (512, 256) };
    let (mut rx, mut tx) = (vec![0; rx], vec![0; tx]);
    let mut client = Client::new(Buffers::new(&mut rx, &mut tx), &config, &machine);
    let logged_in = match client.connect(peer.transport()) {
        Ok(mut conn) => {
            let result = work(&mut conn);
            if let Err(error) = result {
                let _ = error.to_string();
                assert!(!error.is_usable() || conn.is_usable());
            }
            let _ = conn.server_error().map(|e| (e.to_string(), e.hint().is_some()));
            if !conn.is_usable() {
                dead(&mut conn, &peer);
            }
            true
        }
        Err(error) => {
            assert!(!error.is_usable());
            let _ = client.server_error().map(|e| (e.to_string(), e.detail().is_some()));
            false
        }
    };
    (peer.written(), logged_in)
}

/// A dead connection says so without a call of the transport.
fn dead(conn: &mut Conn<'_, '_>, peer: &Peer) {
    let calls = peer.calls();
    for error in [
        conn.ping().unwrap_err(),
        conn.query("select 1", ()).map(|_| ()).unwrap_err(),
        conn.execute("select 1", ()).unwrap_err(),
        conn.execute_many("select 1", [()]).unwrap_err(),
        conn.copy_in("copy").map(|_| ()).unwrap_err(),
        conn.wait_notification(1).map(|_| ()).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Broken, Outcome::NotSent));
    }
    assert_eq!(peer.calls(), calls);
}

/// A server that says its part up to a ReadyForQuery and then waits to be asked.
pub fn polite(stream: &[u8]) -> Vec<Step> {
    let mut steps = vec![Step::ExpectAny(true), Step::Send(LOGIN.to_vec())];
    let mut rest = stream;
    while !rest.is_empty() {
        let ready = rest.windows(5).position(|window| window == b"Z\0\0\0\x05");
        let end = ready.map_or(rest.len(), |at| (at + 6).min(rest.len()));
        let (answer, after) = rest.split_at(end);
        steps.extend([Step::ExpectSome, Step::Send(answer.to_vec())]);
        rest = after;
    }
    steps.push(Step::Deaf);
    steps
}

/// One message.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}
