//! Plays scenarios: what the user does against what the server says, however the bytes travel.
//!
//! Every scenario runs in one piece first. Then with reads of one byte, with every split point of
//! the server's stream, with pauses before every call, with writes of one byte: the outcome must
//! be the same. Then with the stream cut at every byte, in three ways, and with the client's own
//! stream cut at every byte: an error of the right class, no hang, and a connection that is dead
//! and says so without touching the transport. After each play the same client logs in again.

use barepg::{Client, Config, Connection, Error, ErrorKind, Outcome, SqlState, limits};

use super::peer::{Delivery, End, Machine, Peer, Script};
use super::transcript;

pub type Conn<'c, 'b> = Connection<'c, 'b>;
pub type Log = Vec<String>;

pub struct Scenario {
    pub name: &'static str,
    pub config: Config<'static>,
    pub script: Script,
    /// Sizes of the buffers.
    pub rx: usize,
    pub tx: usize,
    /// What the user does after the login; each result goes into the log. An error that ends the
    /// connection is returned. `Ok` is followed by `close`.
    pub work: fn(&mut Conn<'_, '_>, &mut Log) -> Result<(), Error>,
    /// A verb may find that it has to finish an earlier one first.
    pub leaves_answers: bool,
}

/// What came of a play.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    pub log: Log,
    pub result: Result<(), Error>,
    /// What the client sent.
    pub written: Vec<u8>,
}

impl Scenario {
    pub fn play(&self, delivery: Delivery) -> Played {
        let (mut rx, mut tx) = (vec![0; self.rx], vec![0; self.tx]);
        let machine = Machine::default();
        let peer = Peer::new(&self.script, delivery, &machine);
        let buffers = barepg::Buffers::new(&mut rx, &mut tx);
        let mut client = Client::new(buffers, &self.config, &machine);
        let mut log = Log::new();
        let result = self.session(&mut client, &peer, &mut log);
        let cut = delivery.cut.is_some() || delivery.write_cut.is_some();
        if let (None, false) = (result.err(), cut) {
            assert_eq!(peer.unfinished(), None, "{}", self.name);
        }
        let limit = u64::from(limits::DEFAULT_CONNECT_TIMEOUT_MS + limits::DEFAULT_TIMEOUT_MS);
        // Every verb has its deadline; no scenario has more than a handful that reach it.
        assert!(machine.elapsed() < 2 * limit, "{} took {} ms", self.name, machine.elapsed());
        again(&mut client, &machine);
        Played { log, result, written: peer.written() }
    }

    fn session(&self, client: &mut Client<'_>, peer: &Peer, log: &mut Log) -> Result<(), Error> {
        let mut connection = client.connect(peer.transport()).inspect_err(|error| {
            assert!(!error.is_usable());
        })?;
        match (self.work)(&mut connection, log) {
            Ok(()) => connection.close().map(|_| ()),
            Err(error) => {
                assert!(!error.is_usable(), "{}: {error:?}, {log:?}", self.name);
                if error.outcome() == Outcome::NotSent && !self.leaves_answers {
                    assert_eq!(peer.since_ready(), 0, "{}: {error:?}, {log:?}", self.name);
                }
                dead(&mut connection, peer);
                Err(error)
            }
        }
    }

    /// Plays it in every way. `states`: SQLSTATEs that may be the reason of a broken link.
    pub fn sweep(&self, states: &[SqlState]) {
        let whole = self.play(Delivery::WHOLE);
        let stream = self.script.sent().len();
        let ways = [
            Delivery { read: 1, ..Delivery::WHOLE },
            Delivery { read: 3, write: 2, ..Delivery::WHOLE },
            Delivery { write: 1, ..Delivery::WHOLE },
            Delivery { pauses: true, ..Delivery::WHOLE },
            Delivery { pauses: true, read: 1, write: 1, ..Delivery::WHOLE },
        ];
        let splits = (1..stream).map(|at| Delivery { split: Some(at), ..Delivery::WHOLE });
        for way in ways.into_iter().chain(splits) {
            assert_eq!(self.play(way), whole, "{}: {way:?}", self.name);
        }
        for end in [End::Eof, End::Reset, End::Silence] {
            for at in 0..stream {
                let delivery = Delivery { cut: Some((at, end)), ..Delivery::WHOLE };
                self.check_cut(&whole, delivery, end, states);
            }
        }
        // Every byte at first; in long streams the rest is more of the same.
        for at in (0..1000).chain((1000..).step_by(61)) {
            let delivery = Delivery { write_cut: Some(at), ..Delivery::WHOLE };
            if self.check_write_cut(&whole, delivery, states) {
                break;
            }
        }
    }

    fn check_cut(&self, whole: &Played, delivery: Delivery, end: End, states: &[SqlState]) {
        let cut = self.play(delivery);
        let context = format!("{}: {delivery:?}: {cut:?}\nwhole: {whole:?}", self.name);
        assert!(whole.log.starts_with(&cut.log), "{context}");
        let Err(error) = cut.result else {
            // Only possible when nothing of what was cut mattered.
            assert_eq!(cut.log, whole.log, "{context}");
            return;
        };
        let right = match (error.kind(), end) {
            (ErrorKind::Closed, End::Eof) | (ErrorKind::TimedOut, End::Silence) => true,
            // The server said nothing at all.
            (ErrorKind::HungUp, End::Eof | End::Reset) => {
                matches!(delivery.cut, Some((0, _)))
            }
            (ErrorKind::Transport(kind), End::Reset) => {
                kind == embedded_io::ErrorKind::ConnectionReset
            }
            (ErrorKind::Server(state), _) => states.contains(&state),
            _ => false,
        };
        assert!(right || Err(error) == whole.result, "{context}");
    }

    /// Whether the client had sent all it had to send.
    fn check_write_cut(&self, whole: &Played, delivery: Delivery, states: &[SqlState]) -> bool {
        let cut = self.play(delivery);
        let context = format!("{}: {delivery:?}: {cut:?}", self.name);
        assert!(whole.log.starts_with(&cut.log), "{context}");
        if cut == *whole {
            return true;
        }
        let error = cut.result.expect_err(&context);
        let right = match error.kind() {
            ErrorKind::Transport(kind) => kind == embedded_io::ErrorKind::BrokenPipe,
            ErrorKind::Server(state) => states.contains(&state),
            _ => false,
        };
        assert!(right || Err(error) == whole.result, "{context}");
        false
    }
}

/// Every verb says that the connection is dead, without a call of the transport.
pub fn dead(connection: &mut Conn<'_, '_>, peer: &Peer) {
    let calls = peer.calls();
    let broken = Err(ErrorKind::Broken);
    let not_sent = |error: Error| {
        assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, false));
        error.kind()
    };
    assert!(!connection.is_usable());
    assert_eq!(connection.query("select 1", ()).map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.query_one("select 1", ()).map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.execute("select 1", ()).map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.execute_many("select 1", [()]).map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.simple_query("select 1").map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.batch_execute("select 1").map_err(not_sent), broken);
    assert_eq!(connection.prepare("select 1", &[]).map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.transaction().map(|_| ()).map_err(not_sent), broken);
    assert_eq!(connection.ping().map_err(not_sent), broken);
    assert_eq!(peer.calls(), calls, "a dead connection touched the transport");
}

/// The same client logs in again and works.
pub fn again(client: &mut Client<'_>, machine: &Machine) {
    let script = transcript::read(
        "
        >>> any start
        @settle
        >>> Q \"\"
        <<< I
        <<< Z 'I'
        @bye
        ",
        &[],
    );
    client.set_config(&super::startup::CONFIG);
    let peer = Peer::new(&script, Delivery::WHOLE, machine);
    let mut connection = client.connect(peer.transport()).expect("a login after the failure");
    connection.ping().expect("an answer after the failure");
    connection.close().expect("a Terminate after the failure");
    assert_eq!(peer.unfinished(), None);
}

/// Notes an error that leaves the connection usable, returns one that does not.
pub fn note<T: std::fmt::Debug>(log: &mut Log, result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Ok(value) => log.push(format!("{value:?}")),
        Err(error) if error.is_usable() => log.push(format!("{error}")),
        Err(error) => return Err(error),
    }
    Ok(())
}
