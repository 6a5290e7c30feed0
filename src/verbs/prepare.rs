//! Preparing statements, and making the server forget them.

use crate::connection::Connection;
use crate::engine::{Fact, Name, NameHash, Session};
use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::transport::{Lent, lent};
use crate::types::Oid;
use crate::verbs::named::Named;
use crate::verbs::statement::{Statement, parse};
use crate::wire::backend::tag;
use crate::wire::{Body, WireError, frontend};

impl Connection<'_, '_> {
    /// Prepares a statement. `types` are the parameters' types (see
    /// [`types::oid`](crate::types::oid)); those not given, or 0, the server infers. With all of them
    /// given it takes one round trip, else two: what the server inferred becomes a part of the
    /// statement's name, and holds until it is prepared by the caller again.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// use barepg::types::oid;
    /// let insert = conn.prepare("insert into reading values ($1, $2)", &[oid::INT8, oid::FLOAT4])?;
    /// for (number, celsius) in [(1_i64, 21.5_f32), (2, 21.6)] {
    ///     conn.execute(&insert, (number, celsius))?;
    /// }
    /// conn.close_statement(&insert)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn prepare<'s>(&mut self, sql: &'s str, types: &'s [Oid]) -> Result<Statement<'s>> {
        let result = self.session.prepare(&mut lent(&mut self.io), sql, types);
        result.map_err(|fault| self.session.into_error(fault))
    }

    /// Makes the server forget a prepared statement. Through a pooler that mixes sessions all statements go
    /// as text from then on, until the session ends: a name that was given up may end it there.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn close_statement(&mut self, statement: &Statement<'_>) -> Result<()> {
        let result = self.session.close_statement(&mut lent(&mut self.io), statement);
        result.map_err(|fault| self.session.into_error(fault))
    }
}

impl Session<'_> {
    /// Close, Parse, Describe, Sync in one round trip; where types were inferred, once more.
    fn prepare<'s>(
        &mut self,
        io: &mut Lent<'_>,
        sql: &'s str,
        types: &'s [Oid],
    ) -> Result<Statement<'s>, Fault> {
        let hash = NameHash::new(sql, types);
        let name = hash.name();
        let mut statement = Statement {
            sql,
            given: types,
            hash,
            name,
            identity: self.identity(),
            count: 0,
            types: [0; limits::STATEMENT_PARAMETERS],
        };
        self.begin(io)?;
        let mut named = !self.parses_always();
        while let Err(fault) = self.describe_statement(io, named, &mut statement) {
            if !named || !self.lost_statement(fault, true) {
                return Err(fault);
            }
            self.begin_again();
            named = false;
        }
        if named && statement.name != name {
            self.rename(io, &name, &statement)?;
        }
        Ok(statement)
    }

    /// Prepares a statement by its name or by none, and takes what the server says of it.
    fn describe_statement(
        &mut self,
        io: &mut Lent<'_>,
        named: bool,
        statement: &mut Statement<'_>,
    ) -> Result<(), Fault> {
        self.stage(io, &|w| {
            let name: &[u8] = if named { &statement.name } else { frontend::UNNAMED };
            parse(w, name, statement.sql, statement.given)?;
            frontend::describe_statement(w, name)
        })?;
        self.send_sync(io)?;
        self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        self.expect_empty(io, tag::PARSE_COMPLETE)?;
        self.next(io)?;
        if self.link.tag != tag::PARAMETER_DESCRIPTION {
            return Err(self.unexpected(io));
        }
        self.parameter_description(io, statement)?;
        if statement.is_inferred() {
            statement.hash = NameHash::new(statement.sql, statement.told());
            statement.name = statement.hash.name();
        }
        // Kept for the first execution, if nothing else is run before; where it does not fit, that
        // asks for it again.
        match self.described(io, statement.hash) {
            Err(Fault::CAPACITY) => {
                self.forget_description();
                self.link.skip(io)?;
            }
            result => result?,
        }
        self.expect_ready(io)
    }

    /// Gives a statement whose types the server chose a name that these are a part of: after `ALTER
    /// TABLE`, or with another `search_path`, it would choose others for the same text.
    #[cold]
    fn rename(
        &mut self,
        io: &mut Lent<'_>,
        first: &Name,
        statement: &Statement<'_>,
    ) -> Result<(), Fault> {
        self.stage(io, &|w| {
            frontend::close_statement(w, first)?;
            statement.parse(w)
        })?;
        self.send_sync(io)?;
        self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        self.expect_empty(io, tag::PARSE_COMPLETE)?;
        self.expect_ready(io)
    }

    fn parameter_description(
        &mut self,
        io: &mut Lent<'_>,
        statement: &mut Statement<'_>,
    ) -> Result<(), Fault> {
        statement.count = self.link.count(io)?;
        for index in 0..usize::from(statement.count) {
            let oid = self.link.number(io, 4)?;
            if let Some(place) = statement.types.get_mut(index) {
                *place = oid;
            }
        }
        if self.link.left() == 0 { Ok(()) } else { Err(WireError::Malformed.into()) }
    }

    /// Close, Sync: the server forgets the statement.
    fn close_statement(
        &mut self,
        io: &mut Lent<'_>,
        statement: &Statement<'_>,
    ) -> Result<(), Fault> {
        self.begin(io)?;
        if statement.identity != self.identity() {
            return Err(UsageError::StaleStatement.into());
        }
        self.server.set(Fact::Forgot, true);
        self.close(io, &|w| frontend::close_statement(w, &statement.name))
    }

    /// What `close` writes, and Sync: the server forgets a statement or a portal.
    pub(super) fn close<F: Body>(&mut self, io: &mut Lent<'_>, close: &F) -> Result<(), Fault> {
        self.stage(io, close)?;
        self.send_sync(io)?;
        self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        self.expect_ready(io)
    }
}
