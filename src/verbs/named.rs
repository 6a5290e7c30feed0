//! Statements with a name: what is done for them alone, through one table of functions, so that it is
//! linked only where there are any.

use crate::engine::{Fact, Name, NameHash, Session, TransactionStatus};
use crate::error::{Fault, UsageError};
use crate::transport::Lent;
#[cfg(not(target_os = "none"))]
use crate::types::Oid;
use crate::verbs::params::{Params, given};
#[cfg(target_os = "none")]
use crate::verbs::query;
#[cfg(target_os = "none")]
use crate::verbs::sql::Source;
use crate::verbs::sql::{Execution, Run, Sql};
#[cfg(target_os = "none")]
use crate::wire::frontend::{close_bind_and_run, open_bind};
use crate::wire::{WireError, Writer};

/// A statement that is run by its name. A trait object, so that a program that prepares none does
/// not hold what it takes.
pub(crate) trait Named {
    fn hash(&self) -> NameHash;

    fn name(&self) -> &Name;

    /// Its text, which holds no NUL, where it is a statement for parameters of just these types.
    #[cfg(not(target_os = "none"))]
    fn text(&self, session: &Session<'_>, sent: &'static [Oid]) -> Option<&str>;

    /// Its text.
    fn sql_text(&self) -> &str;

    /// How it is run: checks that it is this session's, and that the parameters fit.
    fn check(&self, session: &Session<'_>, params: &dyn Params) -> Result<Run, UsageError>;

    /// Parse by its name, which the server forgets before: Close is no error where there is none.
    fn parse(&self, w: &mut Writer<'_>) -> Result<(), WireError>;

    /// Parse as the unnamed statement, for these parameters.
    fn parse_with(&self, w: &mut Writer<'_>, params: &dyn Params) -> Result<(), WireError>;

    /// Everything that runs it.
    #[cfg(target_os = "none")]
    fn encode(
        &self,
        w: &mut Writer<'_>,
        execution: &Execution<'_, dyn Params + '_>,
    ) -> Result<(), WireError> {
        encode(w, execution)
    }

    /// The server has prepared it.
    fn prepared(&self, session: &mut Session<'_>);

    /// This, to be handed on.
    fn sql(&self) -> Sql<'_>;

    /// Starts a verb that runs it, and says how. `rows`: its rows are wanted.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn begin(
        &self,
        session: &mut Session<'_>,
        io: &mut Lent<'_>,
        params: &dyn Params,
        (run, rows): (&mut Run, bool),
    ) -> Result<(), Fault> {
        session.begin_with(io, self.hash())?;
        *run = self.check(session, params)?;
        if session.server.is(Fact::Mixed) {
            *run = session.run_where_mixed(*run);
        }
        if rows && *run == Run::Named && session.has_description() {
            *run = Run::Described;
        }
        Ok(())
    }

    /// [`Session::answer_at_once`]
    fn answer_at_once(
        &self,
        session: &mut Session<'_>,
        io: &mut Lent<'_>,
        row: bool,
    ) -> Result<(), Fault> {
        session.answer_at_once(io, row)
    }

    /// After a failure of Bind: prepares the statement anew and runs it again, if that is what was
    /// wrong. Says how it was run then. `rows`: they are wanted.
    fn run_again(
        &self,
        session: &mut Session<'_>,
        io: &mut Lent<'_>,
        params: &dyn Params,
        (run, rows): (&mut Run, bool),
        fault: Fault,
    ) -> Result<(), Fault> {
        session.run_again(io, self.sql(), params, (run, rows), fault)
    }
}

/// Parse where it is needed, Bind, Describe if that is wanted, Execute and Sync.
#[cfg(target_os = "none")]
fn encode(w: &mut Writer<'_>, execution: &Execution<'_, dyn Params + '_>) -> Result<(), WireError> {
    let Execution { sql, params, run, .. } = *execution;
    let Source::Named(statement) = sql.0 else { return Err(WireError::Value) };
    match run {
        Run::Anew => statement.parse(w)?,
        Run::Text => statement.parse_with(w, params)?,
        Run::Named | Run::Described => {
            if !params.has_text()
                && let Some(message) = open_bind(w, statement.name(), params.count())
            {
                params.values(w)?;
                return close_bind_and_run(w, message, execution.asks_for_description());
            }
        }
    }
    query::bind(w, &sql, params, run)?;
    execution.encode_end(w)
}

impl Session<'_> {
    /// Whether statements go out with their Parse. A pooler may end the session where it is asked for a
    /// statement that was forgotten (PgBouncer from 1.21 on).
    pub(crate) fn parses_always(&self) -> bool {
        self.server.is(Fact::ParsesAlways)
            || self.server.is(Fact::Mixed) && self.server.is(Fact::Forgot)
    }

    /// Another server connection may serve this transaction, and an error would end it.
    #[cold]
    fn run_where_mixed(&mut self, run: Run) -> Run {
        self.forget_description();
        let open = self.ledger.status() != TransactionStatus::Idle;
        if self.parses_always() || open && run == Run::Named { Run::Text } else { run }
    }

    /// Prepares and runs a statement again that the server did not know. What it still does not take then
    /// is kept outdated by a pooler, under a name of its own: without a name it has none.
    #[cold]
    #[inline(never)]
    fn run_again(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        params: &dyn Params,
        (run, rows): (&mut Run, bool),
        fault: Fault,
    ) -> Result<(), Fault> {
        let mut bound = Err(fault);
        while let Err(fault) = bound
            && *run != Run::Text
            && self.lost_statement(fault, *run == Run::Anew)
        {
            *run = if run.is_known() { Run::Anew } else { Run::Text };
            self.begin_again();
            self.note_statement(&sql);
            let execution = Execution { sql, params: given!(params), run: *run, rows };
            self.send_statement(io, &execution).inspect_err(|_| {
                // A value from a reader, which has no more of it.
                self.server.set(Fact::ParsesAlways, true);
            })?;
            bound = self.bound(io, &sql, *run);
        }
        bound
    }
}
