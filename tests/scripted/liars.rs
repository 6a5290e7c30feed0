//! Transports that break the rules of `barepg::transport`: no verb hangs, panics, or says what is not so.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use barepg::{
    Client, Config, Dial, DialError, ErrorKind as Kind, Outcome, SslMode, StaticStatements,
    Storage, Target,
};
use embedded_io::{ErrorKind, Read, ReadReady, Write};

use super::model::Server;
use super::peer::{Machine, Transport, Wire};
use super::verbs::{VERBS, Within, run};

/// What the transport does, from some call on or in that call alone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    /// Says that it read more than the buffer holds.
    ReadsTooMany,
    ReadsNoNumber,
    /// Once, and then goes on as if nothing had been.
    EndsOnce,
    FailsReadOnce,
    FailsWriteOnce,
    FailsFlushOnce,
    /// Writes into the buffer after what it read.
    Scribbles,
    /// Sends all, or nothing, and says that it was more than all.
    WritesTooMany,
    WritesTooManyOfNothing,
    WritesZero,
    /// Never has room.
    NeverWrites,
    NeverFlushes,
    NeverReads,
    /// As these, and no time passes.
    NeverWritesNow,
    NeverFlushesNow,
    NeverReadsNow,
    AlwaysReady,
    NeverReady,
    FailsReady,
}
use Lie::*;

/// All of them, and whether work can be done all the same.
const LIES: [(Lie, bool); 19] = [
    (ReadsTooMany, false),
    (ReadsNoNumber, false),
    (EndsOnce, false),
    (FailsReadOnce, false),
    (FailsWriteOnce, false),
    (FailsFlushOnce, false),
    (Scribbles, true),
    (WritesTooMany, false),
    (WritesTooManyOfNothing, false),
    (WritesZero, false),
    (NeverWrites, false),
    (NeverFlushes, false),
    (NeverReads, false),
    (NeverWritesNow, false),
    (NeverFlushesNow, false),
    (NeverReadsNow, false),
    (AlwaysReady, true),
    (NeverReady, true),
    (FailsReady, true),
];

#[derive(Debug)]
struct Liar {
    io: Transport,
    server: Server,
    clock: Rc<Cell<u64>>,
    lie: Lie,
    /// Calls of the kind it lies in that are still right.
    after: u32,
    /// What was committed when it was armed.
    committed: Option<usize>,
    calls: u32,
    read_failed: bool,
    write_failed: bool,
    /// After a failure of a login, what the server said before it is looked for.
    login: bool,
}

impl Liar {
    fn new(server: &Server, machine: &Machine, lie: Lie, after: u32) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            io: server.transport(),
            server: server.clone(),
            clock: machine.clock(),
            lie,
            after,
            committed: None,
            calls: 0,
            read_failed: false,
            write_failed: false,
            login: false,
        }))
    }

    /// Whether this call is one to lie in; `once`: the first of them alone.
    fn lies(&mut self, lies: &[Lie], once: bool) -> Option<Lie> {
        self.calls += 1;
        assert!(self.calls < 2_000_000, "the driver goes on and on");
        if !self.server.is_armed() {
            return None;
        }
        let committed = self.server.facts().committed.len();
        self.committed.get_or_insert(committed);
        if !lies.contains(&self.lie) {
            return None;
        }
        match self.after {
            u32::MAX => None,
            0 => {
                self.after = if once { u32::MAX } else { 0 };
                Some(self.lie)
            }
            _ => {
                self.after -= 1;
                None
            }
        }
    }

    fn pause<R>(&self) -> Result<R, ErrorKind> {
        self.clock.set(self.clock.get() + 50);
        Err(ErrorKind::TimedOut)
    }
}

impl Wire for Liar {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(self.login || !self.read_failed, "a read after one that failed");
        let once = matches!(self.lie, EndsOnce | FailsReadOnce);
        let lies = [
            ReadsTooMany,
            ReadsNoNumber,
            EndsOnce,
            FailsReadOnce,
            Scribbles,
            NeverReads,
            NeverReadsNow,
        ];
        let lie = self.lies(&lies, once);
        self.read_failed = matches!(lie, Some(EndsOnce | FailsReadOnce));
        match lie {
            Some(EndsOnce) => return Ok(0),
            Some(FailsReadOnce) => return Err(ErrorKind::Other),
            Some(NeverReads) => return self.pause(),
            Some(NeverReadsNow) => return Err(ErrorKind::TimedOut),
            _ => {}
        }
        let n = self.io.read(buf)?;
        match lie {
            Some(ReadsTooMany) => Ok(buf.len() + 1),
            Some(ReadsNoNumber) => Ok(usize::MAX),
            Some(Scribbles) => {
                buf[n..].fill(b'E');
                Ok(n)
            }
            _ => Ok(n),
        }
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        assert!(!self.write_failed && !self.read_failed, "a write after a call that failed");
        let once = matches!(
            self.lie,
            FailsWriteOnce | WritesZero | WritesTooMany | WritesTooManyOfNothing
        );
        let lies = [
            FailsWriteOnce,
            WritesTooMany,
            WritesTooManyOfNothing,
            WritesZero,
            NeverWrites,
            NeverWritesNow,
        ];
        let lie = self.lies(&lies, once);
        self.write_failed = lie.is_some() && once;
        match lie {
            Some(FailsWriteOnce) => Err(ErrorKind::Other),
            Some(WritesZero) => Ok(0),
            Some(NeverWrites) => self.pause(),
            Some(NeverWritesNow) => Err(ErrorKind::Interrupted),
            Some(WritesTooManyOfNothing) => Ok(buf.len() + 1),
            Some(WritesTooMany) => self.io.write(buf).map(|n| n + 1),
            _ => self.io.write(buf),
        }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        assert!(!self.write_failed && !self.read_failed, "a flush after a call that failed");
        let lie =
            self.lies(&[FailsFlushOnce, NeverFlushes, NeverFlushesNow], self.lie == FailsFlushOnce);
        self.write_failed = lie == Some(FailsFlushOnce);
        match lie {
            Some(FailsFlushOnce) => Err(ErrorKind::Other),
            Some(NeverFlushes) => self.pause(),
            Some(NeverFlushesNow) => Err(ErrorKind::TimedOut),
            _ => self.io.flush(),
        }
    }

    fn ready(&mut self) -> Result<bool, ErrorKind> {
        match self.lies(&[AlwaysReady, NeverReady, FailsReady], false) {
            Some(AlwaysReady) => Ok(true),
            Some(NeverReady) => Ok(false),
            Some(FailsReady) => Err(ErrorKind::Other),
            _ => self.io.read_ready(),
        }
    }
}

#[test]
fn no_lie_of_a_transport_hangs_a_verb_or_makes_it_say_what_is_not_so() {
    static CONFIG: Config<'static> = Config::new().user("postgres").sslmode(SslMode::Disable);
    const TIMEOUT_MS: u64 = 1000;
    let (mut played, mut failed) = (0, 0);
    for verb in VERBS {
        for ((lie, works), after) in LIES.into_iter().flat_map(|lie| (0..6).map(move |n| (lie, n)))
        {
            let case = format!("{}, {lie:?} after {after}", verb.name);
            let machine = Machine::default();
            let server = Server::new(&machine);
            let liar = Liar::new(&server, &machine, lie, after);
            let (mut rx, mut tx) = (vec![0; 256], vec![0; 256]);
            let mut statics = StaticStatements::new();
            let mut client = Client::new(barepg::Buffers::new(&mut rx, &mut tx), &CONFIG, &machine);
            client.set_static_statements(&mut statics);
            client.set_timeout_ms(TIMEOUT_MS as u32);
            let mut conn = client.connect(Transport::new(liar.clone())).expect("a login");
            let begun = machine.elapsed();
            let calls = run(verb, Within::Nothing, &mut conn, &server);
            let took = machine.elapsed() - begun;
            let most = calls.0.len() as u64 * (TIMEOUT_MS + 100);
            assert!(took <= most, "{case}: {took} ms");
            let committed = liar.borrow().committed.unwrap_or(0);
            let committed = server.facts().committed.split_off(committed);
            let done = verb.effect.iter().all(|work| committed.iter().any(|c| c == work));
            played += 1;
            match calls.error() {
                None => assert!(done || verb.effect.is_empty(), "{case}: {calls:?}, {committed:?}"),
                Some(error) => {
                    failed += 1;
                    assert!(!works, "{case}: {error:?}");
                    assert!(!error.is_usable() && !conn.is_usable(), "{case}: {error:?}");
                    let not_done = matches!(error.outcome(), Outcome::NotSent | Outcome::Refused);
                    let any = verb.effect.iter().any(|work| committed.iter().any(|c| c == work));
                    assert!(!(not_done && any), "{case}: {error:?}, {committed:?}");
                    let stands = matches!(lie, NeverReadsNow | NeverWritesNow | NeverFlushesNow);
                    let stopped = error.kind() == Kind::ClockStopped;
                    assert_eq!(stands, stopped, "{case}: {error:?}");
                }
            }
        }
    }
    println!("{played} plays, {failed} of them failed");
}

/// The first host's link lies from its first byte on, the second's does not.
struct Dialler<'m> {
    machine: &'m Machine,
    lie: Lie,
    after: u32,
    dialled: u32,
}

impl Dial for Dialler<'_> {
    type Transport = Transport;

    fn dial(&mut self, target: &Target<'_>) -> Result<Transport, DialError> {
        if target.address > 0 {
            return Err(DialError::NoMoreAddresses);
        }
        self.dialled += 1;
        let server = Server::new(self.machine);
        if target.host.host == "second" {
            return Ok(server.transport());
        }
        server.arm();
        let liar = Liar::new(&server, self.machine, self.lie, self.after);
        liar.borrow_mut().login = true;
        Ok(Transport::new(liar))
    }
}

/// A login over such a link: the next host is tried, within the deadline of the first.
#[test]
fn no_lie_of_a_transport_keeps_a_login_from_the_next_host() {
    const CONFIG: Config<'static> = Config::new().user("postgres").sslmode(SslMode::Disable);
    for (lie, works) in LIES {
        for after in 0..4 {
            let case = format!("{lie:?} after {after}");
            let machine = Machine::default();
            let mut dialler = Dialler { machine: &machine, lie, after, dialled: 0 };
            let config = CONFIG.host("first,second").connect_timeout_ms(1000);
            let mut storage = Storage::<256, 256>::new();
            let mut client = Client::new(storage.buffers(), &config, &machine);
            let stands = matches!(lie, NeverReadsNow | NeverWritesNow | NeverFlushesNow);
            let connected = client.connect_with(&mut dialler);
            assert!(machine.elapsed() <= 2500, "{case}: {} ms", machine.elapsed());
            match connected {
                // The lie may have come after the login.
                Ok(mut conn) => {
                    let done = conn.execute("insert", ()) == Ok(1);
                    drop(conn);
                    assert!(done || !works && dialler.dialled == 1, "{case}");
                }
                Err(error) => {
                    assert!(stands, "{case}: {error:?}");
                    assert_eq!(error.kind(), Kind::ClockStopped, "{case}");
                }
            }
            assert!(!works || dialler.dialled == 1, "{case}");
        }
    }
}

/// Never says that there are no more addresses.
struct Endless(u32);

impl Dial for Endless {
    type Transport = Transport;

    fn dial(&mut self, _: &Target<'_>) -> Result<Transport, DialError> {
        self.0 += 1;
        Err(DialError::Failed(ErrorKind::ConnectionRefused))
    }
}

#[test]
fn a_dialler_without_an_end_of_addresses_ends() {
    let config = Config::new().user("postgres").sslmode(SslMode::Disable).host("a,b,c");
    let (machine, mut dialler) = (Machine::default(), Endless(0));
    let mut storage = Storage::<256, 256>::new();
    let mut client = Client::new(storage.buffers(), &config, &machine);
    let error = client.connect_with(&mut dialler).map(|_| ()).map_err(|error| error.kind());
    assert_eq!(error, Err(Kind::Dial(DialError::Failed(ErrorKind::ConnectionRefused))));
    assert_eq!(dialler.0, 3 * 256);
}
