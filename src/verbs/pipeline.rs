//! Pipelines: several different statements in one round trip.

use crate::connection::Connection;
use crate::engine::{Ending, NameHash, Session, may_commit_and_fail};
use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::transport::{Lent, lent};
use crate::verbs::in_line;
use crate::verbs::params::{Params, erased};
use crate::verbs::query::{bind, parse};
use crate::verbs::rows::{PartOf, Rows};
use crate::verbs::sql::{Run, Sql};
use crate::wire::backend::tag;
use crate::wire::{WireError, Writer, frontend};

/// Several statements that are sent together and answered together: one round trip.
///
/// ```no_run
/// # fn f(conn: &mut barepg::Connection) -> barepg::Result<()> {
/// let mut pipeline = conn.pipeline()?;
/// pipeline.execute("insert into log values ($1)", (7_i32,))?;
/// pipeline.execute("update state set last = $1", (7_i32,))?;
/// pipeline.execute("select count(*) from log", ())?;
/// while let Some(mut rows) = pipeline.next()? {
///     while let Some(row) = rows.next()? {
///         let (count,): (i64,) = row.decode()?;
/// #       let _ = count;
///     }
/// }
/// # Ok(()) }
/// ```
///
/// Outside of a transaction the pipeline is one: all statements take effect, or none, and nothing
/// is certain before [`next`](Self::next) has returned `None` or [`finish`](Self::finish) has
/// returned. [`Connection::batch_done`](crate::Connection::batch_done) is then how many statements
/// succeeded: after an error the index of the statement that was refused, or their number when the
/// commit itself was.
///
/// A pipeline that is dropped before its results were asked for is abandoned: outside of a
/// transaction nothing of it is kept, but for what its statements commit by themselves (COMMIT, CALL,
/// DO and others); within one the transaction fails.
///
/// Answers wait in the link's buffers until all statements are sent, so statements in a pipeline
/// should return few rows and raise few notices.
#[must_use = "nothing is certain before finish()"]
pub struct Pipeline<'r, 'b> {
    session: &'r mut Session<'b>,
    io: Lent<'r>,
    waiting: u16,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Statements are added.
    Filling,
    /// Sent; the next statement's answer comes next.
    Answers,
    /// A statement's rows were lent out.
    Lent,
    Done,
}

impl<'b> Connection<'_, 'b> {
    /// Begins a pipeline: several different statements in one round trip, see [`Pipeline`].
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let mut pipeline = conn.pipeline()?; // one round trip for both
    /// pipeline.execute("insert into event values ($1, $2)", (1, "on"))?;
    /// pipeline.execute("update lamp set lit = $1", (true,))?;
    /// let rows = pipeline.finish()?;
    /// # let _ = rows;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn pipeline(&mut self) -> Result<Pipeline<'_, 'b>> {
        let (session, mut io) = (&mut *self.session, lent(&mut self.io));
        match session.begin_pipeline(&mut io) {
            Ok(()) => {
                session.batch_done = 0;
                Ok(Pipeline { session, io, waiting: 0, state: State::Filling })
            }
            Err(fault) => Err(session.into_error(fault)),
        }
    }
}

impl<'b> Pipeline<'_, 'b> {
    /// Adds a statement, of which rows may be wanted or not. It is sent when the send buffer is
    /// full, or with the first call of [`next`](Self::next) or [`finish`](Self::finish).
    ///
    /// Prepared statements go as text too: so they do not depend on what a pooler's server has
    /// prepared.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode),
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage): the statement was left out, the pipeline is as
    /// before. [`UsageError::PipelineFull`]: it has [`limits::PIPELINE_WINDOW`] statements, or its
    /// results were asked for. After any other error the connection is dead.
    pub fn execute<'q, P: Params>(&mut self, sql: impl Into<Sql<'q>>, params: P) -> Result<()> {
        self.add(sql.into(), erased!(params))
    }

    /// The answer to the next statement, in the order in which they were added; `None` when all
    /// were answered and the work is committed. The first call sends what is left. Rows of the one
    /// before that were not read are dropped.
    ///
    /// # Errors
    /// As [`Connection::query`](crate::Connection::query). After an error there are no further
    /// answers.
    #[allow(clippy::should_implement_trait, reason = "a lending iterator cannot be an Iterator")]
    pub fn next(&mut self) -> Result<Option<Rows<'_, 'b>>> {
        self.session.check_ended()?;
        match self.advance() {
            Ok(()) if self.state == State::Lent => {
                let mut rows = Rows::new(self.session, self.io.again());
                rows.part = PartOf::Pipeline;
                Ok(Some(rows))
            }
            Ok(()) => Ok(None),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Sends what is left and reads all answers, dropping rows. Returns how many rows the
    /// statements touched, all together.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn finish(mut self) -> Result<u64> {
        let mut total = 0_u64;
        while let Some(rows) = self.next()? {
            total = total.saturating_add(rows.finish()?);
            #[cfg(not(target_os = "none"))]
            {
                total = total.saturating_add(self.finish_at_once());
            }
        }
        Ok(total)
    }

    /// After the rows of a statement: takes the answers that follow, as far as they have arrived and
    /// are those of statements that return no rows. Returns how many rows they touched.
    #[cfg(not(target_os = "none"))]
    fn finish_at_once(&mut self) -> u64 {
        let (statements, rows) = self.session.items_at_once(self.waiting, true);
        self.waiting = self.waiting.saturating_sub(statements);
        let done = &mut self.session.batch_done;
        *done = done.saturating_add(statements.into());
        rows
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn add<P: Params + ?Sized>(&mut self, sql: Sql<'_>, params: &P) -> Result<()> {
        self.session.check_ended()?;
        let staged = self.stage(sql, params);
        let session = &mut *self.session;
        staged.map_err(|fault| {
            // Statements before it may have been sent; this one was not, not in part either.
            if fault.is_unsendable() { session.left_out(fault) } else { session.into_error(fault) }
        })
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn stage<P: Params + ?Sized>(&mut self, sql: Sql<'_>, params: &P) -> Result<(), Fault> {
        let session = &mut *self.session;
        session.exchange.check()?;
        if self.state != State::Filling || self.waiting >= limits::PIPELINE_WINDOW {
            return Err(UsageError::PipelineFull.into());
        }
        let known = in_line::known(session, sql, params);
        let text = match known {
            Some((text, _)) => text,
            None => {
                session.check_item(sql, &params)?;
                sql.text()
            }
        };
        let ending = session.note_part_of_batch(text);
        if cfg!(target_os = "none") {
            session.link.limit(session.timeout_ms);
        }
        let before = (session.link.stats.bytes_out, session.link.staged());
        let part = |w: &mut Writer<'_>| {
            parse(w, &sql, &params, Run::Text)?;
            bind(w, &sql, params, Run::Text)?;
            frontend::describe_portal(w)?;
            frontend::execute(w)
        };
        let inline = |w: &mut Writer<'_>| in_line::piped(w, sql, known, params);
        let staged = session.stage_part_of_batch(&mut self.io, inline, &part, true);
        if session.link.has_sent() {
            // Dropped before anything was sent, nothing is owed.
            session.exchange.set_unfinished(Some(abandon));
        }
        staged?;
        if session.link.has_sent_beyond(before) {
            // No message may be sent in part when the pipeline is dropped.
            session.send_on(&mut self.io)?;
        }
        if ending != Ending::NO && may_commit_and_fail(text) {
            session.ledger.may_commit();
        }
        self.waiting = self.waiting.saturating_add(1);
        Ok(())
    }

    /// Moves to the next answer, if there is one: then its rows are lent.
    fn advance(&mut self) -> Result<(), Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        // A row of the statement before was, as who decoded it found. A link that has ended has an error.
        if session.link.malformed.get() {
            return Err(WireError::Malformed.into());
        }
        match self.state {
            State::Filling => {
                self.state = State::Answers;
                session.exchange.set_unfinished(None);
                session.link.limit(session.timeout_ms);
                session.send_sync(io)?;
            }
            State::Answers => {}
            State::Lent => {
                if session.result.is_open() {
                    session.executed(io)?;
                }
                session.batch_done = session.batch_done.saturating_add(1);
                self.state = State::Answers;
            }
            State::Done => return Ok(()),
        }
        let Some(waiting) = self.waiting.checked_sub(1) else {
            self.state = State::Done;
            return session.expect_ready(io);
        };
        self.waiting = waiting;
        session.set_rows(0);
        session.expect_empty(io, tag::PARSE_COMPLETE)?;
        session.expect_empty(io, tag::BIND_COMPLETE)?;
        self.state = State::Lent;
        session.described(io, NameHash::NONE)
    }
}

impl Session<'_> {
    fn begin_pipeline(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.begin(io)?;
        #[cfg(feature = "opengauss")]
        if self.link.rules.is_gauss() {
            // There is no asking later on.
            self.link.rules.forget_bytes();
            self.learn_what_empty_is(io)?;
        }
        Ok(())
    }
}

/// Makes the server abort what was sent of an abandoned pipeline. Sync follows.
fn abandon(session: &mut Session<'_>, io: &mut Lent<'_>) -> Result<(), Fault> {
    session.stage(io, &frontend::execute_nothing)
}

impl core::fmt::Debug for Pipeline<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pipeline").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}
