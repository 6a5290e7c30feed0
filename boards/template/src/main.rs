#![no_std]
#![no_main]
//! Logs readings: clock, network, login, and again after whatever happens. src/hardware.rs is yours.

mod hardware;

use barepg::types::oid;
use barepg::{
    Client, Config, NoEntropy, Platform, Remedy, StaticStatement, StaticStatements, Storage,
};
use barepg_smoltcp::{Setup, Sleep, Sockets, Stack, TcpBuffers};
use cortex_m_rt::entry;
use panic_halt as _;

/// The server; in flash. One image for many devices reads it from a file or a serial line: `Config::parse`.
static CONFIG: Config =
    Config::new().host("db.plant.example").user("logger").password("secret").dbname("plant");

/// `create table reading (device integer, number bigint, celsius real, primary key (device, number))`:
/// a reading that is sent twice is stored once.
static INSERT: StaticStatement = StaticStatement::new(
    "insert into reading values ($1, $2, $3) on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::FLOAT4],
);

const DEVICE: i32 = 7;

struct Board;

impl Platform for Board {
    fn now_ms(&self) -> u64 {
        hardware::now_ms()
    }

    fn idle(&self) {
        hardware::feed_watchdog();
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        hardware::random(buf).then_some(()).ok_or(NoEntropy)
    }
}

impl Sleep for Board {}

#[entry]
fn main() -> ! {
    let (ethernet, mac) = hardware::start();
    let (mut buffers, mut sockets) = (TcpBuffers::<2048, 512>::new(), Sockets::new());
    let stack = Stack::new(ethernet, &Board, Setup::new(mac), &mut buffers, &mut sockets);
    // Without entropy there is no login either: the watchdog starts the board again.
    let Ok(stack) = stack else { loop {} };
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &Board);
    let mut prepared = StaticStatements::new();
    client.set_static_statements(&mut prepared);
    let mut reading = hardware::measure();
    loop {
        let Ok(mut conn) = client.connect_with(&mut &stack) else {
            pause(5000);
            continue;
        };
        while conn.is_usable() {
            let (number, celsius) = reading;
            match conn.execute(&INSERT, (DEVICE, number, celsius)) {
                // Lost link, full disk, lock: keep it, and try again.
                Err(error) if error.remedy() != Remedy::SetAside => pause(1000),
                _ => reading = hardware::measure(),
            }
        }
    }
}

/// Between two attempts: a server that restarts needs it.
fn pause(ms: u64) {
    let end = Board.now_ms() + ms;
    while Board.now_ms() < end {
        Board.idle();
    }
}
