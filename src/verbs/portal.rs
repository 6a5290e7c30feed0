//! Portals: a statement's rows in slices, with other statements between them.

use crate::engine::{Ending, NameHash, Session};
use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::transport::{Lent, lent};
use crate::verbs::params::{Params, given, parameters};
use crate::verbs::query::parse;
use crate::verbs::rows::{PartOf, Rows};
use crate::verbs::sql::{Execution, Run, Sql};
use crate::verbs::transaction::Transaction;
use crate::wire::backend::{FIELD_TAIL, FieldTail, tag};
use crate::wire::frontend::PortalName;
use crate::wire::{WireError, Writer, frontend};

/// A statement that was begun in a transaction and gives its rows in slices. It lives in the
/// server until the transaction ends; here it is a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Portal {
    number: u32,
    identity: u32,
    fitting: u32,
    /// How running it may end the transaction.
    ending: Ending,
}

impl Portal {
    /// How many rows fit the receive buffer at once, at least 1. Columns of variable length count
    /// as [`limits::PORTAL_VARIABLE`] bytes.
    pub const fn fitting(&self) -> u32 {
        self.fitting
    }
}

impl<'b> Transaction<'_, '_, 'b> {
    /// Begins a statement whose rows are fetched in slices.
    ///
    /// ```no_run
    /// # fn f(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let mut tx = conn.transaction()?;
    /// let portal = tx.portal("select id from task", ())?;
    /// loop {
    ///     let mut rows = tx.fetch(&portal, 50)?;
    ///     while let Some(row) = rows.next()? {
    ///         let (id,): (i32,) = row.decode()?;
    /// #       let _ = id;
    ///     }
    ///     if !rows.is_suspended() {
    ///         break;
    ///     }
    ///     tx.execute("select 'something else'", ())?;
    /// }
    /// tx.commit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Connection::query`](crate::Connection::query).
    pub fn portal<'q, P: Params>(&mut self, sql: impl Into<Sql<'q>>, params: P) -> Result<Portal> {
        let connection = &mut *self.connection;
        let io = &mut lent(&mut connection.io);
        let result = connection.session.open_portal(io, sql.into(), &params);
        result.map_err(|fault| connection.session.into_error(fault))
    }

    /// The next rows of a portal, at most `rows` (0: all that are left). When they are read,
    /// [`Rows::is_suspended`] says whether there are more.
    ///
    /// # Errors
    /// As [`Connection::query`](crate::Connection::query). [`UsageError::StaleStatement`]: the
    /// portal belongs to another session.
    pub fn fetch(&mut self, portal: &Portal, rows: u32) -> Result<Rows<'_, 'b>> {
        let connection = &mut *self.connection;
        match connection.session.fetch(&mut lent(&mut connection.io), portal, rows) {
            Ok(()) => {
                let mut rows = Rows::new(connection.session, lent(&mut connection.io));
                rows.part = PartOf::Portal;
                Ok(rows)
            }
            Err(fault) => Err(connection.session.into_error(fault)),
        }
    }

    /// Makes the server forget a portal before the transaction ends.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn close_portal(&mut self, portal: &Portal) -> Result<()> {
        let connection = &mut *self.connection;
        let result = connection.session.close_portal(&mut lent(&mut connection.io), portal);
        result.map_err(|fault| connection.session.into_error(fault))
    }
}

impl Session<'_> {
    /// Parse (of text), Bind, Describe, Sync.
    fn open_portal(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        params: &dyn Params,
    ) -> Result<Portal, Fault> {
        let mut execution = Execution::new(sql, given!(params), false);
        self.begin_statement(io, &mut execution)?;
        let run = execution.run;
        let number = self.portals;
        self.portals = number.wrapping_add(1);
        let portal = frontend::portal_name(number);
        self.stage(io, &|w| {
            parse(w, &sql, params, run)?;
            bind_portal(w, &portal, sql, params, run)?;
            frontend::describe_named_portal(w, &portal)
        })?;
        self.send_sync(io)?;
        self.bound(io, &sql, run).inspect_err(|fault| {
            // The transaction has failed with it; the next one knows.
            self.lost_statement(*fault, run == Run::Anew);
        })?;
        self.next(io)?;
        let fitting = match self.link.tag {
            tag::ROW_DESCRIPTION => self.rows_that_fit(io)?,
            tag::NO_DATA => 1,
            _ => return Err(self.unexpected(io)),
        };
        self.expect_ready(io)?;
        let ending = self.ledger.ending();
        Ok(Portal { number, identity: self.identity(), fitting, ending })
    }

    /// How many rows of a RowDescription fit the receive buffer beside their descriptions.
    fn rows_that_fit(&mut self, io: &mut Lent<'_>) -> Result<u32, Fault> {
        let count = self.link.count(io)?;
        let described = self.link.described_size(count);
        // DataRow's own 7 bytes.
        let mut row = 7_usize;
        for _ in 0..count {
            self.link.cstr_len(io, 0)?;
            self.link.take(io, FIELD_TAIL)?;
            let field = FieldTail::decode(self.link.taken())?;
            let size = usize::try_from(field.size).unwrap_or(limits::PORTAL_VARIABLE);
            row = row.saturating_add(4).saturating_add(size);
        }
        if self.link.left() != 0 {
            return Err(WireError::Malformed.into());
        }
        let (size, _) = self.link.sizes();
        let room = size.saturating_sub(described.min(size / 2)).saturating_sub(limits::RX_RESERVE);
        let rows = room.checked_div(row).unwrap_or(0).max(1);
        Ok(u32::try_from(rows).unwrap_or(1))
    }

    /// Describe, Execute, Sync.
    fn fetch(&mut self, io: &mut Lent<'_>, portal: &Portal, rows: u32) -> Result<(), Fault> {
        self.begin(io)?;
        let name = self.portal_name(portal)?;
        self.note_ending(portal.ending);
        // The protocol's number is signed.
        let rows = rows.min(i32::MAX.unsigned_abs());
        self.stage(io, &|w| {
            frontend::describe_named_portal(w, &name)?;
            frontend::execute_portal(w, &name, rows)
        })?;
        self.send_sync(io)?;
        // It is the only statement.
        self.exchange.sync_sent();
        self.described(io, NameHash::NONE)
    }

    fn close_portal(&mut self, io: &mut Lent<'_>, portal: &Portal) -> Result<(), Fault> {
        self.begin(io)?;
        let name = self.portal_name(portal)?;
        self.close(io, &|w| frontend::close_portal(w, &name))
    }

    fn portal_name(&self, portal: &Portal) -> Result<PortalName, Fault> {
        if portal.identity != self.identity() {
            return Err(UsageError::StaleStatement.into());
        }
        Ok(frontend::portal_name(portal.number))
    }
}

fn bind_portal(
    w: &mut Writer<'_>,
    portal: &PortalName,
    sql: Sql<'_>,
    params: &dyn Params,
    run: Run,
) -> Result<(), WireError> {
    frontend::bind(w, portal, sql.name(run), &|w: &mut Writer<'_>| parameters(w, params))
}
