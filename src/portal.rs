//! Portals: a statement's rows in slices, with other statements between them.

use embedded_io::{Read, Write};

use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::params::Params;
use crate::query::parse;
use crate::row::COLUMN_HEAD;
use crate::rows::{PartOf, Rows};
use crate::session::Session;
use crate::statement::Sql;
use crate::transaction::Transaction;
use crate::transport::{Lent, lent};
use crate::wire::backend::tag;
use crate::wire::{Reader, WireError, frontend};

/// A statement that was begun in a transaction and gives its rows in slices. It lives in the
/// server until the transaction ends; here it is a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Portal {
    id: u16,
    epoch: u16,
    fitting: u32,
}

impl Portal {
    /// How many rows fit the receive buffer at once, at least 1. Columns of variable length count
    /// as [`limits::PORTAL_VARIABLE`] bytes.
    pub const fn fitting(&self) -> u32 {
        self.fitting
    }
}

impl<'b, T: Read + Write> Transaction<'_, '_, 'b, T> {
    /// Begins a statement whose rows are fetched in slices.
    ///
    /// ```no_run
    /// # fn f<T: embedded_io::Read + embedded_io::Write>(conn: &mut barepg::Connection<'_, '_, T>)
    /// # -> barepg::Result<()> {
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
        let mut prepared = None;
        let sql = self.connection.ready(sql.into(), &mut prepared)?;
        let connection = &mut *self.connection;
        let result =
            connection.session.open_portal(&mut lent(&mut connection.transport), sql, &params);
        result.map_err(|fault| connection.session.verdict(fault))
    }

    /// The next rows of a portal, at most `rows` (0: all that are left). When they are read,
    /// [`Rows::is_suspended`] tells whether there are more.
    ///
    /// # Errors
    /// As [`Connection::query`](crate::Connection::query). [`UsageError::StaleStatement`]: the
    /// portal belongs to another session.
    pub fn fetch(&mut self, portal: &Portal, rows: u32) -> Result<Rows<'_, 'b>> {
        let connection = &mut *self.connection;
        match connection.session.fetch(&mut lent(&mut connection.transport), portal, rows) {
            Ok(()) => {
                let mut rows = Rows::new(connection.session, lent(&mut connection.transport));
                rows.part = PartOf::Portal;
                Ok(rows)
            }
            Err(fault) => Err(connection.session.verdict(fault)),
        }
    }

    /// Makes the server forget a portal before the transaction ends.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn close_portal(&mut self, portal: &Portal) -> Result<()> {
        let connection = &mut *self.connection;
        let result = connection.session.close_portal(&mut lent(&mut connection.transport), portal);
        result.map_err(|fault| connection.session.verdict(fault))
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
        self.begin(io)?;
        self.check_params(sql, params)?;
        self.extended = true;
        let id = self.statements;
        self.statements = id.wrapping_add(1);
        self.stage(io, &|w| {
            parse(w, sql, params)?;
            let values = &|w: &mut crate::wire::Writer<'_>| params.values(w);
            frontend::bind_portal(w, id, sql.name(&mut [0; 6]), params.count(), values)?;
            frontend::describe_numbered(w, id)?;
            frontend::sync(w)
        })?;
        self.send(io)?;
        self.bound(io, sql)?;
        self.next(io)?;
        let fitting = match self.link.tag {
            tag::ROW_DESCRIPTION => self.rows_that_fit(io)?,
            tag::NO_DATA => 1,
            _ => return Err(self.unexpected(io)),
        };
        self.expect_ready(io)?;
        Ok(Portal { id, epoch: self.epoch, fitting })
    }

    /// How many rows of a RowDescription fit the receive buffer beside their descriptions.
    fn rows_that_fit(&mut self, io: &mut Lent<'_>) -> Result<u32, Fault> {
        let count = self.link.count(io)?;
        // DataRow's own 7 bytes.
        let (mut row, mut described) = (7_usize, 0_usize);
        for _ in 0..count {
            let length = self.link.cstr_len(io)?;
            self.link.take(io, length.saturating_add(19))?;
            let mut reader = Reader::new(self.link.taken());
            reader.bytes(length.saturating_add(11))?;
            let size = usize::try_from(reader.i16()?).unwrap_or(limits::PORTAL_VARIABLE);
            row = row.saturating_add(4).saturating_add(size);
            described = described.saturating_add(COLUMN_HEAD).saturating_add(length);
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
        self.check_portal(portal)?;
        self.extended = true;
        // The protocol's number is signed.
        let rows = rows.min(i32::MAX.unsigned_abs());
        self.stage(io, &|w| {
            frontend::describe_numbered(w, portal.id)?;
            frontend::execute_portal(w, portal.id, rows)?;
            frontend::sync(w)
        })?;
        self.send(io)?;
        self.described(io)
    }

    fn close_portal(&mut self, io: &mut Lent<'_>, portal: &Portal) -> Result<(), Fault> {
        self.begin(io)?;
        self.check_portal(portal)?;
        self.extended = true;
        self.stage(io, &|w| {
            frontend::close_portal(w, portal.id)?;
            frontend::sync(w)
        })?;
        self.send(io)?;
        self.expect(io, tag::CLOSE_COMPLETE)?;
        self.expect_ready(io)
    }

    fn check_portal(&self, portal: &Portal) -> Result<(), Fault> {
        if portal.epoch == self.epoch { Ok(()) } else { Err(UsageError::StaleStatement.into()) }
    }
}
