//! Execute-many at openGauss: its batch bind ('U') carries many rows of parameters in one message
//! and has one answer.
//!
//! Rows are gathered in the send buffer as long as they fit, so a message is as long as the
//! buffer at most. A row larger than the buffer goes as Bind and Execute, as at PostgreSQL.
//!
//! Source: openGauss-server `src/gausskernel/process/tcop/postgres.cpp`, `exec_batch_bind_execute`.

use crate::engine::Session;
use crate::error::Fault;
use crate::limits;
use crate::transport::Lent;
use crate::verbs::batch::Like;
use crate::verbs::params::{Params, formats};
use crate::verbs::query::bind;
use crate::verbs::sql::{Run, Sql};
use crate::wire::backend::tag;
use crate::wire::{WireError, Writer, frontend};

/// Where a batch stands.
struct Batch {
    rows: u64,
    /// ParseComplete was not read yet.
    parse: bool,
    /// The message being gathered: where it starts in the send buffer, and its rows.
    open: Option<(usize, u16)>,
    /// Rows of each message sent whose answer was not read.
    waiting: [u16; limits::BATCH_BIND_WINDOW],
    sent: usize,
}

impl Session<'_> {
    /// Sends the items of a batch whose statement is staged or prepared, and takes the answers.
    pub(crate) fn batch_bind<P: Params>(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        first: P,
        items: &mut dyn Iterator<Item = P>,
    ) -> Result<u64, Fault> {
        let mut batch = Batch {
            rows: 0,
            parse: true,
            open: None,
            waiting: [0; limits::BATCH_BIND_WINDOW],
            sent: 0,
        };
        let like = Like::new(&first);
        let mut next = Some(first);
        while let Some(item) = next {
            let fits = like.check(&item).map_err(Fault::from);
            self.add_row(io, sql, &item, &mut batch, fits)?;
            next = items.next();
        }
        self.close_message(&mut batch);
        self.send_sync(io)?;
        self.take_answers(io, &mut batch)?;
        self.expect_ready(io)?;
        Ok(batch.rows)
    }

    fn add_row(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        item: &dyn Params,
        batch: &mut Batch,
        fits: Result<(), Fault>,
    ) -> Result<(), Fault> {
        let added = fits.and_then(|()| self.gather(io, sql, item, batch));
        match added {
            Err(fault) if fault.is_unsendable() => {
                if let Some((start, _)) = batch.open {
                    self.link.unstage(start);
                }
                Err(self.abort_batch(io, fault))
            }
            added => added,
        }
    }

    fn gather(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        item: &dyn Params,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        if let Some((_, rows)) = &mut batch.open {
            if *rows < u16::MAX && self.link.append(TRAILER.len(), &|w| item.values(w))? {
                *rows = rows.saturating_add(1);
                return Ok(());
            }
            self.close_message(batch);
        }
        if batch.sent >= batch.waiting.len() {
            self.flush_batch(io)?;
            self.take_answers(io, batch)?;
        }
        // After what is staged, or else in the empty buffer.
        for _ in 0..2 {
            let start = self.link.staged();
            let fits = self.link.append(TRAILER.len(), &|w| {
                header(w, item)?;
                item.values(w)
            })?;
            if fits {
                batch.open = Some((start, 1));
                return Ok(());
            }
            self.exchange.part_sent();
            self.send_on(io)?;
        }
        self.note_sent(batch, 1);
        let part = |w: &mut Writer<'_>| {
            bind(w, &sql, item, Run::Text)?;
            frontend::execute(w)
        };
        self.stage_part_of_batch(io, part, &part, false)
    }

    /// Ends the message being gathered: its length and row count are known now.
    fn close_message(&mut self, batch: &mut Batch) {
        if let Some((start, rows)) = batch.open.take() {
            self.link.close_counted(start, TRAILER, u32::from(rows));
            self.note_sent(batch, rows);
        }
    }

    fn note_sent(&self, batch: &mut Batch, rows: u16) {
        if let Some(place) = batch.waiting.get_mut(batch.sent) {
            *place = rows;
        }
        batch.sent = batch.sent.saturating_add(1);
    }

    fn take_answers(&mut self, io: &mut Lent<'_>, batch: &mut Batch) -> Result<(), Fault> {
        if core::mem::take(&mut batch.parse) {
            self.expect_empty(io, tag::PARSE_COMPLETE)?;
        }
        let sent = core::mem::take(&mut batch.sent);
        for rows in batch.waiting.iter().take(sent) {
            self.expect_empty(io, tag::BIND_COMPLETE)?;
            self.executed(io)?;
            batch.rows = batch.rows.saturating_add(self.rows());
            self.batch_done = self.batch_done.saturating_add(u32::from(*rows));
        }
        Ok(())
    }
}

/// Execute the unnamed portal to its end, as a part of the message.
const TRAILER: &[u8; 6] = b"E\0\0\0\0\0";

/// The message up to its first row; length and row count come later.
fn header(w: &mut Writer<'_>, item: &dyn Params) -> Result<(), WireError> {
    w.bytes(b"U\0\0\0\0\0\0\0\0\0")?;
    w.bytes(frontend::UNNAMED)?;
    formats(w, item)?;
    // One format code for all results: binary.
    w.bytes(&[0, 1, 0, 1])?;
    w.count(item.count())
}
