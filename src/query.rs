//! Running statements: the extended protocol in one round trip, simple queries, batches.

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::limits;
use crate::params::Params;
use crate::rows::Rows;
use crate::session::Session;
use crate::statement::Sql;
use crate::transport::Io;
use crate::wire::backend::tag;
use crate::wire::{WireError, Writer, frontend};

impl<'b> Session<'b> {
    /// Runs a statement and gets ready to read its rows.
    pub(crate) fn query<'r>(
        &'r mut self,
        io: &'r mut (dyn Io + 'r),
        sql: Sql<'_>,
        params: &dyn Params,
    ) -> Result<Rows<'r, 'b>> {
        self.send_statement(io, sql, params, true)?;
        self.bound(io, sql)?;
        let columns = match self.next(io).map_err(|kind| self.fail(kind))? {
            tag::ROW_DESCRIPTION => self.describe(io).map_err(|kind| self.fail(kind))?,
            tag::NO_DATA => 0,
            tag::ERROR_RESPONSE => return Err(self.refused(io)),
            other => return Err(self.unexpected(io, other)),
        };
        Ok(Rows::new(self, io, columns))
    }

    /// Runs a statement whose rows nobody wants; returns how many it touched.
    pub(crate) fn execute(
        &mut self,
        io: &mut dyn Io,
        sql: Sql<'_>,
        params: &dyn Params,
    ) -> Result<u64> {
        self.send_statement(io, sql, params, false)?;
        self.bound(io, sql)?;
        let rows = self.executed(io)?;
        self.expect_ready(io)?;
        Ok(rows)
    }

    /// Sends a simple query and gets ready to read its results.
    pub(crate) fn simple_query<'r>(
        &'r mut self,
        io: &'r mut (dyn Io + 'r),
        sql: &str,
    ) -> Result<Rows<'r, 'b>> {
        self.begin(io)?;
        self.extended = false;
        self.link
            .write(io, &|w| frontend::query(w, sql))
            .map_err(|kind| self.fail_sending(io, kind))?;
        self.send(io)?;
        let mut rows = Rows::new(self, io, 0);
        rows.next_result()?;
        Ok(rows)
    }

    /// Empty query: a round trip that touches nothing.
    pub(crate) fn ping(&mut self, io: &mut dyn Io) -> Result<()> {
        self.command(io, "").map(|_| ())
    }

    /// Parse (of text), Bind, Describe, Execute, Sync: one write.
    fn send_statement(
        &mut self,
        io: &mut dyn Io,
        sql: Sql<'_>,
        params: &dyn Params,
        describe: bool,
    ) -> Result<()> {
        self.begin(io)?;
        self.check_params(sql, params)?;
        self.extended = true;
        self.link
            .write(io, &|w| {
                parse(w, sql, params)?;
                bind(w, sql, params)?;
                if describe {
                    frontend::describe_portal(w)?;
                }
                frontend::execute(w)?;
                frontend::sync(w)
            })
            .map_err(|kind| self.fail_sending(io, kind))?;
        self.send(io)
    }

    fn check_params(&mut self, sql: Sql<'_>, params: &dyn Params) -> Result<()> {
        match sql {
            Sql::Text(_) => Ok(()),
            Sql::Prepared(statement) => statement
                .check(self.epoch, params)
                .map_err(|problem| self.fail(ErrorKind::Usage(problem))),
        }
    }

    /// ParseComplete (of text) and BindComplete.
    fn bound(&mut self, io: &mut dyn Io, sql: Sql<'_>) -> Result<()> {
        if let Sql::Text(_) = sql {
            self.expect(io, tag::PARSE_COMPLETE)?;
        }
        self.expect(io, tag::BIND_COMPLETE)
    }

    fn expect(&mut self, io: &mut dyn Io, expected: u8) -> Result<()> {
        match self.next(io).map_err(|kind| self.fail(kind))? {
            tag if tag == expected => Ok(()),
            tag::ERROR_RESPONSE => Err(self.refused(io)),
            other => Err(self.unexpected(io, other)),
        }
    }

    /// Reads over rows to the end of one Execute; returns CommandComplete's count.
    fn executed(&mut self, io: &mut dyn Io) -> Result<u64> {
        loop {
            match self.next(io).map_err(|kind| self.fail(kind))? {
                tag::DATA_ROW => self.link.skip(io).map_err(|kind| self.fail(kind))?,
                tag::COMMAND_COMPLETE => {
                    let tag = self.command_complete(io).map_err(|kind| self.fail(kind))?;
                    return Ok(tag.rows);
                }
                tag::EMPTY_QUERY_RESPONSE => return Ok(0),
                tag::ERROR_RESPONSE => return Err(self.refused(io)),
                other => return Err(self.unexpected(io, other)),
            }
        }
    }

    /// Parse once, then Bind and Execute for every item, then Sync: one round trip, plus one for
    /// every [`limits::PIPELINE_WINDOW`] items. Returns the rows touched; `batch_done` counts the
    /// items that were answered.
    pub(crate) fn execute_many<P: Params>(
        &mut self,
        io: &mut dyn Io,
        sql: Sql<'_>,
        items: &mut dyn Iterator<Item = P>,
    ) -> Result<u64> {
        self.begin(io)?;
        self.batch_done = 0;
        let Some(first) = items.next() else { return Ok(0) };
        self.start_batch(io, sql, &first)?;
        let mut batch = Batch { rows: 0, waiting: 0, parse: matches!(sql, Sql::Text(_)) };
        let mut next = Some(first);
        while let Some(item) = next {
            self.add_to_batch(io, sql, &item, &mut batch)?;
            next = items.next();
        }
        self.link.write(io, &frontend::sync).map_err(|kind| self.fail_sending(io, kind))?;
        self.unsynced = false;
        self.send(io)?;
        self.take_batch(io, &mut batch)?;
        self.expect_ready(io)?;
        Ok(batch.rows)
    }

    fn start_batch(&mut self, io: &mut dyn Io, sql: Sql<'_>, first: &dyn Params) -> Result<()> {
        self.check_params(sql, first)?;
        (self.extended, self.unsynced) = (true, true);
        self.link.write(io, &|w| parse(w, sql, first)).map_err(|kind| {
            self.unsynced = false;
            self.fail_sending(io, kind)
        })
    }

    fn add_to_batch(
        &mut self,
        io: &mut dyn Io,
        sql: Sql<'_>,
        item: &dyn Params,
        batch: &mut Batch,
    ) -> Result<()> {
        if batch.waiting >= limits::PIPELINE_WINDOW {
            self.link.write(io, &frontend::flush).map_err(|kind| self.fail_sending(io, kind))?;
            self.send(io)?;
            self.take_batch(io, batch)?;
        }
        let fits = match sql {
            Sql::Text(_) => Ok(()),
            Sql::Prepared(statement) => statement.check(self.epoch, item).map_err(ErrorKind::Usage),
        };
        let written = fits.and_then(|()| {
            self.link.write(io, &|w| {
                bind(w, sql, item)?;
                frontend::execute(w)
            })
        });
        batch.waiting = batch.waiting.saturating_add(1);
        match written {
            Ok(()) => Ok(()),
            Err(kind @ (ErrorKind::Encode(_) | ErrorKind::Usage(_))) => {
                Err(self.take_back(io, kind))
            }
            Err(kind) => Err(self.fail_sending(io, kind)),
        }
    }

    /// An item cannot be sent: makes the server forget those that were.
    fn take_back(&mut self, io: &mut dyn Io, kind: ErrorKind) -> Error {
        self.unsynced = false;
        if !self.link.has_sent() {
            return self.fail(kind);
        }
        let taken_back = self
            .link
            .write(io, &|w| {
                frontend::execute_nothing(w)?;
                frontend::sync(w)
            })
            .and_then(|()| {
                self.busy = true;
                self.link.flush(io)
            })
            .and_then(|()| self.finish_answer(io));
        match taken_back {
            Ok(()) => Error::new(kind, Outcome::Refused, true),
            Err(kind) => self.fail(kind),
        }
    }

    /// Takes the answers to the items that wait for them.
    fn take_batch(&mut self, io: &mut dyn Io, batch: &mut Batch) -> Result<()> {
        if core::mem::take(&mut batch.parse) {
            self.expect(io, tag::PARSE_COMPLETE)?;
        }
        while batch.waiting > 0 {
            self.expect(io, tag::BIND_COMPLETE)?;
            batch.rows = batch.rows.saturating_add(self.executed(io)?);
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

fn parse(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    params: &dyn Params,
) -> core::result::Result<(), WireError> {
    let Sql::Text(text) = sql else { return Ok(()) };
    let count = params.count();
    frontend::parse(w, None, text, count, &|w| (0..count).try_for_each(|i| w.u32(params.oid(i))))
}

fn bind(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    params: &dyn Params,
) -> core::result::Result<(), WireError> {
    let id = match sql {
        Sql::Text(_) => None,
        Sql::Prepared(statement) => Some(statement.id),
    };
    frontend::bind(w, id, params.count(), &|w| params.values(w))
}
