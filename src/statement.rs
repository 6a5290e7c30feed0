//! Statements: SQL text, or a prepared statement.

use crate::error::{Fault, ProtocolError, UsageError};
use crate::limits;
use crate::params::Params;
use crate::session::Session;
use crate::transport::Lent;
use crate::types::Oid;
use crate::wire::backend::tag;
use crate::wire::frontend::{self, Name};

/// A prepared statement. It is a number and the types of its parameters; the statement itself
/// lives in the server, in the session that prepared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statement {
    id: u16,
    epoch: u16,
    count: u16,
    types: [Oid; limits::STATEMENT_PARAMETERS],
}

impl Statement {
    /// How many parameters it has.
    pub const fn parameters(&self) -> u16 {
        self.count
    }

    /// The type of parameter `index` (from 0), of the first
    /// [`limits::STATEMENT_PARAMETERS`].
    pub fn parameter_type(&self, index: usize) -> Option<Oid> {
        self.types.get(index).copied().filter(|&oid| oid != 0)
    }
}

/// A statement that sits in flash: SQL text and the types of its parameters. Where the client was
/// lent [`StaticStatements`], it is prepared when a session first uses it, with a round trip of its
/// own, and then only executed; else it is parsed each time.
///
/// ```
/// use barepg::{StaticStatement, types::oid};
///
/// static INSERT: StaticStatement =
///     StaticStatement::new("insert into log values ($1, $2)", &[oid::INT4, oid::TEXT]);
/// # fn f<T: embedded_io::Read + embedded_io::Write>(conn: &mut barepg::Connection<'_, '_, T>)
/// # -> barepg::Result<()> {
/// conn.execute(&INSERT, (7_i32, "on"))?;
/// # Ok(()) }
/// ```
///
/// A session remembers [`limits::STATIC_STATEMENTS`] of them; those beyond are parsed each time.
/// Such a statement must be used through one place in memory, so make it a `static`, not a
/// `const`.
#[derive(Debug)]
pub struct StaticStatement {
    sql: &'static str,
    types: &'static [Oid],
}

impl StaticStatement {
    /// A statement. Types that are not given, or 0, the server infers.
    pub const fn new(sql: &'static str, types: &'static [Oid]) -> Self {
        Self { sql, types }
    }

    /// The SQL text.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }
}

/// Which statements in flash a session has prepared: room for [`limits::STATIC_STATEMENTS`], lent
/// to a client with [`Client::set_static_statements`](crate::Client::set_static_statements).
#[derive(Debug, Default)]
pub struct StaticStatements {
    known: [Option<&'static StaticStatement>; limits::STATIC_STATEMENTS],
}

impl StaticStatements {
    /// None yet.
    pub const fn new() -> Self {
        Self { known: [None; limits::STATIC_STATEMENTS] }
    }

    pub(crate) const fn clear(&mut self) {
        *self = Self::new();
    }
}

/// What a verb runs: SQL text, a [`Statement`] or a [`StaticStatement`]. Made from any by `into`.
#[derive(Clone, Copy)]
pub struct Sql<'q>(pub(crate) Source<'q>);

#[derive(Clone, Copy)]
pub(crate) enum Source<'q> {
    /// Text, parsed by the server each time (on the unnamed statement: it also works through a
    /// pooler in transaction mode).
    Text(&'q str),
    /// A prepared statement of this session.
    Prepared(&'q dyn Prepared),
    /// A statement in flash.
    Static(&'static StaticStatement),
}

/// A [`Statement`], seen by verbs that may run one: a firmware that prepares none does not hold
/// what it takes.
pub(crate) trait Prepared {
    /// Its name on the wire.
    fn name(&self) -> Name;

    /// Checks that the statement belongs to the session and fits the parameters.
    fn check(&self, epoch: u16, params: &dyn Params) -> Result<(), UsageError>;
}

impl Prepared for Statement {
    fn name(&self) -> Name {
        frontend::name(b's', self.id)
    }

    fn check(&self, epoch: u16, params: &dyn Params) -> Result<(), UsageError> {
        if self.epoch != epoch {
            return Err(UsageError::StaleStatement);
        }
        if self.count != ANY_COUNT && usize::from(self.count) != params.count() {
            return Err(UsageError::ParameterCount);
        }
        let known = params.count().min(self.types.len());
        for (index, &oid) in self.types.iter().enumerate().take(known) {
            if oid != 0 && !fits(oid, params.oid(index)) {
                return Err(UsageError::ParameterType);
            }
        }
        Ok(())
    }
}

impl<'q> Sql<'q> {
    /// The text to be parsed, unless it is prepared.
    pub(crate) const fn text(self) -> Option<&'q str> {
        match self.0 {
            Source::Text(text) => Some(text),
            Source::Prepared(_) => None,
            // Where it could not be prepared.
            Source::Static(statement) => Some(statement.sql),
        }
    }

    /// The name of the statement to be bound, with its NUL.
    pub(crate) fn name(self, room: &mut Name) -> &[u8] {
        match self.0 {
            Source::Prepared(statement) => {
                *room = statement.name();
                room
            }
            Source::Text(_) | Source::Static(_) => frontend::UNNAMED,
        }
    }

    pub(crate) fn check(self, epoch: u16, params: &dyn Params) -> Result<(), Fault> {
        match self.0 {
            Source::Prepared(statement) => Ok(statement.check(epoch, params)?),
            Source::Text(_) | Source::Static(_) => Ok(()),
        }
    }
}

impl From<&'static StaticStatement> for Sql<'_> {
    fn from(statement: &'static StaticStatement) -> Self {
        Self(Source::Static(statement))
    }
}

impl<'q> From<&'q str> for Sql<'q> {
    fn from(text: &'q str) -> Self {
        Self(Source::Text(text))
    }
}

impl<'q> From<&'q Statement> for Sql<'q> {
    fn from(statement: &'q Statement) -> Self {
        Self(Source::Prepared(statement))
    }
}

/// Numbers from here on belong to statements in flash.
const FIRST_STATIC: u16 = 0xff00;

/// A statement whose parameters the server counts.
const ANY_COUNT: u16 = u16::MAX;

/// Whether a value sent as `sent` has the binary layout of a parameter of type `wanted`.
const fn fits(wanted: Oid, sent: Oid) -> bool {
    use crate::types::oid::{BPCHAR, NAME, TEXT, UNKNOWN, VARCHAR};
    const fn is_text(oid: Oid) -> bool {
        matches!(oid, TEXT | VARCHAR | BPCHAR | NAME | UNKNOWN)
    }
    wanted == sent || sent == 0 || (is_text(wanted) && is_text(sent))
}

impl Session<'_> {
    /// Parse, Describe, Sync in one round trip.
    pub(crate) fn prepare(
        &mut self,
        io: &mut Lent<'_>,
        sql: &str,
        types: &[Oid],
    ) -> Result<Statement, Fault> {
        let id = self.statements;
        let statement = self.prepare_as(io, id, sql, types)?;
        self.statements = id.wrapping_add(1) % FIRST_STATIC;
        Ok(statement)
    }

    /// A statement in flash that is prepared already.
    pub(crate) fn known_static(&self, statement: &'static StaticStatement) -> Option<Statement> {
        let known = |place: &Option<&'static StaticStatement>| {
            place.is_some_and(|known| core::ptr::eq(known, statement))
        };
        let place = self.statics.as_ref()?.known.iter().position(known)?;
        let id = FIRST_STATIC.wrapping_add(u16::try_from(place).unwrap_or(0));
        let mut types = [0; limits::STATEMENT_PARAMETERS];
        types.iter_mut().zip(statement.types).for_each(|(place, oid)| *place = *oid);
        // How many there are is only known to the server.
        Some(Statement { id, epoch: self.epoch, count: ANY_COUNT, types })
    }

    /// The prepared form of a statement in flash; `None` when there is no place for it.
    pub(crate) fn prepare_static(
        &mut self,
        io: &mut Lent<'_>,
        statement: &'static StaticStatement,
    ) -> Result<Option<Statement>, Fault> {
        if let Some(known) = self.known_static(statement) {
            return Ok(Some(known));
        }
        let statics = self.statics.as_ref();
        let place = statics.and_then(|statics| statics.known.iter().position(Option::is_none));
        let Some(place) = place else { return Ok(None) };
        let id = FIRST_STATIC.wrapping_add(u16::try_from(place).unwrap_or(0));
        let prepared = self.prepare_as(io, id, statement.sql, statement.types)?;
        if let Some(statics) = &mut self.statics
            && let Some(place) = statics.known.get_mut(place)
        {
            *place = Some(statement);
        }
        Ok(Some(prepared))
    }

    fn prepare_as(
        &mut self,
        io: &mut Lent<'_>,
        id: u16,
        sql: &str,
        types: &[Oid],
    ) -> Result<Statement, Fault> {
        self.begin(io)?;
        self.extended = true;
        self.stage(io, &|w| {
            let name = frontend::name(b's', id);
            frontend::parse(w, &name, sql, types.len(), &|w| {
                types.iter().try_for_each(|&oid| w.u32(oid))
            })?;
            frontend::describe_statement(w, &name)?;
            frontend::sync(w)
        })?;
        self.send(io)?;
        let mut statement =
            Statement { id, epoch: self.epoch, count: 0, types: [0; limits::STATEMENT_PARAMETERS] };
        for expected in [tag::PARSE_COMPLETE, tag::PARAMETER_DESCRIPTION, tag::ROW_DESCRIPTION] {
            self.next(io)?;
            match self.link.tag {
                tag::ERROR_RESPONSE => return Err(self.refused(io)),
                tag::NO_DATA if expected == tag::ROW_DESCRIPTION => {}
                tag if tag != expected => {
                    return Err(ProtocolError::UnexpectedMessage.into());
                }
                tag::PARAMETER_DESCRIPTION => self.parameter_description(io, &mut statement)?,
                // The row description is asked for again with every execution.
                _ => self.link.skip(io)?,
            }
        }
        self.expect_ready(io)?;
        Ok(statement)
    }

    fn parameter_description(
        &mut self,
        io: &mut Lent<'_>,
        statement: &mut Statement,
    ) -> Result<(), Fault> {
        statement.count = self.link.count(io)?;
        for index in 0..usize::from(statement.count) {
            let oid = self.link.number(io, 4)?;
            if let Some(place) = statement.types.get_mut(index) {
                *place = oid;
            }
        }
        if self.link.left() == 0 { Ok(()) } else { Err(ProtocolError::Malformed.into()) }
    }

    /// Close, Sync: the server forgets the statement.
    pub(crate) fn close_statement(
        &mut self,
        io: &mut Lent<'_>,
        statement: &Statement,
    ) -> Result<(), Fault> {
        self.begin(io)?;
        if statement.epoch != self.epoch {
            return Err(UsageError::StaleStatement.into());
        }
        self.extended = true;
        self.stage(io, &|w| {
            frontend::close_statement(w, &statement.name())?;
            frontend::sync(w)
        })?;
        self.send(io)?;
        self.expect(io, tag::CLOSE_COMPLETE)?;
        self.expect_ready(io)
    }

    /// The end of an answer: ReadyForQuery, or an error before it.
    pub(crate) fn expect_ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.expect(io, tag::READY_FOR_QUERY)?;
        self.ready(io)
    }
}
