//! Sending: batches, rows that are refused, a server that is another one.

use core::cell::{Cell, RefCell};

use embedded_storage::nor_flash::NorFlash;

use super::cursor::{Cursor, Found, Reading, to_usize};
use super::format::{HEAD, KEYED};
use super::number::Number;
use super::ring::Ring;
use super::{ASIDE, Outbox, of_usage, read};
use crate::connection::Connection;
use crate::engine::TransactionStatus;
use crate::error::{Error, OutboxError, Outcome, Remedy, Result, SqlState, UsageError};
use crate::flash::Device;
use crate::types::{Oid, oid};
use crate::verbs::{Params, StaticStatement};
use crate::wire::{WireError, Writer};

/// Rows in the first batch after one whose outcome is unknown: few enough to leave together with
/// their Sync, so that a link that is cut does not leave the server waiting for the rest.
const CAREFUL: u16 = 8;

/// Ends the sessions that an earlier link left at the server.
const END_OTHERS: &str = "select pg_terminate_backend(a.pid) from pg_stat_activity a \
    join pg_stat_activity b using (datname, usename, application_name) \
    where b.pid = pg_backend_pid() and a.pid <> b.pid and application_name <> ''";

/// Which server this is, and which timeline of its history.
const WHICH_SERVER: &str = "select (select system_identifier from pg_control_system()), \
    case when pg_is_in_recovery() then null else pg_walfile_name(pg_current_wal_lsn()) end";

/// What is remembered of sending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    /// The session that was looked at.
    session: Option<u32>,
    /// Most rows of the next batch.
    limit: u16,
    /// After so many rows one is sent alone: a batch was refused at it.
    suspect: Option<u16>,
    /// Rows from here on were never sent.
    unsent: Number,
    /// Something was sent whose outcome is not known.
    pub(super) uncertain: bool,
    /// Once everything below is sent again, the rows are at this server.
    moving: Option<(u32, Number)>,
}

impl Sending {
    /// After a reset: rows that wait may have been sent.
    pub(super) const fn new(rows: &Ring) -> Self {
        let uncertain = rows.waiting > 0;
        let (session, limit, suspect, moving) = (None, CAREFUL, None, None);
        Self { session, limit, suspect, unsent: rows.next, uncertain, moving }
    }
}

impl<F: NorFlash> Outbox<'_, F> {
    /// Sends everything that waits. Returns how many rows the server has acknowledged.
    ///
    /// Rows that the server refuses for their own values are set aside
    /// ([`next_aside`](Self::next_aside)), after they were refused alone.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn drain(&mut self, conn: &mut Connection) -> Result<u32> {
        let before = self.counters.stored;
        while self.send(conn)? {}
        Ok(self.counters.stored.wrapping_sub(before))
    }

    /// Sends one batch of what waits, in one round trip, and forgets what the server has
    /// acknowledged. `false`: nothing waits any more.
    ///
    /// # Errors
    /// Of the connection, as [`Connection::execute_many`]: the rows wait. After
    /// [`Remedy::Retry`] call again, on a new connection where this one is
    /// dead. After [`Remedy::Operator`] a person must act.
    /// [`OutboxError::UnknownStatement`], [`OutboxError::AsideFull`], and what the flash reports.
    /// [`UsageError::InTransaction`]: acknowledged within a transaction is not stored.
    pub fn send(&mut self, conn: &mut Connection) -> Result<bool> {
        if conn.transaction_status() != TransactionStatus::Idle {
            return Err(of_usage(UsageError::InTransaction));
        }
        if self.sending.session != Some(conn.session.identity()) {
            self.meet(conn)?;
        }
        let mut cursor = self.rows.tail;
        let Some(first) = self.rows.step(&mut self.device, &mut cursor)? else {
            return Ok(false);
        };
        let statement = self.options.pick(first.head.kind & !KEYED, conn.is_opengauss());
        let statement = statement.ok_or(OutboxError::UnknownStatement)?;
        let limit = self.sending.limit.min(self.options.batch);
        let limit = limit.min(self.sending.suspect.unwrap_or(u16::MAX)).max(1);
        let batch = self.batch(conn, statement, first, limit);
        self.sending.unsent = self.sending.unsent.max(batch.cursor.next);
        if let Some(error) = batch.trouble {
            return Err(error.into());
        }
        match batch.result {
            Ok(rows) => self.stored(&batch, rows)?,
            Err(error) => self.failed(conn, error, batch.sent, first)?,
        }
        Ok(true)
    }

    /// Sends a batch from the tail on.
    fn batch(
        &mut self,
        conn: &mut Connection,
        statement: &'static StaticStatement,
        first: Found,
        limit: u16,
    ) -> Batch {
        let batch = Rows {
            device: RefCell::new(&mut self.device),
            prefix: self.options.device,
            #[cfg(feature = "opengauss")]
            types: statement.types().get(self.options.device.count()..).unwrap_or(&[]),
            values: statement.given().saturating_sub(self.options.device.count()).saturating_sub(1),
            trouble: Cell::new(None),
        };
        let (mut cursor, mut sent) = (self.rows.tail, 0_u16);
        // Rows of another outbox may have been sent from there.
        let fresh = !first.number.is_before(self.sending.unsent) && first.head.kind & KEYED == 0;
        let result = conn.execute_many(
            statement,
            core::iter::from_fn(|| {
                if sent >= limit {
                    return None;
                }
                let mut next = cursor;
                let device = &mut *batch.device.try_borrow_mut().ok()?;
                let found = match self.rows.step(device, &mut next) {
                    Ok(found) => found?,
                    Err(error) => {
                        batch.trouble.set(Some(error));
                        return None;
                    }
                };
                if found.head.kind != first.head.kind {
                    return None;
                }
                (cursor, sent) = (next, sent.wrapping_add(1));
                Some(Row { rows: &batch, number: self.rows.whole(found.number), found })
            }),
        );
        // What the flash reports is shown only where it made the batch fail.
        let trouble = batch.trouble.get().filter(|_| result.is_err() || sent == 0);
        Batch { cursor, sent, fresh, result, trouble }
    }

    /// The server has acknowledged a batch.
    fn stored(&mut self, batch: &Batch, rows: u64) -> Result<(), OutboxError> {
        let sent = u32::from(batch.sent);
        self.rows.finish(&mut self.device, batch.cursor, sent)?;
        self.counters.stored = self.counters.stored.wrapping_add(sent);
        if batch.fresh {
            let missing = sent.saturating_sub(u32::try_from(rows).unwrap_or(u32::MAX));
            self.counters.swallowed = self.counters.swallowed.wrapping_add(missing);
        }
        // That row was sent, where none was to come before it.
        self.sending.suspect = match self.sending.suspect {
            Some(before) if before > 0 => Some(before.saturating_sub(batch.sent)),
            _ => None,
        };
        self.sending.uncertain = false;
        self.sending.limit = self.sending.limit.saturating_mul(2).min(self.options.batch).max(1);
        if let Some((server, until)) = self.sending.moving
            && !self.rows.done.is_before(until)
        {
            self.sending.moving = None;
            self.rows.at_server(&mut self.device, server)?;
        }
        Ok(())
    }

    /// A batch was not stored: it is sent again by parts, set aside, or waits.
    fn failed(&mut self, conn: &Connection, error: Error, sent: u16, first: Found) -> Result<()> {
        self.counters.failures = self.counters.failures.wrapping_add(1);
        let sending = &mut self.sending;
        sending.uncertain |= error.outcome() == Outcome::Unknown;
        if !error.is_usable() {
            sending.limit = sending.limit.min(CAREFUL);
            return Err(error);
        }
        let half = (sent >> 1).max(1);
        match error.remedy() {
            Remedy::SetAside if sent > 1 => {
                // What comes before the row that was refused may be fine; it itself is sent alone.
                let done = u16::try_from(conn.batch_done()).unwrap_or(u16::MAX);
                let by_server = error.sqlstate().is_some();
                sending.limit = if by_server && done < sent { done.max(1) } else { half };
                sending.suspect = (by_server && done < sent).then_some(done);
                Ok(())
            }
            Remedy::SetAside => Ok(self.put_aside(first, error.sqlstate())?),
            _ => {
                sending.limit = half;
                Err(error)
            }
        }
    }

    /// Moves the first row that waits to those set aside.
    fn put_aside(&mut self, first: Found, state: Option<SqlState>) -> Result<(), OutboxError> {
        let key = self.rows.whole(first.number).to_le_bytes();
        let state = state.unwrap_or(SqlState::UNKNOWN);
        let head = to_usize(HEAD);
        let content = self.buffer.get_mut(head..).unwrap_or_default();
        let (about, values) =
            content.split_at_mut_checked(to_usize(ASIDE)).ok_or(OutboxError::Region)?;
        read(&mut self.device, first.content, first.head.length, values)?;
        for (to, from) in about.iter_mut().zip(key.iter().chain(&state.to_bytes())) {
            *to = *from;
        }
        let length = first.head.length.wrapping_add(16);
        let room = self.options.aside_full.room();
        let kind = first.head.kind;
        match self.aside.append(&mut self.device, kind, self.buffer, length, room) {
            Ok(_) => {}
            Err(OutboxError::Full) if self.options.aside_full == super::Full::DropNewest => {
                self.counters.aside_dropped = self.counters.aside_dropped.wrapping_add(1);
            }
            Err(OutboxError::Full) => return Err(OutboxError::AsideFull),
            Err(error) => return Err(error),
        }
        self.rows.finish_one(&mut self.device)?;
        self.counters.refused = self.counters.refused.wrapping_add(1);
        self.sending.suspect = None;
        self.sending.limit = CAREFUL;
        Ok(())
    }

    /// The first batch of a session: ends what earlier ones left, and looks which server it is.
    #[inline(never)]
    fn meet(&mut self, conn: &mut Connection) -> Result<()> {
        if let Some(end_others) = self.options.end_others
            && self.sending.uncertain
        {
            end_others(conn)?;
        }
        if let Some(which_server) = self.options.which_server
            && let Some(server) = which_server(conn)?
            && server != self.rows.server
        {
            self.move_to(server)?;
        }
        self.sending.session = Some(conn.session.identity());
        Ok(())
    }

    /// The server is another one: the last rows are sent again.
    fn move_to(&mut self, server: u32) -> Result<(), OutboxError> {
        if self.rows.server == 0 {
            return self.rows.at_server(&mut self.device, server);
        }
        if self.sending.moving.is_some_and(|(other, _)| other == server) {
            return Ok(());
        }
        let until = self.rows.kept;
        // As far back as numbers can be compared.
        let from = until.minus(self.options.resend.min(1 << 30));
        let before = self.rows.waiting;
        if from.is_before(self.rows.done) {
            self.rows.rewind(&mut self.device, from)?;
        }
        let again = self.rows.waiting.saturating_sub(before);
        self.counters.resent = self.counters.resent.wrapping_add(again);
        if again == 0 {
            self.sending.moving = None;
            return self.rows.at_server(&mut self.device, server);
        }
        self.sending.moving = Some((server, until));
        Ok(())
    }
}

/// An error of the server's is passed over where the session goes on.
fn unless_dead<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_usable() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends the sessions that an earlier link left at the server.
pub(super) fn end_others(conn: &mut Connection) -> Result<()> {
    unless_dead(conn.execute(END_OTHERS, ())).map(|_| ())
}

/// A number for the server and its timeline; `None` where it does not say.
pub(super) fn which_server(conn: &mut Connection) -> Result<Option<u32>> {
    let Some(row) = unless_dead(conn.query_one(WHICH_SERVER, ()))? else { return Ok(None) };
    let Ok((system, file)) = row.decode::<(i64, Option<&str>)>() else { return Ok(None) };
    // The first eight digits of a WAL file's name are the timeline.
    let Some(timeline) = file.and_then(|name| name.as_bytes().first_chunk::<8>()) else {
        return Ok(None);
    };
    let crc = crate::flash::Crc::new().with(&system.to_le_bytes()).with(timeline);
    Ok(Some(crc.end().max(1)))
}

/// What became of a batch.
struct Batch {
    /// After its last row.
    cursor: Cursor,
    sent: u16,
    /// None of its rows was sent before.
    fresh: bool,
    result: Result<u64>,
    trouble: Option<OutboxError>,
}

/// What the rows of a batch share.
struct Rows<'r, F> {
    device: RefCell<&'r mut Device<F>>,
    prefix: &'r dyn Params,
    /// Types of the row's number and of the values, and how many values there are.
    #[cfg(feature = "opengauss")]
    types: &'static [Oid],
    values: usize,
    trouble: Cell<Option<OutboxError>>,
}

/// The parameters of a row: device, number, and the values, read from flash while they are sent.
struct Row<'r, F> {
    rows: &'r Rows<'r, F>,
    /// The whole one.
    number: u64,
    found: Found,
}

impl<F: NorFlash> Params for Row<'_, F> {
    fn count(&self) -> usize {
        self.rows.prefix.count().saturating_add(1).saturating_add(self.rows.values)
    }

    fn oid(&self, index: usize) -> Oid {
        let prefix = self.rows.prefix.count();
        match index {
            _ if index < prefix => self.rows.prefix.oid(index),
            _ if index == prefix => oid::INT8,
            // They were checked when they were pushed.
            _ => 0,
        }
    }

    fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.rows.prefix.values(out)?;
        let is_keyed = self.found.head.kind & KEYED != 0;
        if !is_keyed {
            (self.number.cast_signed(),).values(out)?;
        }
        let mut device = self.rows.device.try_borrow_mut().map_err(|_| WireError::Source)?;
        let Found { head, content, .. } = self.found;
        let (mut reading, mut chunk) = (Reading::new(content, head.length), [0; 32]);
        #[cfg(feature = "opengauss")]
        let types = self.rows.types.get(usize::from(!is_keyed)..).unwrap_or(&[]);
        #[cfg(feature = "opengauss")]
        let mut pieces = crate::verbs::gauss::InPieces::new(types);
        loop {
            match reading.next(&mut device, &mut chunk) {
                #[cfg(feature = "opengauss")]
                Ok(Some(bytes)) if out.rules().is_gauss() => pieces.write(bytes, out)?,
                Ok(Some(bytes)) => out.bytes(bytes)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.rows.trouble.set(Some(error));
                    return Err(WireError::Source);
                }
            }
        }
    }
}
