//! What a verb runs, and how: SQL text, or a statement with a name.

use crate::engine::{Name, NameHash};
use crate::verbs::named::Named;
use crate::verbs::params::Given;
use crate::verbs::query::{bind, parse};
use crate::verbs::statement::{Statement, StaticStatement};
use crate::wire::{Encode, WireError, Writer, frontend};

/// What a verb runs: SQL text, a [`Statement`] or a [`StaticStatement`]. Made from any by `into`.
#[derive(Clone, Copy)]
pub struct Sql<'q>(pub(crate) Source<'q>);

/// The text is the statement's, which may hold values: not shown.
impl core::fmt::Debug for Sql<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sql").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Source<'q> {
    /// Text, parsed by the server each time (on the unnamed statement: it also works through a
    /// pooler in transaction mode).
    Text(&'q str),
    /// A prepared statement, or one in flash.
    Named(&'q dyn Named),
}

/// How a statement is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Parsed as the unnamed statement.
    Text,
    /// By its name, which the server knows.
    Named,
    /// So, and its columns are known here.
    Described,
    /// By its name, prepared before: forgotten first, so that it cannot be there already.
    Anew,
}

impl Run {
    /// Whether the server knows the statement by its name.
    #[inline]
    pub(crate) fn is_known(self) -> bool {
        matches!(self, Self::Named | Self::Described)
    }

    /// Whether nothing comes before the end of the answer, but for a row that is wanted.
    #[inline]
    pub(crate) fn is_answered_at_once(self, row: bool) -> bool {
        if row { self == Self::Described } else { self.is_known() }
    }
}

/// One execution of a statement: what is run, with what, and how. Handed on as one word.
pub(crate) struct Execution<'e, P: ?Sized> {
    pub(crate) sql: Sql<'e>,
    pub(crate) params: &'e P,
    pub(crate) run: Run,
    /// Its rows are wanted.
    pub(crate) rows: bool,
}

impl<'e, P: ?Sized> Execution<'e, P> {
    #[inline]
    pub(crate) const fn new(sql: Sql<'e>, params: &'e P, rows: bool) -> Self {
        Self { sql, params, run: Run::Text, rows }
    }

    /// Whether the columns of its rows are to be described.
    #[inline]
    pub(crate) fn asks_for_description(&self) -> bool {
        self.rows && self.run != Run::Described
    }
}

impl Sql<'_> {
    /// Of a statement that has a name.
    pub(crate) fn hash(&self) -> NameHash {
        match self.0 {
            Source::Text(_) => NameHash::NONE,
            Source::Named(statement) => statement.hash(),
        }
    }

    /// The name it is run by.
    pub(crate) fn name(&self, run: Run) -> &[u8] {
        match self.statement_name(run) {
            Some(name) => name,
            None => frontend::UNNAMED,
        }
    }

    /// The same, `None` for the unnamed statement.
    #[inline]
    pub(crate) fn statement_name(&self, run: Run) -> Option<&Name> {
        match self.0 {
            Source::Named(statement) if run != Run::Text => Some(statement.name()),
            _ => None,
        }
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        match self.0 {
            Source::Text(text) => text,
            Source::Named(statement) => statement.sql_text(),
        }
    }
}

impl From<&'static StaticStatement> for Sql<'_> {
    fn from(statement: &'static StaticStatement) -> Self {
        Self(Source::Named(statement))
    }
}

impl<'q> From<&'q str> for Sql<'q> {
    fn from(text: &'q str) -> Self {
        Self(Source::Text(text))
    }
}

impl<'q> From<&'q Statement<'_>> for Sql<'q> {
    fn from(statement: &'q Statement<'_>) -> Self {
        Self(Source::Named(statement))
    }
}

impl<P: ?Sized> Execution<'_, P> {
    /// Describe if that is wanted, Execute and Sync.
    pub(crate) fn encode_end(&self, w: &mut Writer<'_>) -> Result<(), WireError> {
        if self.asks_for_description() {
            frontend::describe_portal(w)?;
        }
        frontend::execute_and_sync(w)
    }
}

/// Everything that runs a statement.
impl<P: Given + ?Sized> Encode for Execution<'_, P> {
    fn encode(&self, w: &mut Writer<'_>, _: &[u8]) -> Result<(), WireError> {
        let Self { ref sql, params, run, .. } = *self;
        // Through the table, so that it is linked only where there are statements with a name.
        #[cfg(target_os = "none")]
        if let Source::Named(statement) = sql.0 {
            return statement.encode(w, P::as_it_is(self));
        }
        if !run.is_known() {
            parse(w, sql, params.erased(), run)?;
        }
        bind(w, sql, params, run)?;
        self.encode_end(w)
    }
}
