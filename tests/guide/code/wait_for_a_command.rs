use core::ops::ControlFlow;

use barepg::outbox::{NorFlash, Outbox};
use barepg::types::oid;
use barepg::{Client, Connection, Dial, Pause, PerDialect, Policy, Result, StaticStatement};
use barepg::{Supervisor, insert_once};

// What became of a command: 'begun', then 'done'. By way of flash, as a reading.
pub static REPORT: PerDialect<StaticStatement> = insert_once!(
    "insert into report (device, key, command, what) values ($1, $2, $3, $4)",
    &[oid::INT4, oid::INT8, oid::INT4, oid::TEXT],
);
pub static STATEMENTS: &[&StaticStatement] = &[&REPORT.postgresql];
pub static AT_OPENGAUSS: &[&StaticStatement] = &[&REPORT.opengauss];

/// The oldest command that this device has not begun.
const NEXT: &str = "select id, what from command where device = $1 and not exists
    (select 1 from report where report.command = command.id) order by id limit 1";

pub struct Pump<'a, F> {
    pub device: i32,
    /// Its rows have this device's number.
    pub outbox: Outbox<'a, F>,
    /// Does what the command says. It must return: the power may fail in the middle of it.
    pub obey: &'a dyn Fn(&str),
    /// The firmware's other work, for some milliseconds; `true` to stop.
    pub meanwhile: &'a dyn Fn() -> bool,
    /// Shows an error to whoever looks after the device.
    pub report: &'a dyn Fn(&Pause<'_>),
}

/// Milliseconds until the table is looked at without being told, and the server shows that it is there.
const LOOK_MS: u32 = 60_000;

/// Milliseconds of a wait.
const WAIT_MS: u32 = 20;

impl<F: NorFlash> Pump<'_, F> {
    /// For ever, or until it is asked to stop.
    pub fn run<D: Dial>(&mut self, client: &mut Client<'_>, dialler: &mut D, policy: Policy) {
        let mut supervisor = Supervisor::new(policy);
        client.supervise(dialler, &mut supervisor, self, Self::session, Self::pause);
    }

    fn session(&mut self, conn: &mut Connection) -> Result<ControlFlow<()>> {
        let can_listen = !conn.is_opengauss();
        if can_listen {
            // Listen first, then look: what comes in between is seen once more, not missed.
            conn.batch_execute("listen command")?;
        }
        loop {
            while self.serve(conn)? {}
            for _ in 0..LOOK_MS / WAIT_MS {
                if (self.meanwhile)() {
                    return Ok(ControlFlow::Break(()));
                }
                // Nothing yet is no error. At openGauss the wait is `meanwhile`, and the table is
                // looked at each time.
                if !can_listen || conn.wait_notification(WAIT_MS)?.is_some() {
                    break;
                }
            }
        }
    }

    /// Obeys one command; `false`: there is none.
    fn serve(&mut self, conn: &mut Connection) -> Result<bool> {
        // What it has begun, before a reset too, is at the server before it asks for more.
        self.outbox.drain(conn)?;
        if self.outbox.set_aside() > 0 {
            // A report that the server refuses: until a person has looked, nothing is obeyed, or it
            // would be obeyed again.
            return Ok(false);
        }
        let Some(row) = conn.query_opt(NEXT, (self.device,))? else { return Ok(false) };
        let (id, what) = row.decode::<(i32, &str)>()?;
        // In flash before it is obeyed: whatever comes, it is not obeyed again.
        self.outbox.push(&REPORT.postgresql, (id, "begun"))?;
        (self.obey)(what);
        self.outbox.push(&REPORT.postgresql, (id, "done"))?;
        Ok(true)
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<()> {
        if pause.begins {
            (self.report)(pause);
        }
        if (self.meanwhile)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
