//! One statement for many items, in one batch.

use crate::connection::Connection;
#[cfg(feature = "opengauss")]
use crate::engine::Fact;
use crate::engine::{Ending, Session, TransactionStatus};
use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::transport::{Lent, lent};
use crate::verbs::in_line;
use crate::verbs::params::{Params, erased, given};
use crate::verbs::query::{bind, parse};
use crate::verbs::sql::{Execution, Run, Sql};
use crate::wire::backend::tag;
use crate::wire::{Part, WireError, Writer, frontend};

impl Connection<'_, '_> {
    /// Runs a statement once for every item, all in one batch: one round trip for up to
    /// [`limits::PIPELINE_WINDOW`] items and [`limits::BATCH_WINDOW`] bytes. Outside of a
    /// transaction the batch is one of its own: all items take effect or none. Returns how many
    /// rows were touched. The statement is parsed once for the batch, a prepared one too: so it
    /// does not depend on what a pooler's server has prepared.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let rows = conn.execute_many("insert into event values ($1, $2)", [(1, "on"), (2, "off")])?;
    /// assert_eq!(rows, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query). [`batch_done`](Self::batch_done) is the index of the item that
    /// was refused.
    pub fn execute_many<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        items: impl IntoIterator<Item = P>,
    ) -> Result<u64> {
        let (io, mut items) = (&mut lent(&mut self.io), items.into_iter());
        let result = self.session.execute_many(io, sql.into(), &mut items);
        result.map_err(|fault| self.session.into_error(fault))
    }

    /// How many items of the last [`execute_many`](Self::execute_many) the server answered.
    pub const fn batch_done(&self) -> u32 {
        self.session.batch_done
    }
}

/// Where a batch stands.
struct Batch {
    rows: u64,
    /// Items sent whose answers were not read.
    waiting: u16,
    /// Bytes that the session had sent when the last answers were read.
    sent: u32,
    /// ParseComplete was not read yet.
    parse: bool,
    like: Like,
}

/// What the items of a batch must be like: the statement is parsed once, for the types of the first.
#[derive(Clone, Copy)]
pub(crate) struct Like {
    /// Types of the first item, folded; 0 where they are known when compiling,
    /// so that all items have the same.
    shape: u32,
    count: usize,
}

impl Like {
    pub(crate) fn new<P: Params>(first: &P) -> Self {
        let shape = if first.types().is_some() { 0 } else { shape(first) };
        Self { shape, count: first.count() }
    }

    /// Checks that an item is like the first.
    #[inline]
    pub(crate) fn check<P: Params>(self, item: &P) -> Result<(), UsageError> {
        match self.shape {
            0 => Ok(()),
            expected => self.compare(expected, item),
        }
    }

    #[inline(never)]
    fn compare(self, expected: u32, item: &dyn Params) -> Result<(), UsageError> {
        match shape(item) {
            _ if item.count() != self.count => Err(UsageError::ParameterCount),
            found if found != expected => Err(UsageError::ParameterType),
            _ => Ok(()),
        }
    }
}

/// Types, folded; never 0.
fn shape(params: &dyn Params) -> u32 {
    (0..params.count())
        .fold(1, |sum: u32, index| (sum ^ params.oid(index)).wrapping_mul(0x0100_0193))
        | 1
}

impl Session<'_> {
    /// Parse once, then Bind and Execute for every item, then Sync: one round trip, plus one for
    /// every [`limits::PIPELINE_WINDOW`] items, or [`limits::BATCH_WINDOW`] bytes. Returns the rows touched; `batch_done` counts the
    /// items that were answered.
    fn execute_many<P: Params>(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        items: &mut dyn Iterator<Item = P>,
    ) -> Result<u64, Fault> {
        self.batch_done = 0;
        let Some(first) = items.next() else { return self.begin(io).map(|()| 0) };
        self.start_batch(io, sql, &first)?;
        #[cfg(feature = "opengauss")]
        if self.link.rules.is_gauss() && self.server.is(Fact::BatchBinds) && first.count() > 0 {
            return self.batch_bind(io, sql, first, items);
        }
        let (sent, like) = (self.link.stats.bytes_out, Like::new(&first));
        let mut batch = Batch { rows: 0, waiting: 0, sent, parse: true, like };
        let mut next = Some(first);
        while let Some(item) = next {
            let fits = batch.like.check(&item).map_err(Fault::from);
            self.add_to_batch(io, sql, erased!(item), &mut batch, fits)?;
            next = items.next();
        }
        self.send_sync(io)?;
        self.take_batch(io, &mut batch)?;
        self.expect_ready(io)?;
        Ok(batch.rows)
    }

    fn start_batch(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        first: &dyn Params,
    ) -> Result<(), Fault> {
        self.begin_statement(io, &mut Execution::new(sql, given!(first), false))?;
        #[cfg(feature = "opengauss")]
        if self.link.rules.is_gauss() {
            self.learn_for_many(io, first)?;
        }
        let part = |w: &mut Writer<'_>| parse(w, &sql, first, Run::Text);
        self.stage_part_of_batch(io, part, &part, false)
    }

    /// Stages messages without a Sync after them. What leaves of them is owed an answer. `part` is
    /// the same as `inline`, which hosts compile in line. `anew`: they have the deadline for
    /// themselves.
    #[inline]
    pub(crate) fn stage_part_of_batch(
        &mut self,
        io: &mut Lent<'_>,
        inline: impl Fn(&mut Writer<'_>) -> Result<(), WireError>,
        part: Part<'_>,
        anew: bool,
    ) -> Result<(), Fault> {
        // What is staged may leave before it is known whether the part can: a batch is taken back
        // where it cannot, and a pipeline goes on without it.
        if cfg!(target_os = "none") {
            return self.stage_anew(io, part, false);
        }
        loop {
            match self.link.append_inline_after(0, &inline) {
                Ok(()) => return Ok(()),
                Err(WireError::Full) if self.link.staged() > 0 => self.send_before(io, anew)?,
                Err(WireError::Full) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.stage_anew(io, part, anew)
    }

    /// Sends what is staged of a batch, to have room.
    #[cold]
    #[inline(never)]
    fn send_before(&mut self, io: &mut Lent<'_>, anew: bool) -> Result<(), Fault> {
        if anew {
            self.link.limit(self.timeout_ms);
        }
        let sent = self.send_on(io);
        if self.link.has_sent() {
            self.exchange.part_sent();
        }
        sent
    }

    #[inline(never)]
    fn stage_anew(&mut self, io: &mut Lent<'_>, part: Part<'_>, anew: bool) -> Result<(), Fault> {
        if anew {
            self.link.limit(self.timeout_ms);
        }
        let staged = self.stage_part(io, part);
        if self.link.has_sent() {
            self.exchange.part_sent();
        }
        staged
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn add_to_batch<P: Params + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        item: &P,
        batch: &mut Batch,
        fits: Result<(), Fault>,
    ) -> Result<(), Fault> {
        let sent = self.link.stats.bytes_out.wrapping_sub(batch.sent);
        if batch.waiting >= limits::PIPELINE_WINDOW || sent >= limits::BATCH_WINDOW {
            self.flush_batch(io)?;
            self.take_batch(io, batch)?;
            batch.sent = self.link.stats.bytes_out;
        }
        let part = |w: &mut Writer<'_>| {
            bind(w, &sql, item, Run::Text)?;
            frontend::execute(w)
        };
        let written = fits.and_then(|()| {
            self.stage_part_of_batch(io, |w| in_line::item(w, sql, item), &part, false)
        });
        batch.waiting = batch.waiting.saturating_add(1);
        match written {
            Ok(()) => Ok(()),
            Err(fault) => {
                self.note_part_of_batch(sql.text());
                Err(self.end_batch(io, fault))
            }
        }
    }

    /// What a part of a batch may do to the batch's transaction: also where none is open, what follows
    /// a COMMIT is no matter of one transaction. Returns what.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn note_part_of_batch(&mut self, sql: &str) -> Ending {
        let alone = self.ledger.status() == TransactionStatus::Idle;
        let ending = Ending::of(sql, alone).and_more();
        self.note_ending(ending);
        ending
    }

    /// Sends what is staged and asks for the answers so far.
    pub(crate) fn flush_batch(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.stage(io, &frontend::flush)?;
        self.exchange.part_sent();
        self.send(io)
    }

    /// An item cannot be sent: those before it are taken back.
    #[cold]
    pub(crate) fn end_batch(&mut self, io: &mut Lent<'_>, fault: Fault) -> Fault {
        let unsent = fault.is_unsendable() || fault == Fault::TRUNCATED && !self.link.has_sent();
        if unsent { self.abort_batch(io, fault) } else { fault }
    }

    /// Takes the answers to the items that wait for them.
    fn take_batch(&mut self, io: &mut Lent<'_>, batch: &mut Batch) -> Result<(), Fault> {
        if core::mem::take(&mut batch.parse) {
            self.expect_empty(io, tag::PARSE_COMPLETE)?;
        }
        while batch.waiting > 0 {
            #[cfg(not(target_os = "none"))]
            {
                let (items, rows) = self.items_at_once(batch.waiting, false);
                batch.rows = batch.rows.saturating_add(rows);
                batch.waiting = batch.waiting.saturating_sub(items);
                self.batch_done = self.batch_done.saturating_add(items.into());
                if batch.waiting == 0 {
                    break;
                }
            }
            self.expect_empty(io, tag::BIND_COMPLETE)?;
            self.executed(io)?;
            batch.rows = batch.rows.saturating_add(self.rows());
            batch.waiting = batch.waiting.saturating_sub(1);
            self.batch_done = self.batch_done.saturating_add(1);
        }
        Ok(())
    }

    /// Checks that an item fits the statement.
    #[inline]
    pub(crate) fn check_item(&self, sql: Sql<'_>, item: &dyn Params) -> Result<(), Fault> {
        use crate::verbs::sql::Source;
        match sql.0 {
            Source::Text(_) => Ok(()),
            Source::Named(statement) => Ok(statement.check(self, item).map(|_| ())?),
        }
    }
}
