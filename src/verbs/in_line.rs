//! Messages that run a statement, compiled in line for its parameters: the common path of hosts, into
//! a slice that has room for them. What does not fit is written by `query` and its likes, in parts
//! that are compiled once, as all is on bare targets: there the functions here are not called.

use crate::engine::Session;
use crate::types::Oid;
use crate::verbs::params::Params;
use crate::verbs::query;
#[cfg(not(target_os = "none"))]
use crate::verbs::sql::Source;
use crate::verbs::sql::{Execution, Run, Sql};
#[cfg(not(target_os = "none"))]
use crate::wire::frontend::{close_bind, open_bind, parse_in_line};
#[cfg(not(target_os = "none"))]
use crate::wire::has_nul;
use crate::wire::{WireError, Writer, frontend};

/// Parse.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn parse<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    params: &P,
    run: Run,
) -> Result<(), WireError> {
    #[cfg(not(target_os = "none"))]
    match sql.0 {
        Source::Text(text) => {
            if let (Some(types), false) =
                (params.types(), w.rules().is_gauss() || params.has_text())
            {
                if has_nul(text.as_bytes()) {
                    return Err(WireError::Nul);
                }
                return parse_in_line(w, text, types);
            }
        }
        Source::Named(_) => {}
    }
    w.apart(|w| query::parse(w, &sql, &params, run))
}

/// What is known of a statement with a name whose parameters fit: its text, and their types. On bare
/// targets nothing.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn known<'q, P: Params + ?Sized>(
    session: &Session<'_>,
    sql: Sql<'q>,
    params: &P,
) -> Option<(&'q str, &'q [Oid])> {
    #[cfg(not(target_os = "none"))]
    if let (Source::Named(statement), Some(types), false) =
        (sql.0, params.types(), session.link.rules.is_gauss())
    {
        return Some((statement.text(session, types)?, types));
    }
    let _ = (session, sql, params);
    None
}

/// Bind to the unnamed portal.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn bind<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    params: &P,
    run: Run,
) -> Result<(), WireError> {
    #[cfg(not(target_os = "none"))]
    {
        if params.has_text() {
            return w.apart(|w| query::bind(w, &sql, params, run));
        }
        let message = open_bind(w, sql.statement_name(run), params.count())?;
        params.values(w)?;
        close_bind(w, message)
    }
    #[cfg(target_os = "none")]
    query::bind(w, &sql, params, run)
}

/// Everything that runs a statement.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn statement<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    execution: &Execution<'_, P>,
) -> Result<(), WireError> {
    let Execution { sql, params, run, .. } = *execution;
    if !run.is_known() {
        parse(w, sql, params, run)?;
    }
    bind(w, sql, params, run)?;
    if execution.asks_for_description() {
        frontend::describe_portal(w)?;
    }
    frontend::execute_and_sync(w)
}

/// Bind and Execute: an item of a batch.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn item<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    params: &P,
) -> Result<(), WireError> {
    bind(w, sql, params, Run::Text)?;
    frontend::execute(w)
}

/// Parse, Bind, Describe and Execute: a statement of a pipeline. `known`: what [`known`] says.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn piped<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    sql: Sql<'_>,
    known: Option<(&str, &[Oid])>,
    params: &P,
) -> Result<(), WireError> {
    match known {
        #[cfg(not(target_os = "none"))]
        Some((text, types)) => parse_in_line(w, text, types)?,
        _ => parse(w, sql, params, Run::Text)?,
    }
    bind(w, sql, params, Run::Text)?;
    frontend::describe_portal(w)?;
    frontend::execute(w)
}

/// A row of a binary COPY.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn row<P: Params + ?Sized>(
    w: &mut Writer<'_>,
    columns: u16,
    row: &P,
) -> Result<(), WireError> {
    w.u16(columns)?;
    row.values(w)
}

/// Whether the types are just these. A comparison of slices would call a routine that compares
/// bytes.
#[inline]
pub(crate) fn are_same(types: &[Oid], sent: &[Oid]) -> bool {
    types.len() == sent.len() && types.iter().zip(sent).all(|(a, b)| a == b)
}
