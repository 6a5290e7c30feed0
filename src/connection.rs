//! A session: what the user works with.

use crate::cancel::CancelToken;
use crate::copy::{CopyIn, CopyOut};
use crate::error::{Error, ErrorKind, Result, ServerError, UsageError};
use crate::framed::Stats;
use crate::link::Link;
use crate::notify::Notification;
use crate::params::Params;
use crate::pipeline::Pipeline;
use crate::row::Row;
use crate::rows::Rows;
use crate::session::{Life, Session, TransactionStatus};
use crate::statement::{Source, Sql, Statement};
use crate::transaction::{Transaction, TransactionBuilder};
use crate::transport::lent;
use crate::types::Oid;
use embedded_io::{Read, Write};

/// One session with a server, over a transport it owns. Everything else is borrowed from the
/// [`Client`](crate::Client) and free again when the connection is dropped.
///
/// Statements run in autocommit mode unless a [`transaction`](Self::transaction) is open. Each
/// verb takes one round trip and ends within the deadline
/// ([`set_timeout_ms`](Self::set_timeout_ms)). Dropping a connection sends nothing; the server
/// notices when the transport closes. [`close`](Self::close) says goodbye in order.
pub struct Connection<'c, 'b, T: Read + Write> {
    pub(crate) session: &'c mut Session<'b>,
    pub(crate) transport: Link<'c, T>,
}

impl<'c, 'b, T: Read + Write> Connection<'c, 'b, T> {
    pub(crate) const fn new(session: &'c mut Session<'b>, transport: Link<'c, T>) -> Self {
        Self { session, transport }
    }

    /// Runs a statement and returns its rows: `query("select … where id = $1", (7_i32,))`.
    ///
    /// # Errors
    /// [`ErrorKind::Server`]: refused, no effect, connection usable. [`ErrorKind::Capacity`]: the
    /// column descriptions do not fit the receive buffer; connection usable.
    /// [`ErrorKind::Encode`], [`ErrorKind::Usage`]: nothing was sent. After anything else the
    /// connection is dead, and [`Error::outcome`] says what is known of the work.
    pub fn query<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        params: P,
    ) -> Result<Rows<'_, 'b>> {
        let mut prepared = None;
        let sql = self.ready(sql.into(), &mut prepared)?;
        match self.session.query(&mut lent(&mut self.transport), sql, &params) {
            Ok(()) => Ok(Rows::new(self.session, lent(&mut self.transport))),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    /// Runs a statement that returns exactly one row.
    ///
    /// # Errors
    /// As [`query`](Self::query); [`UsageError::NoRows`], [`UsageError::TooManyRows`]: the
    /// statement ran, the connection is usable.
    pub fn query_one<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        params: P,
    ) -> Result<Row<'_>> {
        let row = self.query_opt(sql, params)?;
        row.ok_or(Error::local(ErrorKind::Usage(UsageError::NoRows)))
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
        self.query(sql, params)?.only()
    }

    /// Runs a statement and returns how many rows it touched. Rows it returns are dropped.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn execute<'q, P: Params>(&mut self, sql: impl Into<Sql<'q>>, params: P) -> Result<u64> {
        let mut prepared = None;
        let sql = self.ready(sql.into(), &mut prepared)?;
        match self.session.execute(&mut lent(&mut self.transport), sql, &params) {
            Ok(()) => Ok(self.session.rows),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    /// Runs a statement once for every item, all in one batch: one round trip for up to
    /// [`limits::PIPELINE_WINDOW`](crate::limits::PIPELINE_WINDOW) items. Outside of a
    /// transaction the batch is one of its own: all items take effect or none. Returns how many
    /// rows were touched.
    ///
    /// # Errors
    /// As [`query`](Self::query). [`batch_done`](Self::batch_done) is the index of the item that
    /// was refused.
    pub fn execute_many<'q, P: Params>(
        &mut self,
        sql: impl Into<Sql<'q>>,
        items: impl IntoIterator<Item = P>,
    ) -> Result<u64> {
        let mut prepared = None;
        let sql = self.ready(sql.into(), &mut prepared)?;
        let (io, mut items) = (&mut lent(&mut self.transport), items.into_iter());
        let result = self.session.execute_many(io, sql, &mut items);
        result.map_err(|fault| self.session.verdict(fault))
    }

    /// How many items of the last [`execute_many`](Self::execute_many) the server answered.
    pub const fn batch_done(&self) -> u32 {
        self.session.batch_done
    }

    /// Runs one or more statements without parameters, as text, and returns their results as
    /// text. Several statements are one transaction unless they say otherwise.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn simple_query(&mut self, sql: &str) -> Result<Rows<'_, 'b>> {
        let sent = self.session.simple_query(&mut lent(&mut self.transport), sql);
        sent.map_err(|fault| self.session.verdict(fault))?;
        let mut rows = Rows::new(self.session, lent(&mut self.transport));
        rows.next_result()?;
        Ok(rows)
    }

    /// Runs one or more statements without parameters; their rows are dropped.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn batch_execute(&mut self, sql: &str) -> Result<()> {
        let result = self.session.command(&mut lent(&mut self.transport), sql);
        result.map_err(|fault| self.session.verdict(fault))
    }

    /// Begins a COPY into a table: `copy_in("copy t from stdin with (format binary)")`. One round
    /// trip; the data follow through the guard.
    ///
    /// # Errors
    /// As [`query`](Self::query). [`UsageError::NotCopy`]: the statement was another one, and was
    /// run.
    pub fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_, 'b>> {
        CopyIn::start(self.session, lent(&mut self.transport), sql)
    }

    /// Begins a COPY out of a table: `copy_out("copy t to stdout")`.
    ///
    /// # Errors
    /// As [`copy_in`](Self::copy_in).
    pub fn copy_out(&mut self, sql: &str) -> Result<CopyOut<'_, 'b>> {
        CopyOut::start(self.session, lent(&mut self.transport), sql)
    }

    /// Prepares a statement. `types` are the parameters' types (see
    /// [`types::oid`](crate::types::oid)); those not given, or 0, the server infers.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn prepare(&mut self, sql: &str, types: &[Oid]) -> Result<Statement> {
        let result = self.session.prepare(&mut lent(&mut self.transport), sql, types);
        result.map_err(|fault| self.session.verdict(fault))
    }

    /// Makes the server forget a prepared statement.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn close_statement(&mut self, statement: &Statement) -> Result<()> {
        let result = self.session.close_statement(&mut lent(&mut self.transport), statement);
        result.map_err(|fault| self.session.verdict(fault))
    }

    /// Begins a pipeline: several different statements in one round trip, see [`Pipeline`].
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn pipeline(&mut self) -> Result<Pipeline<'_, 'b>> {
        Pipeline::start(self.session, lent(&mut self.transport))
    }

    /// As [`transaction`](Self::transaction), with an isolation level and other properties:
    /// `conn.build_transaction().isolation_level(IsolationLevel::Serializable).start()`.
    pub const fn build_transaction(&mut self) -> TransactionBuilder<'_, 'c, 'b, T> {
        TransactionBuilder::new(self)
    }

    /// Opens a transaction. The guard it returns is used like the connection, and rolls back
    /// unless it is committed.
    ///
    /// # Errors
    /// As [`query`](Self::query). [`UsageError::InTransaction`]: one is open already.
    pub fn transaction(&mut self) -> Result<Transaction<'_, 'c, 'b, T>> {
        Transaction::begin(self)
    }

    /// Waits for a notification of a channel that was subscribed to
    /// (`batch_execute("listen commands")`), at most `timeout_ms`. `None`: nothing yet, the
    /// connection stays usable. 0 only looks whether one has arrived.
    ///
    /// Those that arrived during other verbs come first, if they were kept
    /// ([`Client::set_notification_queue`](crate::Client::set_notification_queue)). Within an open
    /// transaction the server delivers none.
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`]: a notification was larger than the
    /// receive buffer and was skipped; connection usable. After any other error the connection is
    /// dead: connect again, and `listen` again.
    pub fn wait_notification(&mut self, timeout_ms: u32) -> Result<Option<Notification<'_>>> {
        self.session.wait_notification(&mut lent(&mut self.transport), timeout_ms)
    }

    /// One round trip that touches nothing: does the server still answer?
    ///
    /// # Errors
    /// The connection is dead after every error.
    pub fn ping(&mut self) -> Result<()> {
        let result = self.session.ping(&mut lent(&mut self.transport));
        result.map_err(|fault| self.session.verdict(fault))
    }

    /// Prepares a statement in flash, if it is one and has a place. Costs nothing where the kind of
    /// statement is known when compiling.
    #[inline(always)]
    pub(crate) fn ready<'q>(
        &mut self,
        sql: Sql<'q>,
        prepared: &'q mut Option<Statement>,
    ) -> Result<Sql<'q>> {
        let Source::Static(statement) = sql.0 else { return Ok(sql) };
        match self.session.prepare_static(&mut lent(&mut self.transport), statement) {
            Ok(Some(statement)) => Ok(Sql::from(&*prepared.insert(statement))),
            Ok(None) => Ok(sql),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    /// Brings the session back to how it was after the login: rolls back an open transaction,
    /// forgets prepared statements, parameters set, `listen`, temporary tables, advisory locks
    /// (`DISCARD ALL`). openGauss has no `DISCARD`: there it is cursors, statements, parameters
    /// and advisory locks, and temporary tables stay.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn reset(&mut self) -> Result<()> {
        let result = self.session.discard(&mut lent(&mut self.transport));
        result.map_err(|fault| self.session.verdict(fault))
    }

    /// Says goodbye and returns the transport, still open.
    ///
    /// # Errors
    /// When the goodbye could not be sent; the server then notices when the transport closes. An
    /// open transaction is rolled back in either case.
    pub fn close(mut self) -> Result<T> {
        match self.session.goodbye(&mut lent(&mut self.transport)) {
            Ok(()) => Ok(self.transport.close()),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    /// The transport, without a goodbye.
    pub fn into_inner(self) -> T {
        self.session.life = Life::None;
        self.transport.close()
    }

    /// What the server said with the last error: message, detail, hint, position. There until
    /// the next call.
    pub fn server_error(&self) -> Option<ServerError<'_>> {
        self.session.server_error()
    }

    /// Whether the connection can be used. When false: drop it and connect again.
    pub fn is_usable(&self) -> bool {
        self.session.life == Life::Alive
    }

    /// The server's view of the transaction after the last finished verb.
    pub const fn transaction_status(&self) -> TransactionStatus {
        self.session.transaction
    }

    /// Deadline of each verb from now on, in milliseconds. Default:
    /// [`limits::DEFAULT_TIMEOUT_MS`](crate::limits::DEFAULT_TIMEOUT_MS). For [`Rows`] it counts
    /// from the statement on and holds for all of its rows.
    pub const fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.session.timeout_ms = timeout_ms;
    }

    /// Whether the session goes over TLS; libpq's `PQsslInUse`.
    pub const fn ssl_in_use(&self) -> bool {
        self.session.server.encrypted
    }

    /// The server's version as libpq counts it (150018 is 15.18), 0 while unknown. openGauss says
    /// 90204.
    pub const fn server_version(&self) -> u32 {
        self.session.server.version
    }

    /// Whether the server is openGauss.
    pub const fn is_opengauss(&self) -> bool {
        self.session.server.is_opengauss()
    }

    /// `in_hot_standby` as the server last reported it: whether it is a standby. `None` where it
    /// is not reported (PostgreSQL before 14, openGauss).
    pub const fn in_hot_standby(&self) -> Option<bool> {
        self.session.server.in_hot_standby
    }

    /// `default_transaction_read_only` as the server last reported it, `None` where it is not
    /// reported. Other parameters go to the handler of
    /// [`Client::set_event_handler`](crate::Client::set_event_handler).
    pub const fn default_transaction_read_only(&self) -> Option<bool> {
        self.session.server.read_only
    }

    /// What it takes to cancel this session's statements from elsewhere; `None` when the server
    /// gave no key, or one longer than [`limits::CANCEL_KEY`](crate::limits::CANCEL_KEY).
    pub fn cancel_token(&self) -> Option<CancelToken> {
        CancelToken::new(self.session.server, self.session.place)
    }

    /// Process number of the backend (openGauss: index of the session).
    pub const fn backend_pid(&self) -> u32 {
        self.session.server.pid
    }

    /// What went over all links of this client so far.
    pub const fn stats(&self) -> Stats {
        self.session.link.stats
    }
}
