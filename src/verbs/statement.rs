//! Prepared statements, and statements in flash.

use crate::connection::Connection;
use crate::engine::{Known, Name, NameHash, Session, may_end};
use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::transport::{Lent, lent};
use crate::types::Oid;
#[cfg(not(target_os = "none"))]
use crate::verbs::in_line;
use crate::verbs::named::Named;
use crate::verbs::params::Params;
use crate::verbs::sql::{Run, Source, Sql};
use crate::wire::backend::tag;
#[cfg(not(target_os = "none"))]
use crate::wire::has_nul;
use crate::wire::{WireError, Writer, frontend};

/// A prepared statement, of one session: its text, and what the server said of its parameters.
///
/// The server knows it by a name that is made of its text and types. So it does no harm when a
/// pooler in transaction mode lends the same server connection to other clients, when the server
/// forgets it (`deallocate all`, `discard all`) or finds it outdated (`alter table`): it is then
/// prepared anew, with the same round trip that runs it. Only within an open transaction such an
/// error is the caller's, once: the transaction has failed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statement<'s> {
    sql: &'s str,
    given: &'s [Oid],
    hash: NameHash,
    name: Name,
    identity: u32,
    count: u16,
    types: [Oid; limits::STATEMENT_PARAMETERS],
}

impl<'s> Statement<'s> {
    /// The SQL text.
    pub const fn sql(&self) -> &'s str {
        self.sql
    }

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
/// lent [`StaticStatements`](crate::StaticStatements), it is prepared with its first execution in a
/// session, in the same round trip, and then only executed; else it is parsed each time. As a
/// [`Statement`], it is prepared anew where the server does not know it.
///
/// ```
/// use barepg::{Connection, StaticStatement, types::oid};
///
/// static INSERT: StaticStatement =
///     StaticStatement::new("insert into log values ($1, $2)", &[oid::INT4, oid::TEXT]);
/// # fn f(conn: &mut Connection) -> barepg::Result<()> {
/// conn.execute(&INSERT, (7_i32, "on"))?;
/// # Ok(()) }
/// ```
///
/// A session remembers [`limits::STATIC_STATEMENTS`] of them; those beyond are parsed each time.
#[derive(Debug)]
pub struct StaticStatement {
    sql: &'static str,
    types: &'static [Oid],
    hash: NameHash,
    name: Name,
}

impl StaticStatement {
    /// A statement. Types that are not given, or 0, the server infers.
    pub const fn new(sql: &'static str, types: &'static [Oid]) -> Self {
        let hash = NameHash::new(sql, types);
        Self { sql, types, hash, name: hash.name() }
    }

    /// The SQL text.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }
}

impl Named for Statement<'_> {
    #[cfg_attr(not(target_os = "none"), inline)]
    fn hash(&self) -> NameHash {
        self.hash
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn name(&self) -> &Name {
        &self.name
    }

    #[cfg(not(target_os = "none"))]
    fn text(&self, session: &Session<'_>, sent: &[Oid]) -> Option<(&str, &[Oid], bool)> {
        // It was sent when it was prepared, so there is no NUL.
        let fits = self.identity == session.identity()
            && usize::from(self.count) == sent.len()
            && in_line::are_same(&self.types, sent);
        fits.then(|| (self.sql, self.given, may_end(self.sql)))
    }

    fn may_end(&self) -> bool {
        may_end(self.sql)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn check(&self, session: &Session<'_>, params: &dyn Params) -> Result<Run, UsageError> {
        if self.identity != session.identity() {
            return Err(UsageError::StaleStatement);
        }
        if usize::from(self.count) != params.count() {
            return Err(UsageError::ParameterCount);
        }
        check_types(&self.types, params)?;
        Ok(Run::Named)
    }

    fn parse(&self, w: &mut Writer<'_>, named: bool) -> Result<(), WireError> {
        parse(w, named.then_some(&self.name), self.sql, self.given)
    }

    fn prepared(&self, _: &mut Session<'_>) {}

    fn sql(&self) -> Sql<'_> {
        Sql(Source::Named(self))
    }
}

impl Named for StaticStatement {
    #[cfg_attr(not(target_os = "none"), inline)]
    fn hash(&self) -> NameHash {
        self.hash
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn name(&self) -> &Name {
        &self.name
    }

    #[cfg(not(target_os = "none"))]
    fn text(&self, _: &Session<'_>, sent: &[Oid]) -> Option<(&str, &[Oid], bool)> {
        let fits = in_line::are_same(self.types, sent) && !has_nul(self.sql.as_bytes());
        fits.then(|| (self.sql, self.types, may_end(self.sql)))
    }

    fn may_end(&self) -> bool {
        may_end(self.sql)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn check(&self, session: &Session<'_>, params: &dyn Params) -> Result<Run, UsageError> {
        check_types(self.types, params)?;
        Ok(match session.statics.as_ref().map(|statics| statics.find(self.hash)) {
            Some(Known::Prepared) => Run::Named,
            Some(Known::NotYet) => Run::Anew,
            Some(Known::NoPlace) | None => Run::Text,
        })
    }

    fn parse(&self, w: &mut Writer<'_>, named: bool) -> Result<(), WireError> {
        parse(w, named.then_some(&self.name), self.sql, self.types)
    }

    fn prepared(&self, session: &mut Session<'_>) {
        session.note_static(self.hash);
    }

    fn sql(&self) -> Sql<'_> {
        Sql(Source::Named(self))
    }
}

/// Checks that values have the layout of the types known.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn check_types(types: &[Oid], params: &dyn Params) -> Result<(), UsageError> {
    let fit = match params.types() {
        #[cfg(not(target_os = "none"))]
        Some(sent) if in_line::are_same(types, sent) => true,
        Some(sent) => types.iter().zip(sent).all(|(wanted, sent)| fits(*wanted, *sent)),
        None => {
            let known = types.iter().take(params.count()).enumerate();
            known.into_iter().all(|(index, wanted)| fits(*wanted, params.oid(index)))
        }
    };
    if fit { Ok(()) } else { Err(UsageError::ParameterType) }
}

/// Whether a value sent as `sent` has the binary layout of a parameter of type `wanted`.
const fn fits(wanted: Oid, sent: Oid) -> bool {
    use crate::types::oid::{BPCHAR, NAME, TEXT, UNKNOWN, VARCHAR};
    const fn is_text(oid: Oid) -> bool {
        matches!(oid, TEXT | VARCHAR | BPCHAR | NAME | UNKNOWN)
    }
    wanted == sent || sent == 0 || wanted == 0 || (is_text(wanted) && is_text(sent))
}

/// Parse. With a name, a statement that has it is closed before: Close is no error where there is
/// none.
fn parse(
    w: &mut Writer<'_>,
    name: Option<&Name>,
    sql: &str,
    types: &[Oid],
) -> Result<(), WireError> {
    let name: &[u8] = match name {
        Some(name) => {
            frontend::close_statement(w, name)?;
            name
        }
        None => frontend::UNNAMED,
    };
    frontend::parse(w, name, sql, types.len(), &|w| types.iter().try_for_each(|&oid| w.u32(oid)))
}

impl Connection<'_, '_> {
    /// Prepares a statement. `types` are the parameters' types (see
    /// [`types::oid`](crate::types::oid)); those not given, or 0, the server infers.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn prepare<'s>(&mut self, sql: &'s str, types: &'s [Oid]) -> Result<Statement<'s>> {
        let result = self.session.prepare(&mut lent(&mut self.io), sql, types);
        result.map_err(|fault| self.session.into_error(fault))
    }

    /// Makes the server forget a prepared statement.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn close_statement(&mut self, statement: &Statement<'_>) -> Result<()> {
        let result = self.session.close_statement(&mut lent(&mut self.io), statement);
        result.map_err(|fault| self.session.into_error(fault))
    }
}

impl Session<'_> {
    /// Close, Parse, Describe, Sync in one round trip.
    fn prepare<'s>(
        &mut self,
        io: &mut Lent<'_>,
        sql: &'s str,
        types: &'s [Oid],
    ) -> Result<Statement<'s>, Fault> {
        let hash = NameHash::new(sql, types);
        let mut statement = Statement {
            sql,
            given: types,
            hash,
            name: hash.name(),
            identity: self.identity(),
            count: 0,
            types: [0; limits::STATEMENT_PARAMETERS],
        };
        self.begin(io)?;
        self.stage(io, &|w| {
            statement.parse(w, true)?;
            frontend::describe_statement(w, &statement.name)?;
            frontend::sync(w)
        })?;
        self.exchange.sync_sent();
        self.send(io)?;
        self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        self.expect_empty(io, tag::PARSE_COMPLETE)?;
        self.next(io)?;
        if self.link.tag != tag::PARAMETER_DESCRIPTION {
            return Err(self.unexpected(io));
        }
        self.parameter_description(io, &mut statement)?;
        // Kept for the first execution, if nothing else is run before; where it does not fit, that
        // asks for it again.
        match self.described(io, hash) {
            Err(Fault::CAPACITY) => {
                self.forget_description();
                self.link.skip(io)?;
            }
            result => result?,
        }
        self.expect_ready(io)?;
        Ok(statement)
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
        self.stage(io, &|w| {
            frontend::close_statement(w, &statement.name)?;
            frontend::sync(w)
        })?;
        self.exchange.sync_sent();
        self.send(io)?;
        self.expect_empty(io, tag::CLOSE_COMPLETE)?;
        self.expect_ready(io)
    }
}
