//! Running statements: the extended protocol in one round trip, simple queries, batches.

use crate::error::Fault;
use crate::limits;
use crate::params::Params;
use crate::session::{Life, Session};
use crate::statement::Sql;
use crate::transport::Lent;
use crate::wire::backend::tag;
use crate::wire::{WireError, Writer, frontend};

impl Session<'_> {
    /// Runs a statement and gets ready to read its rows.
    pub(crate) fn query(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        params: &dyn Params,
    ) -> Result<(), Fault> {
        self.send_statement(io, sql, params, true)?;
        self.bound(io, sql)?;
        self.described(io)
    }

    /// The answer to Describe of a portal: which columns its rows have.
    pub(crate) fn described(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.next(io)?;
        match self.link.tag {
            tag::ROW_DESCRIPTION => self.describe(io),
            tag::NO_DATA => {
                (self.no_rows, self.columns) = (true, 0);
                Ok(())
            }
            _ => Err(self.unexpected(io)),
        }
    }

    /// Runs a statement whose rows nobody wants.
    pub(crate) fn execute(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        params: &dyn Params,
    ) -> Result<(), Fault> {
        self.send_statement(io, sql, params, false)?;
        self.bound(io, sql)?;
        self.executed(io)?;
        self.expect_ready(io)
    }

    /// Sends a simple query and gets ready to read its results.
    pub(crate) fn simple_query(&mut self, io: &mut Lent<'_>, sql: &str) -> Result<(), Fault> {
        self.begin(io)?;
        self.extended = false;
        self.stage(io, &|w| frontend::query(w, sql))?;
        self.send(io)
    }

    /// Empty query: a round trip that touches nothing.
    pub(crate) fn ping(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.command(io, "")
    }

    /// Terminate.
    pub(crate) fn goodbye(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.life != Life::Alive {
            return Err(Fault::BROKEN);
        }
        self.link.begin(self.timeout_ms);
        self.link.write(io, &frontend::terminate)?;
        self.link.flush_last(io)?;
        self.life = Life::None;
        Ok(())
    }

    /// Parse (of text), Bind, Describe, Execute, Sync: one write.
    fn send_statement(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        params: &dyn Params,
        describe: bool,
    ) -> Result<(), Fault> {
        self.begin(io)?;
        self.check_params(sql, params)?;
        self.extended = true;
        self.stage(io, &|w| {
            parse(w, sql, params)?;
            bind(w, sql, params)?;
            if describe {
                frontend::describe_portal(w)?;
            }
            frontend::execute(w)?;
            frontend::sync(w)
        })?;
        self.send(io)
    }

    pub(crate) fn check_params(&self, sql: Sql<'_>, params: &dyn Params) -> Result<(), Fault> {
        sql.check(self.epoch, params)
    }

    /// ParseComplete (of text) and BindComplete.
    pub(crate) fn bound(&mut self, io: &mut Lent<'_>, sql: Sql<'_>) -> Result<(), Fault> {
        if sql.text().is_some() {
            self.expect(io, tag::PARSE_COMPLETE)?;
        }
        self.expect(io, tag::BIND_COMPLETE)
    }

    pub(crate) fn expect(&mut self, io: &mut Lent<'_>, expected: u8) -> Result<(), Fault> {
        self.next(io)?;
        if self.link.tag == expected { Ok(()) } else { Err(self.unexpected(io)) }
    }

    /// Reads over rows to the end of one Execute.
    pub(crate) fn executed(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.rows = 0;
        loop {
            self.next(io)?;
            match self.link.tag {
                tag::DATA_ROW => self.link.skip(io)?,
                tag::COMMAND_COMPLETE => return self.command_complete(io),
                tag::EMPTY_QUERY_RESPONSE => return Ok(()),
                _ => return Err(self.no_result(io)),
            }
        }
    }

    /// Parse once, then Bind and Execute for every item, then Sync: one round trip, plus one for
    /// every [`limits::PIPELINE_WINDOW`] items. Returns the rows touched; `batch_done` counts the
    /// items that were answered.
    pub(crate) fn execute_many<P: Params>(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        items: &mut dyn Iterator<Item = P>,
    ) -> Result<u64, Fault> {
        self.begin(io)?;
        self.batch_done = 0;
        let Some(first) = items.next() else { return Ok(0) };
        self.start_batch(io, sql, &first)?;
        #[cfg(feature = "opengauss")]
        if self.server.is_opengauss() && self.batch_binds && first.count() > 0 {
            return self.batch_bind(io, sql, first, items);
        }
        let mut batch = Batch { rows: 0, waiting: 0, parse: sql.text().is_some() };
        let mut next = Some(first);
        while let Some(item) = next {
            self.add_to_batch(io, sql, &item, &mut batch)?;
            next = items.next();
        }
        self.stage(io, &frontend::sync)?;
        self.unsynced = false;
        self.send(io)?;
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
        self.check_params(sql, first)?;
        self.extended = true;
        let staged = self.stage(io, &|w| parse(w, sql, first));
        self.unsynced = staged.is_ok();
        staged
    }

    fn add_to_batch(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        item: &dyn Params,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        if batch.waiting >= limits::PIPELINE_WINDOW {
            self.stage(io, &frontend::flush)?;
            self.send(io)?;
            self.take_batch(io, batch)?;
        }
        let written = self.check_params(sql, item).and_then(|()| {
            self.stage(io, &|w| {
                bind(w, sql, item)?;
                frontend::execute(w)
            })
        });
        batch.waiting = batch.waiting.saturating_add(1);
        match written {
            Err(fault) if fault.is_unsendable() => Err(self.take_back(io, fault)),
            Err(Fault::TORN) if !self.link.has_sent() => Err(self.take_back(io, Fault::TORN)),
            written => written,
        }
    }

    /// An item cannot be sent: makes the server forget those that were.
    #[cold]
    pub(crate) fn take_back(&mut self, io: &mut Lent<'_>, fault: Fault) -> Fault {
        self.unsynced = false;
        if !self.link.has_sent() {
            return fault;
        }
        let taken_back = self
            .stage(io, &|w| {
                frontend::execute_nothing(w)?;
                frontend::sync(w)
            })
            .and_then(|()| self.send(io))
            .and_then(|()| self.finish_answer(io));
        self.taken_back = taken_back.is_ok();
        taken_back.err().unwrap_or(fault)
    }

    /// Takes the answers to the items that wait for them.
    fn take_batch(&mut self, io: &mut Lent<'_>, batch: &mut Batch) -> Result<(), Fault> {
        if core::mem::take(&mut batch.parse) {
            self.expect(io, tag::PARSE_COMPLETE)?;
        }
        while batch.waiting > 0 {
            self.expect(io, tag::BIND_COMPLETE)?;
            self.executed(io)?;
            batch.rows = batch.rows.saturating_add(self.rows);
            batch.waiting = batch.waiting.saturating_sub(1);
            self.batch_done = self.batch_done.saturating_add(1);
        }
        Ok(())
    }
}

/// Where a batch stands.
struct Batch {
    rows: u64,
    /// Items sent whose answers were not read.
    waiting: u16,
    /// ParseComplete was not read yet.
    parse: bool,
}

pub(crate) fn parse(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    params: &dyn Params,
) -> Result<(), WireError> {
    let Some(text) = sql.text() else { return Ok(()) };
    let count = params.count();
    frontend::parse(w, frontend::UNNAMED, text, count, &|w| {
        (0..count).try_for_each(|i| w.u32(params.oid(i)))
    })
}

pub(crate) fn bind(w: &mut Writer<'_>, sql: Sql<'_>, params: &dyn Params) -> Result<(), WireError> {
    frontend::bind(w, sql.name(&mut [0; 6]), params.count(), &|w| params.values(w))
}
