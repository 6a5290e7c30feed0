//! Right sessions with random damage: bytes changed, inserted, removed, swapped, repeated, cut.
//!
//! No outcome is right or wrong here, but: no panic, no hang, no answer out of nowhere, and a
//! connection that is dead says so without touching the transport. The same every time: the
//! damage is drawn from a generator with fixed seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use barepg::Client;

use super::peer::{Delivery, End, Machine, Peer, Script, Step, show};
use super::play::{Log, dead};
use super::sessions::{SESSIONS, golden};
use super::startup::{SCRAM, config};
use super::transcript::read;

/// Plays of each session.
const ROUNDS: u64 = 7_000;

/// xorshift64*, good enough to shake a parser.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        high as usize % limit.max(1)
    }
}

/// Damages one message of the server, or the order of them.
fn damage(steps: &mut Vec<Step>, random: &mut Random) {
    let sends: Vec<usize> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step, Step::Send(_)))
        .map(|(index, _)| index)
        .collect();
    let (at, other) = (sends[random.below(sends.len())], sends[random.below(sends.len())]);
    let kind = random.below(12);
    if kind == 0 {
        steps.swap(at, other);
        return;
    }
    if kind == 1 {
        let copy = steps[other].clone();
        steps.insert(at, copy);
        return;
    }
    if kind == 2 {
        steps.remove(at);
        return;
    }
    let Step::Send(bytes) = &mut steps[at] else { unreachable!() };
    if bytes.is_empty() {
        return;
    }
    let place = random.below(bytes.len());
    match kind {
        3 => bytes[place] ^= 1 << random.below(8),
        4 => bytes[place] = random.below(256) as u8,
        5 => bytes.truncate(place),
        6 => bytes.insert(place, random.below(256) as u8),
        7 => {
            bytes.remove(place);
        }
        // The type, the length, a 16-bit count: where the structure is.
        8 => bytes[0] = b"RKSZTDC12n3tsIENAvGHdcW"[random.below(23)],
        9 if bytes.len() > 5 => {
            bytes[1 + random.below(4)] = [0, 1, 0x7f, 0x80, 255][random.below(5)]
        }
        10 if bytes.len() > 7 => bytes[5 + random.below(2)] = [0, 1, 2, 0x7f, 255][random.below(5)],
        _ => {
            let length = random.below(40);
            let junk: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
            bytes.splice(place..place, junk);
        }
    }
}

/// The script with damage. What the client sends is not compared any more: it may differ.
fn damaged(script: &Script, random: &mut Random) -> Script {
    let mut steps: Vec<Step> = script.steps.to_vec();
    let mut first = true;
    for step in &mut steps {
        if matches!(step, Step::Expect(_)) {
            // Only the first message has no type byte.
            *step = Step::ExpectAny(std::mem::take(&mut first));
        }
    }
    for _ in 0..=random.below(3) {
        damage(&mut steps, random);
    }
    steps.push(Step::Deaf);
    let end = [End::Eof, End::Reset, End::Silence][random.below(3)];
    Script { steps: steps.into(), end }
}

fn shake(name: &str, script: &Script, seed: u64) {
    let mut random = Random::new(seed);
    let script = damaged(script, &mut random);
    let machine = Machine::default();
    let delivery = Delivery {
        read: [1, 2, 7, 64, usize::MAX][random.below(5)],
        write: [1, 5, usize::MAX][random.below(3)],
        pauses: random.below(4) == 0,
        ..Delivery::WHOLE
    };
    let peer = Peer::new(&script, delivery, &machine);
    let (rx, tx) = [(96, 64), (128, 200), (512, 512)][random.below(3)];
    let (mut rx, mut tx) = (vec![0; rx], vec![0; tx]);
    let buffers = barepg::Buffers::new(&mut rx, &mut tx);
    let config = config().scram_iterations(8, 8);
    let mut client = Client::new(buffers, &config, &machine);
    let Ok(mut connection) = client.connect(peer.transport()) else {
        let _ = client.server_error().map(|error| format!("{error} {:?}", error.hint()));
        return;
    };
    let work = SESSIONS.iter().find(|(known, _)| *known == name).map(|(_, work)| work);
    let mut log = Log::new();
    let result = match work {
        Some(work) => work(&mut connection, &mut log),
        None => connection.ping(),
    };
    let _ = connection.server_error().map(|error| format!("{error} {:?}", error.position()));
    let _ = (connection.cancel_token(), connection.server_version());
    if !connection.is_usable() {
        dead(&mut connection, &peer);
    } else if result.is_ok() {
        let _ = connection.close();
    }
}

/// Plays damaged sessions; where one panics, says which.
fn shake_all(name: &str, script: &Script, rounds: u64) {
    for seed in 0..rounds {
        let played = catch_unwind(AssertUnwindSafe(|| shake(name, script, seed)));
        if played.is_err() {
            let script = damaged(script, &mut Random::new(seed));
            panic!("session {name}, seed {seed}: {}", show(&script.sent()));
        }
    }
}

fn session(name: &str) {
    shake_all(name, &golden(name), ROUNDS);
}

#[test]
fn logins() {
    let scram = super::crypto::exchange(8);
    let names = [
        ("server-first", scram.server_first.as_str()),
        ("client-final", scram.client_final.as_str()),
        ("server-final", scram.server_final.as_str()),
    ];
    let text =
        format!("@start\n<<< v 196608 0\n{SCRAM}\n@settle\n>>> Q \"\"\n<<< I\n<<< Z 'I'\n@bye");
    shake_all("login", &read(&text, &names), 3 * ROUNDS);
}

macro_rules! sessions {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            session(stringify!($name));
        })*

        #[test]
        fn every_session_is_shaken() {
            let shaken = [$(stringify!($name)),*];
            for (name, _) in SESSIONS {
                assert!(shaken.contains(name), "{name}");
            }
        }
    };
}

sessions! {
    query simple batch prepare transaction errors asynchronous copy unread fatal shutdown parameters
}
