//! Sending: batches, rows that are refused, a server that is another one.

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;

use super::cursor::{Cursor, Reading, to_usize};
use super::format::{HEAD, KEYED};
use super::number::Number;
use super::options::Full;
use super::ring::Ring;
use super::{Device, Outbox, of_usage, read};
use crate::connection::Connection;
use crate::engine::TransactionStatus;
use crate::error::{Error, OutboxError, Outcome, Remedy, Result, UsageError};
use crate::types::Oid;
use crate::verbs::Params;
use crate::wire::{WireError, Writer};

/// Rows in the first batch after one whose outcome is unknown: few enough to leave together with
/// their Sync, so that a link that is cut does not leave the server waiting for the rest.
const CAREFUL: u16 = 8;

/// Ends the sessions that an earlier link left at the server.
pub(super) const END_OTHERS: &str = "select pg_terminate_backend(a.pid) from pg_stat_activity a \
    join pg_stat_activity b using(datname,usename,application_name)\
    where b.pid=pg_backend_pid() and a.pid<>b.pid and application_name>''";

/// Writes to the server's log, so that its commit waits for the standbys that `synchronous_commit` names.
const WAIT: &str = "select pg_logical_emit_message(true,'','')";

/// What is remembered of sending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    /// The session that was looked at.
    pub(super) session: Option<u32>,
    /// Most rows of the next batch, and of the one after it.
    limit: u16,
    then: u16,
    /// Rows from here on were never sent.
    unsent: Number,
    /// Something was sent whose outcome is not known.
    pub(super) uncertain: bool,
}

impl Sending {
    /// After a reset: rows that wait may have been sent.
    pub(super) const fn new(rows: &Ring) -> Self {
        let uncertain = rows.waiting > 0;
        Self { session: None, limit: CAREFUL, then: CAREFUL, unsent: rows.next(), uncertain }
    }

    /// So many rows in the next batch, so many in the one after it.
    const fn try_next(&mut self, limit: u16, then: u16) {
        (self.limit, self.then) = (limit, then);
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
    /// [`OutboxError::UnknownStatement`], [`OutboxError::AsideFull`], [`OutboxError::Region`] (a refused row is larger
    /// than the buffer), and what the flash reports: also where the batch was stored and that could not be noted; a
    /// reset sends it again.
    /// [`UsageError::InTransaction`]: acknowledged within a transaction is not stored.
    pub fn send(&mut self, conn: &mut Connection) -> Result<bool> {
        if conn.transaction_status() != TransactionStatus::Idle {
            return Err(of_usage(UsageError::InTransaction));
        }
        if self.sending.session != Some(conn.session.identity()) {
            if let Some(end_others) = self.options.end_others
                && self.sending.uncertain
            {
                run(conn, end_others)?;
            }
            if let Some(meet) = self.resend.meet {
                meet(self, conn)?;
            }
            self.sending.session = Some(conn.session.identity());
        }
        let mut cursor = self.rows.tail;
        if !self.rows.step(&mut self.device, &mut cursor)? {
            // Rows that could be read once and cannot any more wait for nothing.
            let lost = core::mem::take(&mut self.rows.waiting);
            self.rows.given_up = self.rows.given_up.wrapping_add(lost);
            return Ok(false);
        }
        let statement = self.options.pick(cursor.found.kind & !KEYED, conn.is_opengauss());
        let statement = statement.ok_or(OutboxError::UnknownStatement)?;
        // Rows of another outbox may have been sent from there.
        let is_fresh =
            !cursor.found.number.is_before(self.sending.unsent) && cursor.found.kind & KEYED == 0;
        let batch = Batch {
            prefix: self.options.device,
            types: statement.types(),
            ring: &self.rows,
            now: RefCell::new(Now {
                device: &mut self.device,
                cursor: self.rows.tail,
                kind: cursor.found.kind,
                left: self.sending.limit.min(self.options.batch).max(1),
                sent: 0,
                trouble: None,
            }),
        };
        let result = conn.execute_many(statement, Rows(&batch));
        let Now { cursor: last, sent, trouble, .. } = batch.now.into_inner();
        self.sending.unsent = self.sending.unsent.max(last.found.number.plus(1));
        // What the flash reports is shown only where it made the batch fail.
        if let Some(error) = trouble
            && (result.is_err() || sent == 0)
        {
            return Err(error.into());
        }
        match result {
            Ok(rows) => {
                // Rows that were there already changed nothing, so nothing waited for a standby. The commit that put
                // them there may have been waiting when it was cancelled: the primary alone has them then.
                if rows == 0 && self.sending.uncertain {
                    run(conn, WAIT)?;
                }
                self.stored(&last, sent, is_fresh, rows)?;
            }
            Err(error) => self.failed(conn, error, sent, &cursor)?,
        }
        Ok(true)
    }

    /// The server has acknowledged a batch.
    fn stored(
        &mut self,
        last: &Cursor,
        sent: u16,
        is_fresh: bool,
        rows: u64,
    ) -> Result<(), OutboxError> {
        let count = u32::from(sent);
        let kept = self.rows.finish(&mut self.device, last, count);
        self.counters.stored = self.counters.stored.wrapping_add(count);
        if is_fresh {
            let missing = count.saturating_sub(u32::try_from(rows).unwrap_or(u32::MAX));
            self.counters.swallowed = self.counters.swallowed.wrapping_add(missing);
        }
        self.sending.uncertain = false;
        let then = self.sending.then;
        self.sending.try_next(then, then.saturating_mul(2));
        kept
    }

    /// A batch was not stored: it is sent again by parts, set aside, or waits.
    fn failed(&mut self, conn: &Connection, error: Error, sent: u16, first: &Cursor) -> Result<()> {
        self.counters.failures = self.counters.failures.wrapping_add(1);
        let sending = &mut self.sending;
        sending.uncertain |= error.outcome() == Outcome::Unknown;
        if !error.is_usable() {
            sending.try_next(sending.limit.min(CAREFUL), CAREFUL);
            return Err(error);
        }
        let half = (sent >> 1).max(1);
        if error.remedy() != Remedy::SetAside {
            sending.try_next(half, sent);
            return Err(error);
        }
        if sent <= 1 {
            return Ok(self.put_aside(first, error.state_words())?);
        }
        // What comes before the row that was refused may be fine; it itself is sent alone.
        sending.try_next(half, 1);
        if let Ok(done) = u16::try_from(conn.batch_done())
            && done < sent
        {
            sending.limit = done.max(1);
        }
        Ok(())
    }

    /// Moves the first row that waits, before the cursor, to those set aside.
    fn put_aside(&mut self, first: &Cursor, state: [u32; 2]) -> Result<(), OutboxError> {
        let key = self.rows.whole(first.found.number).to_le_bytes();
        let content = self.buffer.get_mut(to_usize(HEAD)..).unwrap_or_default();
        let (about, values) = content.split_first_chunk_mut::<16>().ok_or(OutboxError::Region)?;
        let ([a, b, c, d, e, f, g, h], [state, rest]) = (key, state);
        let (low, high) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        for (to, word) in about.as_chunks_mut().0.iter_mut().zip([low, high, state, rest]) {
            *to = word.to_le_bytes();
        }
        read(&mut self.device, &first.found, values)?;
        let length = first.found.length.wrapping_add(16);
        let (kind, full) = (first.found.kind, self.options.aside_full);
        match self.aside.append(&mut self.device, kind, self.buffer, length, full.room()) {
            Ok(()) => {}
            Err(OutboxError::Full) if full == Full::DropNewest => {
                self.counters.aside_dropped = self.counters.aside_dropped.wrapping_add(1);
            }
            Err(OutboxError::Full) => return Err(OutboxError::AsideFull),
            Err(error) => return Err(error),
        }
        let kept = self.rows.finish(&mut self.device, first, 1);
        self.counters.refused = self.counters.refused.wrapping_add(1);
        self.sending.try_next(CAREFUL, CAREFUL);
        kept
    }
}

/// Runs what a server may refuse: it does not know the function, or keeps it to others.
#[inline(never)]
fn run(conn: &mut Connection, sql: &str) -> Result<()> {
    match conn.execute(sql, ()) {
        Err(error) if error.outcome() != Outcome::Refused => Err(error),
        _ => Ok(()),
    }
}

/// Rows that are sent, from the tail on, of one statement.
struct Batch<'r, F> {
    prefix: &'r dyn Params,
    /// Of the statement: the values were checked when they were pushed, the others when the outbox was
    /// opened.
    types: &'static [Oid],
    ring: &'r Ring,
    now: RefCell<Now<'r, F>>,
}

/// Where a batch stands.
struct Now<'r, F> {
    device: &'r mut Device<F>,
    /// At the last row.
    cursor: Cursor,
    kind: u16,
    left: u16,
    sent: u16,
    trouble: Option<OutboxError>,
}

/// The rows of a batch.
struct Rows<'a, 'r, F>(&'a Batch<'r, F>);

/// The parameters of its last row: device, number, and the values, read from flash while they are
/// sent. A row is sent before there is a next one, so it is one word.
struct Row<'a, 'r, F>(&'a Batch<'r, F>);

impl<'a, 'r, F: NorFlash> Iterator for Rows<'a, 'r, F> {
    type Item = Row<'a, 'r, F>;

    #[cfg_attr(target_os = "none", inline(never))]
    fn next(&mut self) -> Option<Row<'a, 'r, F>> {
        let now = &mut *self.0.now.try_borrow_mut().ok()?;
        now.left = now.left.checked_sub(1)?;
        let mut next = now.cursor;
        match self.0.ring.step(now.device, &mut next) {
            Ok(true) if next.found.kind == now.kind => {}
            Ok(_) => return None,
            Err(error) => {
                now.trouble = Some(error);
                return None;
            }
        }
        (now.cursor, now.sent) = (next, now.sent.wrapping_add(1));
        Some(Row(self.0))
    }
}

impl<F: NorFlash> Params for Row<'_, '_, F> {
    fn count(&self) -> usize {
        self.0.types.len()
    }

    fn oid(&self, index: usize) -> Oid {
        self.0.types.get(index).copied().unwrap_or(0)
    }

    fn types(&self) -> Option<&'static [Oid]> {
        Some(self.0.types)
    }

    fn has_text(&self) -> bool {
        false
    }

    fn values(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.prefix.values(out)?;
        let now = &mut *self.0.now.try_borrow_mut().map_err(|_| WireError::Source)?;
        let found = &now.cursor.found;
        let is_keyed = found.kind & KEYED != 0;
        if !is_keyed {
            (self.0.ring.whole(found.number).cast_signed(),).values(out)?;
        }
        let (mut reading, mut chunk) = (Reading::new(found), [0; 32]);
        #[cfg(feature = "opengauss")]
        let before = self.0.prefix.count().saturating_add(usize::from(!is_keyed));
        #[cfg(feature = "opengauss")]
        let types = self.0.types.get(before..).unwrap_or(&[]);
        #[cfg(feature = "opengauss")]
        let mut pieces = crate::verbs::gauss::InPieces::new(types);
        loop {
            match reading.next(now.device, &mut chunk) {
                #[cfg(feature = "opengauss")]
                Ok(Some(bytes)) => pieces.write(bytes, out)?,
                #[cfg(not(feature = "opengauss"))]
                Ok(Some(bytes)) => out.bytes(bytes)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    now.trouble = Some(error);
                    return Err(WireError::Source);
                }
            }
        }
    }
}
