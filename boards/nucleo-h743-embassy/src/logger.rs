//! What the boards do: keep a session, log readings, and keep each until the server has it. This file is the
//! same in every folder that has it.

use core::ops::ControlFlow;

use barepg::types::oid;
use barepg::{
    Client, Connection, Dial, Pause, PerDialect, Policy, Remedy, Result, StaticStatement,
    StaticStatements, Supervisor, insert_once,
};

/// What the program needs of the board, besides its `Platform`.
pub trait Device {
    /// The number of the device: no other one has it.
    fn number(&self) -> i32;

    /// Waits for the next reading, and feeds the watchdog meanwhile. Its number is above that of any before, also
    /// after a power loss: a counter in flash, the time, or the outbox (feature `outbox`), which keeps the readings
    /// as well. A time that [`set_time`](Self::set_time) has put back is no reason to repeat one: the logger goes on
    /// from the last.
    fn measure(&mut self) -> (i64, f32);

    /// The server's time, in seconds since 1970: once in each session.
    fn set_time(&mut self, seconds: u64);

    /// Whether the last reading has been stored, or waits.
    fn show(&mut self, stored: bool);

    /// Sleeps between two sessions, for 50 ms at the most. Without it the processor stays awake.
    fn rest(&mut self) {}
}

/// `create table reading (device integer, number bigint, celsius real, primary key (device, number))`:
/// a reading that is sent twice is stored once.
static INSERT: PerDialect<StaticStatement> =
    insert_once!("insert into reading values ($1, $2, $3)", &[oid::INT4, oid::INT8, oid::FLOAT4],);

struct State<'d, D> {
    device: &'d mut D,
    waiting: Option<(i64, f32)>,
    /// The number of the last reading.
    last: i64,
}

/// Logs readings, for years.
pub fn run<'b, D: Device>(
    client: &mut Client<'b>,
    prepared: &'b mut StaticStatements,
    dialler: &mut impl Dial,
    device: &mut D,
) -> ! {
    client.set_static_statements(prepared);
    let mut supervisor = Supervisor::new(Policy::DEFAULT);
    let mut state = State { device, waiting: None, last: i64::MIN };
    loop {
        // Pauses after a failure, longer and longer ones, are the supervisor's.
        client.supervise(dialler, &mut supervisor, &mut state, session, pause);
    }
}

fn session<D: Device>(
    state: &mut State<'_, D>,
    conn: &mut Connection<'_, '_>,
) -> Result<ControlFlow<()>> {
    let (now,) =
        conn.query_one("select extract(epoch from now())::bigint", ())?.decode::<(i64,)>()?;
    state.device.set_time(now.unsigned_abs());
    let insert = conn.pick(&INSERT);
    loop {
        let (number, celsius) = match state.waiting {
            Some(reading) => reading,
            None => {
                let (number, celsius) = state.device.measure();
                // One that was stored before would be taken for the same reading, and lost.
                state.last = number.max(state.last.saturating_add(1));
                *state.waiting.insert((state.last, celsius))
            }
        };
        match conn.execute(insert, (state.device.number(), number, celsius)) {
            // Lost link, full disk, lock: it is sent again.
            Err(error) if error.remedy() != Remedy::SetAside => return Err(error),
            // Stored; or the server will never take it.
            result => state.device.show(result.is_ok()),
        }
        state.waiting = None;
    }
}

/// Between two sessions: a reading that comes now could be kept here.
fn pause<D: Device>(state: &mut State<'_, D>, pause: &Pause<'_>) -> ControlFlow<()> {
    if pause.begins {
        state.device.show(false);
    }
    state.device.rest();
    ControlFlow::Continue(())
}
