#![no_std]
#![no_main]
//! Logs readings: clock, network, login, and again after whatever happens. src/hardware.rs is yours.

mod hardware;

use core::ops::ControlFlow;

use barepg::types::oid;
use barepg::{
    Client, Config, Connection, NoEntropy, Platform, Policy, Remedy, StaticStatement,
    StaticStatements, Storage, Supervisor,
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
    let mut supervisor = Supervisor::new(Policy::DEFAULT);
    loop {
        // Pauses after a failure, longer and longer ones and no two devices alike, are the supervisor's.
        client.supervise(&mut &stack, &mut supervisor, &mut reading, session, |_, _| {
            ControlFlow::Continue(())
        });
    }
}

/// One session: readings until something fails.
fn session(
    reading: &mut (i64, f32),
    conn: &mut Connection<'_, '_>,
) -> barepg::Result<ControlFlow<()>> {
    loop {
        let (number, celsius) = *reading;
        match conn.execute(&INSERT, (DEVICE, number, celsius)) {
            // Lost link, full disk, lock: it is kept, and sent again.
            Err(error) if error.remedy() != Remedy::SetAside => return Err(error),
            // Stored; or the server will never take it.
            _ => *reading = hardware::measure(),
        }
    }
}
