//! Prepared statements, and statements in flash.

use crate::engine::{Known, Name, NameHash, Session};
use crate::error::UsageError;
use crate::limits;
use crate::types::{Oid, declared, oid};
use crate::verbs::fit::{are_given, are_same, are_told, check_types, given, is_told};
use crate::verbs::in_line;
use crate::verbs::named::Named;
use crate::verbs::params::{Params, sent_as};
use crate::verbs::sql::{Run, Source, Sql};
#[cfg(not(target_os = "none"))]
use crate::wire::has_nul;
use crate::wire::{Rules, WireError, Writer, frontend};

/// A prepared statement, of one session: its text, and what the server said of its parameters.
///
/// The server knows it by a name that is made of its text and types. So it does no harm when a
/// pooler in transaction mode lends the same server connection to other clients, when the server
/// forgets it (`deallocate all`, `discard all`) or finds it outdated (`alter table`): it is then
/// prepared anew, or goes as text, with the same round trip that runs it. Only within an open transaction such an
/// error is the caller's, once: the transaction has failed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statement<'s> {
    pub(super) sql: &'s str,
    pub(super) given: &'s [Oid],
    pub(super) hash: NameHash,
    pub(super) name: Name,
    pub(super) identity: u32,
    pub(super) count: u16,
    pub(super) types: [Oid; limits::STATEMENT_PARAMETERS],
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

    /// The types that the server said.
    pub(super) fn told(&self) -> &[Oid] {
        self.types.get(..usize::from(self.count)).unwrap_or(&self.types)
    }

    /// Whether the server chose a type.
    pub(super) fn is_inferred(&self) -> bool {
        (0..self.told().len()).any(|index| matches!(given(self.given, index), 0 | oid::UNKNOWN))
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
    /// A statement. Types not given, or 0, are those of the values; then it is parsed each time. Fewer values
    /// than types are [`UsageError::ParameterCount`], and not sent.
    pub const fn new(sql: &'static str, types: &'static [Oid]) -> Self {
        let hash = NameHash::new(sql, types);
        Self { sql, types, hash, name: hash.name() }
    }

    /// The types that were given.
    #[cfg(feature = "outbox")]
    pub(crate) const fn types(&self) -> &'static [Oid] {
        self.types
    }

    /// The SQL text.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }
}

#[cfg(feature = "outbox")]
impl StaticStatement {
    /// What a row in an outbox keeps of it.
    pub(crate) const fn tag(&self) -> u16 {
        self.hash.tag()
    }

    /// Checks a part of the parameters, from one on. Returns the index after them.
    pub(crate) fn check_part(&self, from: usize, part: &dyn Params) -> Result<usize, UsageError> {
        let types = self.types.get(from..).ok_or(UsageError::ParameterCount)?;
        check_types(types, part, Rules::NONE)?;
        Ok(from.saturating_add(part.count()))
    }
}

impl Statement<'_> {
    /// Whether its parameters are of just these types. Of more than it remembers it is not known.
    #[inline(always)]
    fn has_just(&self, sent: &[Oid]) -> bool {
        let told = self.types.get(..usize::from(self.count));
        told.is_some_and(|told| in_line::are_same(told, sent))
    }

    /// Parameters of other types, or of types that no list has: of types that were given, the caller is
    /// held to them; of others the statement is run as its text is.
    #[cfg_attr(not(target_os = "none"), cold, inline(never))]
    fn check_types(&self, params: &dyn Params, rules: Rules) -> Result<Run, UsageError> {
        if usize::from(self.count) != params.count() {
            return Err(UsageError::ParameterCount);
        }
        if are_told(&self.types, params, rules) {
            return Ok(Run::Named);
        }
        check_types(self.given, params, rules)?;
        Ok(Run::Text)
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
    fn text(&self, session: &Session<'_>, sent: &'static [Oid]) -> Option<&str> {
        // It was sent when it was prepared, so there is no NUL.
        (self.identity == session.identity() && self.has_just(sent)).then_some(self.sql)
    }

    fn sql_text(&self) -> &str {
        self.sql
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn check(&self, session: &Session<'_>, params: &dyn Params) -> Result<Run, UsageError> {
        if self.identity != session.identity() {
            return Err(UsageError::StaleStatement);
        }
        if params.types().is_some_and(|sent| self.has_just(sent)) {
            return Ok(Run::Named);
        }
        self.check_types(params, session.link.rules)
    }

    fn parse(&self, w: &mut Writer<'_>) -> Result<(), WireError> {
        let types = if self.is_inferred() { self.told() } else { self.given };
        parse(w, &self.name, self.sql, types)
    }

    fn parse_with(&self, w: &mut Writer<'_>, params: &dyn Params) -> Result<(), WireError> {
        let types = |index, sent, rules| {
            let (told, given) = (given(&self.types, index), given(self.given, index));
            if given == 0 && is_told(told, sent, rules) { told } else { given }
        };
        parse_with(w, self.sql, params, &types)
    }

    fn prepared(&self, _: &mut Session<'_>) {}

    fn sql(&self) -> Sql<'_> {
        Sql(Source::Named(self))
    }
}

impl StaticStatement {
    /// Whether parameters of other types fit those given, and none is left to the server.
    #[cfg_attr(not(target_os = "none"), cold, inline(never))]
    fn are_given(&self, params: &dyn Params, rules: Rules) -> Result<bool, UsageError> {
        // The server would say so in words that poolers have too, hence of an unknown outcome.
        if params.count() < self.types.len() {
            return Err(UsageError::ParameterCount);
        }
        check_types(self.types, params, rules)?;
        Ok(are_given(self.types, params))
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
    fn text(&self, _: &Session<'_>, sent: &'static [Oid]) -> Option<&str> {
        let fits = in_line::are_same(self.types, sent) && !has_nul(self.sql.as_bytes());
        fits.then_some(self.sql)
    }

    fn sql_text(&self) -> &str {
        self.sql
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn check(&self, session: &Session<'_>, params: &dyn Params) -> Result<Run, UsageError> {
        // What the server infers may be another type than that of the value.
        if !are_same(self.types, params) && !self.are_given(params, session.link.rules)? {
            return Ok(Run::Text);
        }
        Ok(match session.statics.as_ref().map(|statics| statics.find(self.hash)) {
            Some(Known::Prepared) => Run::Named,
            Some(Known::NotYet) => Run::Anew,
            Some(Known::NoPlace) | None => Run::Text,
        })
    }

    fn parse(&self, w: &mut Writer<'_>) -> Result<(), WireError> {
        parse(w, &self.name, self.sql, self.types)
    }

    fn parse_with(&self, w: &mut Writer<'_>, params: &dyn Params) -> Result<(), WireError> {
        parse_with(w, self.sql, params, &|index, _, _| given(self.types, index))
    }

    fn prepared(&self, session: &mut Session<'_>) {
        session.note_static(self.hash);
    }

    fn sql(&self) -> Sql<'_> {
        Sql(Source::Named(self))
    }
}

/// Close and Parse of a statement with a name, for the types given.
pub(super) fn parse(
    w: &mut Writer<'_>,
    name: &[u8],
    sql: &str,
    types: &[Oid],
) -> Result<(), WireError> {
    frontend::close_statement(w, name)?;
    frontend::parse(w, name, sql, move |w: &mut Writer<'_>| {
        w.count(types.len())?;
        types.iter().try_for_each(|&oid| w.u32(declared(oid, w.rules())))
    })
}

/// Parse of the unnamed statement: `types` says what is known of a parameter, or 0.
fn parse_with(
    w: &mut Writer<'_>,
    sql: &str,
    params: &dyn Params,
    types: &dyn Fn(usize, Oid, Rules) -> Oid,
) -> Result<(), WireError> {
    frontend::parse(w, frontend::UNNAMED, sql, move |w: &mut Writer<'_>| {
        let count = params.count();
        w.count(count)?;
        (0..count).try_for_each(|index| {
            let (sent, rules) = (params.oid(index), w.rules());
            match types(index, sent, rules) {
                0 => w.u32(sent_as(index, sent, rules)),
                known => w.u32(declared(known, rules)),
            }
        })
    })
}
