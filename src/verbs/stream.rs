//! Values of any size: columns read while they arrive, parameters sent from a reader.

use core::cell::RefCell;

use embedded_io::{BufRead, Read};

use crate::engine::Session;
use crate::error::{Error, Fault, Result, UsageError};
use crate::transport::Lent;
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::verbs::row::{Column, Columns};
use crate::verbs::rows::Rows;
use crate::wire::{WireError, Writer};

/// A parameter or COPY field of known length whose bytes come from a reader, so that it may be
/// larger than all memory: `Streamed::new(length, reader)` is a `bytea`,
/// `Streamed::text(length, reader)` is `text`.
///
/// The length goes out before the bytes, so exactly that many are read, once, while the message is
/// being sent. A value whose bytes were read is not sent again: that is
/// [`ErrorKind::Encode`](crate::ErrorKind::Encode) with [`WireError::Source`] before anything leaves
/// ([`Outcome::NotSent`](crate::Outcome::NotSent), connection usable), also where a server has forgotten
/// a prepared statement, which the driver would else run again by itself. Make another from the beginning of
/// the source. When the reader fails or ends early, the message
/// cannot be completed. As a parameter this costs the connection
/// ([`ErrorKind::Encode`](crate::ErrorKind::Encode) with [`WireError::Source`],
/// [`Outcome::Refused`](crate::Outcome::Refused): the server does nothing with half a message). In
/// a COPY only the COPY fails. So where a source is not to be trusted, use
/// [`CopyIn`](crate::CopyIn).
///
/// The statement's deadline holds for all of it: see
/// [`set_timeout_ms`](crate::Connection::set_timeout_ms).
pub struct Streamed<R, const OID: Oid = { oid::BYTEA }> {
    length: usize,
    /// Once bytes were taken from it, it is borrowed for ever: it has none of them any more.
    reader: RefCell<R>,
}

impl<R: Read> Streamed<R> {
    /// `length` bytes of `reader` as `bytea`.
    pub const fn new(length: usize, reader: R) -> Self {
        Self::typed(length, reader)
    }
}

impl<R: Read> Streamed<R, { oid::TEXT }> {
    /// `length` bytes of `reader` as `text`. The server checks that they are UTF-8.
    pub const fn text(length: usize, reader: R) -> Self {
        Self::typed(length, reader)
    }
}

impl<R: Read, const OID: Oid> Streamed<R, OID> {
    /// `length` bytes of `reader` as a value of type `OID` in its binary format.
    pub const fn typed(length: usize, reader: R) -> Self {
        Self { length, reader: RefCell::new(reader) }
    }
}

impl<R: Read, const OID: Oid> ToSql for Streamed<R, OID> {
    const OID: Oid = OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        let mut reader = self.reader.try_borrow_mut().map_err(|_| WireError::Source)?;
        let mut is_read = false;
        let written = out.source(self.length, &mut |room| {
            is_read = true;
            reader.read(room).map_err(|_| WireError::Source)
        });
        if is_read {
            core::mem::forget(reader);
        }
        written
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        if cfg!(feature = "opengauss") && self.length == 0 && OID == oid::TEXT {
            return out.counted_text(&[]);
        }
        out.prefixed(&|out| self.to_sql(out))
    }
}

impl<'b> Rows<'_, 'b> {
    /// The next row, to be read column by column while it arrives: no value needs to fit the
    /// receive buffer. `None` at the end of the result.
    ///
    /// ```no_run
    /// # fn f(rows: &mut barepg::Rows<'_, '_>) -> barepg::Result<()> {
    /// use embedded_io::Read;
    /// while let Some(mut row) = rows.next_streamed()? {
    ///     let mut buf = [0; 64];
    ///     while let Some(mut column) = row.next_column()? {
    ///         loop {
    ///             let n = column.read(&mut buf)?;
    ///             if n == 0 {
    ///                 break;
    ///             }
    ///             // use buf[..n]
    ///         }
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`next`](Self::next), but no row is too large.
    pub fn next_streamed(&mut self) -> Result<Option<StreamedRow<'_, 'b>>> {
        self.session.check_ended()?;
        self.session.link.limit(self.session.timeout_ms);
        match self.head().and_then(|found| if found { self.count() } else { Ok(false) }) {
            Ok(true) => {
                let (session, io) = (&mut *self.session, self.io.again());
                let columns = session.link.columns;
                Ok(Some(StreamedRow { session, io, columns, index: 0, left: 0 }))
            }
            Ok(false) => Ok(None),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// The count of columns at the head of a row, which must be that of the description.
    fn count(&mut self) -> Result<bool, Fault> {
        let count = self.session.link.count(&mut self.io)?;
        if count == self.session.link.columns { Ok(true) } else { Err(WireError::Malformed.into()) }
    }
}

/// A row that is still arriving. What is not read of it is discarded.
pub struct StreamedRow<'s, 'b> {
    session: &'s mut Session<'b>,
    io: Lent<'s>,
    columns: u16,
    /// Of the next column.
    index: u16,
    /// Bytes of the current column that were not read.
    left: usize,
}

impl<'s, 'b> StreamedRow<'s, 'b> {
    /// The next column, or `None` after the last. What was not read of the one before is
    /// dropped.
    ///
    /// # Errors
    /// The connection is dead after every error.
    pub fn next_column(&mut self) -> Result<Option<StreamedColumn<'_, 's, 'b>>> {
        self.session.check_ended()?;
        match self.advance() {
            Ok(Some(length)) => Ok(Some(StreamedColumn { row: self, length })),
            Ok(None) => Ok(None),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Moves to the next column: its length, or `Some(None)` for NULL.
    fn advance(&mut self) -> Result<Option<Option<usize>>, Fault> {
        self.session.exchange.check()?;
        self.session.link.limit(self.session.timeout_ms);
        while self.left > 0 {
            self.take(usize::MAX)?;
        }
        let link = &mut self.session.link;
        if self.index >= self.columns {
            return if link.left() == 0 { Ok(None) } else { Err(WireError::Malformed.into()) };
        }
        self.index = self.index.saturating_add(1);
        let length = match link.number(&mut self.io, 4)?.cast_signed() {
            -1 => return Ok(Some(None)),
            length => usize::try_from(length).map_err(|_| WireError::Malformed)?,
        };
        if length > link.left() {
            return Err(WireError::Malformed.into());
        }
        self.left = length;
        Ok(Some(Some(length)))
    }

    /// Takes at most `max` bytes of the current column.
    fn take(&mut self, max: usize) -> Result<(), Fault> {
        self.session.link.take_some(&mut self.io, max.min(self.left))?;
        self.left = self.left.saturating_sub(self.session.link.taken_len());
        Ok(())
    }
}

/// A column of a [`StreamedRow`]. Its bytes are read through [`embedded_io::Read`], once: `bytea`
/// and text are as they are, other types in their binary format.
pub struct StreamedColumn<'c, 's, 'b> {
    row: &'c mut StreamedRow<'s, 'b>,
    length: Option<usize>,
}

impl StreamedColumn<'_, '_, '_> {
    /// How many bytes the value has; `None` for NULL.
    pub const fn length(&self) -> Option<usize> {
        self.length
    }

    /// Whether the value is NULL.
    pub const fn is_null(&self) -> bool {
        self.length.is_none()
    }

    /// The column's description.
    ///
    /// # Errors
    /// [`UsageError::NoColumn`] never happens unless the server's description was malformed.
    pub fn column(&self) -> Result<Column<'_>> {
        let session = &*self.row.session;
        let mut columns = Columns::new(session.link.description());
        let index = usize::from(self.row.index.saturating_sub(1));
        columns.nth(index).ok_or(Error::local(UsageError::NoColumn.into()))
    }

    /// The value as a whole, for columns that fit the receive buffer.
    ///
    /// # Errors
    /// As [`Row::get`](crate::Row::get); [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) when
    /// it does not fit, and can be read in parts; [`UsageError::PartlyRead`] when bytes of it were read
    /// before, here too. The connection stays usable. After every other error it is dead.
    pub fn get<'v, T: FromSql<'v>>(&'v mut self) -> Result<T> {
        let (oid, format) = self.column().map(|column| (column.oid, column.format))?;
        let column = self.row.index.saturating_sub(1);
        let error = |reason| Error::of_column(column, reason, T::OID, oid);
        if !T::accepts(oid) {
            return Err(error(TypeError::Mismatch));
        }
        if self.length.is_none() {
            return T::from_null().map_err(error);
        }
        let StreamedRow { session, io, left, .. } = &mut *self.row;
        session.check_ended()?;
        if self.length != Some(*left) {
            return Err(Error::local(UsageError::PartlyRead.into()));
        }
        session.link.limit(session.timeout_ms);
        match session.link.take(io, *left) {
            Ok(()) => {
                *left = 0;
                let bytes = session.link.taken();
                T::from_sql(RawValue { oid, format, bytes }).map_err(error)
            }
            Err(fault) => Err(session.into_error(fault)),
        }
    }
}

impl embedded_io::ErrorType for StreamedColumn<'_, '_, '_> {
    type Error = Error;
}

impl StreamedColumn<'_, '_, '_> {
    /// Receives more of the column.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn receive(&mut self) -> Result<(), Fault> {
        let StreamedRow { session, io, .. } = &mut *self.row;
        session.exchange.check()?;
        session.link.refill(io, session.timeout_ms)
    }

    /// What the user sees of a failure to receive.
    #[cold]
    fn failed(&mut self, fault: Fault) -> Error {
        let session = &mut *self.row.session;
        match session.check_ended() {
            Ok(()) => session.into_error(fault),
            Err(first) => first,
        }
    }
}

impl Read for StreamedColumn<'_, '_, '_> {
    /// `Ok(0)` at the end of the value, and for NULL.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf()?;
        let length = bytes.len().min(buf.len());
        buf.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.consume(length);
        Ok(length)
    }
}

/// The value where it lies in the receive buffer, without a copy.
impl BufRead for StreamedColumn<'_, '_, '_> {
    /// Empty at the end of the value, and for NULL.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.row.left > 0
            && !self.row.session.link.has_unread()
            && let Err(fault) = self.receive()
        {
            return Err(self.failed(fault));
        }
        Ok(self.row.session.link.shown(self.row.left))
    }

    /// More than [`fill_buf`](Self::fill_buf) gave is as much as it gave.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn consume(&mut self, amount: usize) {
        let row = &mut *self.row;
        let taken = row.session.link.take_first(amount.min(row.left));
        row.left = row.left.wrapping_sub(taken);
    }
}

impl core::fmt::Debug for StreamedRow<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StreamedRow").field("index", &self.index).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for StreamedColumn<'_, '_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StreamedColumn").field("length", &self.length).finish_non_exhaustive()
    }
}

impl<R, const OID: Oid> core::fmt::Debug for Streamed<R, OID> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Streamed").field("length", &self.length).finish_non_exhaustive()
    }
}
