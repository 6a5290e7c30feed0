#![no_std]
#![no_main]
//! Logs readings from a Raspberry Pi Pico or Pico 2 with a W5500, and again after whatever happens.

mod board;
mod random;

use barepg::types::oid;
use barepg::{Client, Config, Platform, Remedy, StaticStatement, StaticStatements, Storage};
use barepg_w5500::barepg_smoltcp::{Setup, Sockets, Stack, TcpBuffers};
use barepg_w5500::{Frames, W5500};
use embedded_hal::digital::OutputPin as _;
use panic_halt as _;
#[cfg(feature = "pico2")]
use rp235x_hal::entry;
#[cfg(feature = "pico")]
use rp2040_hal::entry;

/// The server; in flash.
static CONFIG: Config =
    Config::new().host("db.plant.example").user("logger").password("secret").dbname("plant");

/// `create table reading (device integer, number bigint, celsius real, primary key (device, number))`
static INSERT: StaticStatement = StaticStatement::new(
    "insert into reading values ($1, $2, $3) on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::FLOAT4],
);

const DEVICE: i32 = 7;

/// Another one for each device: locally administered, unicast.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, DEVICE as u8];

#[entry]
fn main() -> ! {
    run();
    // Without a chip or entropy there is nothing to do but to start again: the watchdog does.
    loop {}
}

fn run() -> Option<()> {
    let (board, spi, mut led) = board::start()?;
    let mut frames = Frames::new();
    let chip = W5500::new(spi, MAC, &mut frames).ok()?;
    let (mut buffers, mut sockets) = (TcpBuffers::<4096, 2048>::new(), Sockets::new());
    let stack = Stack::new(chip, &board, Setup::new(MAC), &mut buffers, &mut sockets).ok()?;
    let mut storage = Storage::<1024, 512>::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &board);
    let mut prepared = StaticStatements::new();
    client.set_static_statements(&mut prepared);
    let mut reading = measure(&board);
    loop {
        let Ok(mut conn) = client.connect_with(&mut &stack) else {
            pause(&board, 5000);
            continue;
        };
        while conn.is_usable() {
            let (number, celsius) = reading;
            match conn.execute(&INSERT, (DEVICE, number, celsius)) {
                Err(error) if error.remedy() != Remedy::SetAside => {
                    let _ = led.set_low();
                    pause(&board, 1000);
                }
                _ => {
                    let _ = led.set_high(); // acknowledged
                    reading = measure(&board);
                }
            }
        }
    }
}

/// One reading a second. Put a sensor here, and a number that does not repeat after a reset: a counter in
/// flash, or the outbox (feature `outbox`), which keeps both.
fn measure(board: &board::Board) -> (i64, f32) {
    pause(board, 1000);
    (board.now_ms().cast_signed(), 21.5)
}

fn pause(board: &board::Board, ms: u64) {
    let end = board.now_ms() + ms;
    while board.now_ms() < end {
        board.idle();
    }
}
