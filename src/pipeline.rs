//! Pipelines: several different statements in one round trip.

use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::params::Params;
use crate::query::{bind, parse};
use crate::rows::{PartOf, Rows};
use crate::session::Session;
use crate::statement::{Source, Sql, Statement};
use crate::transport::Lent;
use crate::wire::backend::tag;
use crate::wire::frontend;

/// Several statements that are sent together and answered together: one round trip.
///
/// ```no_run
/// # fn f<T: embedded_io::Read + embedded_io::Write>(conn: &mut barepg::Connection<'_, '_, T>)
/// # -> barepg::Result<()> {
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
/// transaction nothing of it is kept, within one the transaction fails.
///
/// Answers wait in the link's buffers until all statements are sent, so statements in a pipeline
/// should return few rows.
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

impl<'r, 'b> Pipeline<'r, 'b> {
    pub(crate) fn start(session: &'r mut Session<'b>, mut io: Lent<'r>) -> Result<Self> {
        match session.begin(&mut io) {
            Ok(()) => {
                session.batch_done = 0;
                Ok(Self { session, io, waiting: 0, state: State::Filling })
            }
            Err(fault) => Err(session.verdict(fault)),
        }
    }

    /// Adds a statement, of which rows may be wanted or not. It is sent when the send buffer is
    /// full, or with the first call of [`next`](Self::next) or [`finish`](Self::finish).
    ///
    /// A [`StaticStatement`](crate::StaticStatement) that the session has not used yet goes as
    /// text.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode),
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage): the statement was left out, the pipeline is as
    /// before. [`UsageError::PipelineFull`]: it has [`limits::PIPELINE_WINDOW`] statements, or its
    /// results were asked for. After any other error the connection is dead.
    pub fn execute<'q, P: Params>(&mut self, sql: impl Into<Sql<'q>>, params: P) -> Result<()> {
        self.add(sql.into(), &params)
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
        match self.advance() {
            Ok(()) if self.state == State::Lent => {
                let mut rows = Rows::new(self.session, self.io.again());
                rows.part = PartOf::Pipeline;
                Ok(Some(rows))
            }
            Ok(()) => Ok(None),
            Err(fault) => {
                self.state = State::Done;
                Err(self.session.verdict(fault))
            }
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
        }
        Ok(total)
    }

    fn add(&mut self, sql: Sql<'_>, params: &dyn Params) -> Result<()> {
        let mut known: Option<Statement> = None;
        let sql = match sql.0 {
            Source::Static(statement) => self
                .session
                .known_static(statement)
                .map_or(sql, |statement| Sql::from(&*known.insert(statement))),
            _ => sql,
        };
        let staged = self.stage(sql, params);
        let session = &mut *self.session;
        // Dropped before anything was sent, nothing is owed.
        if session.link.has_sent() {
            (session.busy, session.unsynced) = (true, true);
            session.unfinished = Some(abandon);
        }
        staged.map_err(|fault| {
            // Statements before it may have been sent; this one was not, not in part either.
            if fault.is_unsendable() { session.left_out(fault) } else { session.verdict(fault) }
        })
    }

    fn stage(&mut self, sql: Sql<'_>, params: &dyn Params) -> Result<(), Fault> {
        let session = &mut *self.session;
        session.alive()?;
        if self.state != State::Filling || self.waiting >= limits::PIPELINE_WINDOW {
            return Err(UsageError::PipelineFull.into());
        }
        session.check_params(sql, params)?;
        session.link.limit(session.timeout_ms);
        session.extended = true;
        let before = session.link.stats.bytes_out;
        session.stage(&mut self.io, &|w| {
            parse(w, sql, params)?;
            bind(w, sql, params)?;
            frontend::describe_portal(w)?;
            frontend::execute(w)
        })?;
        if session.link.stats.bytes_out != before {
            // No message may be sent in part when the pipeline is dropped.
            session
                .link
                .send_staged(&mut self.io)
                .map_err(|f| session.last_words(&mut self.io, f))?;
        }
        self.waiting = self.waiting.saturating_add(1);
        Ok(())
    }

    /// Moves to the next answer, if there is one: then its rows are lent.
    fn advance(&mut self) -> Result<(), Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        session.alive()?;
        if self.state != State::Filling && !session.busy {
            // A statement was refused, and the server left out the rest.
            self.state = State::Done;
        }
        match self.state {
            State::Filling => {
                self.state = State::Answers;
                session.unfinished = None;
                session.unsynced = false;
                session.extended = true;
                session.link.limit(session.timeout_ms);
                session.stage(io, &frontend::sync)?;
                session.send(io)?;
            }
            State::Answers => {}
            State::Lent => {
                if !session.completed {
                    session.executed(io)?;
                }
                session.batch_done = session.batch_done.saturating_add(1);
                self.state = State::Answers;
            }
            State::Done => return Ok(()),
        }
        let Some(waiting) = self.waiting.checked_sub(1) else {
            self.state = State::Done;
            session.completed = true;
            return session.expect_ready(io);
        };
        // What was completed is not committed before the end.
        session.completed = false;
        self.waiting = waiting;
        session.link.unpin(0);
        session.next(io)?;
        match session.link.tag {
            tag::PARSE_COMPLETE => session.expect(io, tag::BIND_COMPLETE)?,
            tag::BIND_COMPLETE => {}
            _ => return Err(session.unexpected(io)),
        }
        self.state = State::Lent;
        session.described(io)
    }
}

/// Makes the server take back what was sent of an abandoned pipeline. Sync follows.
fn abandon(session: &mut Session<'_>, io: &mut Lent<'_>) -> Result<(), Fault> {
    session.stage(io, &frontend::execute_nothing)
}
