//! Statements: SQL text, or a prepared statement.

use crate::error::{Fault, ProtocolError, UsageError};
use crate::limits;
use crate::params::Params;
use crate::session::Session;
use crate::transport::Io;
use crate::types::Oid;
use crate::wire::backend::tag;
use crate::wire::{Reader, frontend};

/// A prepared statement. It is a number and the types of its parameters; the statement itself
/// lives in the server, in the session that prepared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statement {
    pub(crate) id: u16,
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

    /// Checks that the statement belongs to the session and fits the parameters.
    pub(crate) fn check(&self, epoch: u16, params: &dyn Params) -> Result<(), UsageError> {
        if self.epoch != epoch {
            return Err(UsageError::StaleStatement);
        }
        if usize::from(self.count) != params.count() {
            return Err(UsageError::ParameterCount);
        }
        let known = usize::from(self.count).min(self.types.len());
        for (index, &oid) in self.types.iter().enumerate().take(known) {
            if !fits(oid, params.oid(index)) {
                return Err(UsageError::ParameterType);
            }
        }
        Ok(())
    }
}

/// What a verb runs: SQL text, or a [`Statement`]. Made from either by `into`.
#[derive(Clone, Copy)]
pub enum Sql<'q> {
    /// Text, parsed by the server each time (on the unnamed statement: it also works through a
    /// pooler in transaction mode).
    Text(&'q str),
    /// A prepared statement of this session.
    Prepared(&'q Statement),
}

impl<'q> From<&'q str> for Sql<'q> {
    fn from(text: &'q str) -> Self {
        Self::Text(text)
    }
}

impl<'q> From<&'q Statement> for Sql<'q> {
    fn from(statement: &'q Statement) -> Self {
        Self::Prepared(statement)
    }
}

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
        io: &mut dyn Io,
        sql: &str,
        types: &[Oid],
    ) -> Result<Statement, Fault> {
        self.begin(io)?;
        let id = self.statements;
        self.extended = true;
        self.stage(io, &|w| {
            frontend::parse(w, Some(id), sql, types.len(), &|w| {
                types.iter().try_for_each(|&oid| w.u32(oid))
            })?;
            frontend::describe_statement(w, Some(id))?;
            frontend::sync(w)
        })?;
        self.statements = self.statements.wrapping_add(1);
        self.send(io)?;
        let mut statement =
            Statement { id, epoch: self.epoch, count: 0, types: [0; limits::STATEMENT_PARAMETERS] };
        for expected in [tag::PARSE_COMPLETE, tag::PARAMETER_DESCRIPTION, tag::ROW_DESCRIPTION] {
            let tag = self.next(io)?;
            match tag {
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
        io: &mut dyn Io,
        statement: &mut Statement,
    ) -> Result<(), Fault> {
        let count = self.link.take(io, 2)?;
        statement.count = Reader::new(self.link.get(count)).u16()?;
        for index in 0..usize::from(statement.count) {
            let oid = self.link.take(io, 4)?;
            let oid = Reader::new(self.link.get(oid)).u32()?;
            if let Some(place) = statement.types.get_mut(index) {
                *place = oid;
            }
        }
        if self.link.left() == 0 { Ok(()) } else { Err(ProtocolError::Malformed.into()) }
    }

    /// Close, Sync: the server forgets the statement.
    pub(crate) fn close_statement(
        &mut self,
        io: &mut dyn Io,
        statement: &Statement,
    ) -> Result<(), Fault> {
        self.begin(io)?;
        if statement.epoch != self.epoch {
            return Err(UsageError::StaleStatement.into());
        }
        self.extended = true;
        self.stage(io, &|w| {
            frontend::close_statement(w, Some(statement.id))?;
            frontend::sync(w)
        })?;
        self.send(io)?;
        match self.next(io)? {
            tag::CLOSE_COMPLETE => self.expect_ready(io),
            other => Err(self.unexpected(io, other)),
        }
    }

    /// The end of an answer: ReadyForQuery, or an error before it.
    pub(crate) fn expect_ready(&mut self, io: &mut dyn Io) -> Result<(), Fault> {
        match self.next(io)? {
            tag::READY_FOR_QUERY => self.ready(io),
            other => Err(self.unexpected(io, other)),
        }
    }
}
