//! Running statements: the extended protocol in one round trip, and simple queries.

use crate::connection::Connection;
use crate::engine::{Ending, NameHash, ResultState, Session, TransactionStatus};
use crate::error::{Fault, Result, UsageError};
use crate::transport::{Lent, lent};
use crate::verbs::in_line;
use crate::verbs::params::{Given, Params, erased, parameters, sent_as};
use crate::verbs::row::Row;
use crate::verbs::rows::Rows;
use crate::verbs::sql::{Execution, Run, Source, Sql};
use crate::wire::backend::tag;
use crate::wire::{WireError, Writer, frontend};

impl<'b> Connection<'_, 'b> {
    /// Runs a statement and returns its rows: `query("select … where id = $1", (7_i32,))`.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let mut rows = conn.query("select id, name from recipe where line = $1", (3,))?;
    /// while let Some(row) = rows.next()? {
    ///     let (id, name): (i32, Option<&str>) = row.decode()?;
    /// #   let _ = (id, name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::outcome`](crate::Error::outcome) says what is known of the work,
    /// [`Error::is_usable`](crate::Error::is_usable) whether the connection lives on: it does after a
    /// refusal ([`ErrorKind::Server`](crate::ErrorKind::Server), but for FATAL), a result that does not fit
    /// ([`ErrorKind::Capacity`](crate::ErrorKind::Capacity)), a call that does not
    /// ([`ErrorKind::Usage`](crate::ErrorKind::Usage)), and where nothing was sent
    /// ([`ErrorKind::EarlierStatement`](crate::ErrorKind::EarlierStatement), mostly Encode).
    pub fn query<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        params: P,
    ) -> Result<Rows<'_, 'b>> {
        let execution = &mut Execution::new(sql.into(), erased!(params), true);
        match self.session.query(&mut lent(&mut self.io), execution) {
            Ok(()) => Ok(Rows::new(self.session, lent(&mut self.io))),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Runs a statement that returns exactly one row.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let level: f32 = conn.query_one("select level from tank where id = $1", (4,))?.get(0)?;
    /// # let _ = level;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query); [`UsageError::NoRows`]: the statement ran. [`UsageError::TooManyRows`]:
    /// it goes on, and the next call says if it fails. The connection is usable.
    pub fn query_one<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        params: P,
    ) -> Result<Row<'_>> {
        let execution = &mut Execution::new(sql.into(), erased!(params), true);
        match self.session.query_only(&mut lent(&mut self.io), execution) {
            Ok(()) => Ok(Row::new(&self.session.link)),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Runs a statement that returns one row or none.
    ///
    /// # Errors
    /// As [`query_one`](Self::query_one).
    pub fn query_opt<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        params: P,
    ) -> Result<Option<Row<'_>>> {
        let execution = &mut Execution::new(sql.into(), erased!(params), true);
        match self.session.query_only(&mut lent(&mut self.io), execution) {
            Ok(()) => Ok(Some(Row::new(&self.session.link))),
            Err(fault) if fault == UsageError::NoRows.into() => Ok(None),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Runs a statement and returns how many rows it touched. Rows it returns are dropped.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let rows = conn.execute("update tank set level = $2 where id = $1", (4, 17.5_f32))?;
    /// if rows == 0 { /* there is no such tank */ }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn execute<'q, P: Params>(&mut self, sql: impl Into<Sql<'q>>, params: P) -> Result<u64> {
        let execution = &mut Execution::new(sql.into(), erased!(params), false);
        match self.session.execute(&mut lent(&mut self.io), execution) {
            Ok(()) => Ok(self.session.rows()),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Runs one or more statements without parameters, as text, and returns their results as
    /// text. Several statements are one transaction unless they say otherwise.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn simple_query(&mut self, sql: &str) -> Result<Rows<'_, 'b>> {
        match self.session.begin_simple(&mut lent(&mut self.io), sql) {
            Ok(true) => Ok(Rows::new(self.session, lent(&mut self.io))),
            Ok(false) => {
                let mut rows = Rows::new(self.session, lent(&mut self.io));
                rows.next_result()?;
                Ok(rows)
            }
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Runs one or more statements without parameters, as `simple_query` does; their rows are dropped.
    ///
    /// # Errors
    /// As [`query`](Self::query); of a COPY from here, which is made to fail, SQLSTATE 57014.
    pub fn batch_execute(&mut self, sql: &str) -> Result<()> {
        let io = &mut lent(&mut self.io);
        let session = &mut *self.session;
        let result = session
            .simple_query(io, sql)
            .and_then(|()| session.read_answer(io, sql.trim_ascii().is_empty()));
        result.map_err(|fault| session.into_error(fault))
    }

    /// One round trip that touches nothing: does the server still answer?
    ///
    /// # Errors
    /// The connection is dead after every error but
    /// [`ErrorKind::EarlierStatement`](crate::ErrorKind::EarlierStatement), and a cancel request that came late
    /// ([`SqlState::QUERY_CANCELED`](crate::SqlState::QUERY_CANCELED)).
    pub fn ping(&mut self) -> Result<()> {
        let io = &mut lent(&mut self.io);
        let session = &mut *self.session;
        let result = session.begin(io).and_then(|()| session.command(io, &[""], false));
        result.map_err(|fault| session.into_error(fault))
    }
}

impl Session<'_> {
    /// Runs a statement and gets ready to read its rows.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn query<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
    ) -> Result<(), Fault> {
        self.begin_and_send(io, execution)?;
        self.bind_or_again(io, execution)?;
        self.described_unless_known(io, execution)
    }

    /// Runs a statement that returns one row, which is then what was taken last.
    /// [`UsageError::NoRows`]: there is none.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn query_only<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
    ) -> Result<(), Fault> {
        self.begin_and_send(io, execution)?;
        if self.is_answered(io, &execution.sql, execution.run, true)? {
            return Ok(());
        }
        self.bind_or_again(io, execution)?;
        self.described_unless_known(io, execution)?;
        self.find_only(io)
    }

    /// Runs a statement and discards its rows.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn execute<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
    ) -> Result<(), Fault> {
        // Before the execution is handed on: where text is given, it is known when compiling.
        let sql = execution.sql;
        self.begin_and_send(io, execution)?;
        if self.is_answered(io, &sql, execution.run, false)? {
            return Ok(());
        }
        self.bind_or_again(io, execution)?;
        self.executed(io)?;
        self.expect_ready(io)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn begin_and_send<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
    ) -> Result<(), Fault> {
        self.begin_statement(io, execution)?;
        self.send_statement(io, execution)
    }

    /// The description of the rows, if it was asked for.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn described_unless_known<P: ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &Execution<'_, P>,
    ) -> Result<(), Fault> {
        match execution.run {
            Run::Described => Ok(()),
            _ => self.described(io, execution.sql.hash()),
        }
    }

    /// Takes the answers to Parse and Bind. A statement that the server does not know by its name
    /// any more is prepared anew and sent again, as long as nothing is lost by that.
    #[inline(never)]
    fn bind_or_again<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
    ) -> Result<(), Fault> {
        match self.bound(io, &execution.sql, execution.run) {
            Ok(()) => Ok(()),
            Err(fault) => self.bind_again(io, execution, fault),
        }
    }

    #[cold]
    fn bind_again<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
        fault: Fault,
    ) -> Result<(), Fault> {
        let Execution { sql, params, ref mut run, rows } = *execution;
        match sql.0 {
            Source::Named(statement) => {
                statement.run_again(self, io, params.erased(), (run, rows), fault)
            }
            Source::Text(_) => Err(fault),
        }
    }

    /// Receives where nothing has arrived, and says whether that was the whole answer, with one row
    /// if `row`. On bare targets through the table of the statement, so that it is linked only
    /// where there are statements with a name.
    #[inline]
    fn is_answered(
        &mut self,
        io: &mut Lent<'_>,
        sql: &Sql<'_>,
        run: Run,
        row: bool,
    ) -> Result<bool, Fault> {
        match sql.0 {
            Source::Named(statement) if run.is_answered_at_once(row) => {
                if cfg!(target_os = "none") {
                    statement.answer_at_once(self, io, row)?;
                } else {
                    self.answer_at_once(io, row)?;
                }
                Ok(!self.exchange.owes())
            }
            _ => Ok(false),
        }
    }

    /// Sends a simple query; whether the first result is one with rows, and described. On bare
    /// targets that is found out later.
    fn begin_simple(&mut self, io: &mut Lent<'_>, sql: &str) -> Result<bool, Fault> {
        self.simple_query(io, sql)?;
        if cfg!(target_os = "none") {
            return Ok(false);
        }
        self.link.receive_first(io)?;
        self.describe_at_once(NameHash::NONE)
    }

    /// Sends a simple query.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn simple_query(&mut self, io: &mut Lent<'_>, sql: &str) -> Result<(), Fault> {
        self.begin(io)?;
        if self.ledger.status() != TransactionStatus::Idle {
            self.note_ending(Ending::of_many(sql));
        }
        self.result = ResultState::Start;
        self.stage(io, &|w| frontend::query(w, sql))?;
        self.exchange.query_sent();
        self.send(io)
    }

    /// Starts a verb that runs a statement, and finds out how it is run.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn begin_statement<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &mut Execution<'_, P>,
    ) -> Result<(), Fault> {
        let Execution { sql, params, ref mut run, rows } = *execution;
        match sql.0 {
            Source::Text(_) => self.begin(io)?,
            Source::Named(statement) => statement.begin(self, io, params.erased(), (run, rows))?,
        }
        #[cfg(feature = "opengauss")]
        if self.link.rules.is_gauss() && params.count() > 0 {
            self.learn(io, sql, run, params.erased())?;
        }
        self.note_statement(&execution.sql);
        Ok(())
    }

    /// What a statement that is about to be sent may do to an open transaction.
    #[inline]
    pub(crate) fn note_statement(&mut self, sql: &Sql<'_>) {
        if self.ledger.status() != TransactionStatus::Idle {
            self.note_ending(Ending::of(sql.text(), false));
        }
    }

    /// Parse, Bind, Describe, Execute, Sync: one write.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn send_statement<P: Given + ?Sized>(
        &mut self,
        io: &mut Lent<'_>,
        execution: &Execution<'_, P>,
    ) -> Result<(), Fault> {
        self.stage_inline(io, |w| in_line::statement(w, execution), execution)?;
        self.exchange.sync_sent();
        self.send(io)
    }

    /// CloseComplete, ParseComplete and BindComplete, as far as they were asked for.
    #[inline]
    pub(crate) fn bound(
        &mut self,
        io: &mut Lent<'_>,
        sql: &Sql<'_>,
        run: Run,
    ) -> Result<(), Fault> {
        if !run.is_known() {
            self.parsed(io, sql, run)?;
        }
        self.expect_empty(io, tag::BIND_COMPLETE)
    }

    fn parsed(&mut self, io: &mut Lent<'_>, sql: &Sql<'_>, run: Run) -> Result<(), Fault> {
        if run == Run::Anew {
            self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        }
        self.expect_empty(io, tag::PARSE_COMPLETE)?;
        if let (Run::Anew, Source::Named(statement)) = (run, sql.0) {
            statement.prepared(self);
        }
        Ok(())
    }
}

/// Parse, where the statement is not known to the server by name.
pub(crate) fn parse(
    w: &mut Writer<'_>,
    sql: &Sql<'_>,
    params: &dyn Params,
    run: Run,
) -> Result<(), WireError> {
    match (sql.0, run) {
        (Source::Text(text), _) => {
            frontend::parse(w, frontend::UNNAMED, text, move |w: &mut Writer<'_>| {
                let count = params.count();
                w.count(count)?;
                (0..count).try_for_each(|i| w.u32(sent_as(i, params.oid(i), w.rules())))
            })
        }
        (Source::Named(_), Run::Named | Run::Described) => Ok(()),
        (Source::Named(statement), Run::Anew) => statement.parse(w),
        (Source::Named(statement), Run::Text) => statement.parse_with(w, params),
    }
}

/// Bind to the unnamed portal.
pub(crate) fn bind<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    sql: &Sql<'_>,
    params: &P,
    run: Run,
) -> Result<(), WireError> {
    frontend::bind_unnamed(w, sql.name(run), &|w: &mut Writer<'_>| parameters(w, params))
}
