//! COPY OUT: a stream from a table to here.

use super::BINARY_HEADER;
use super::row::{CopyFields, CopyRow};
use crate::connection::Connection;
use crate::engine::{Session, Span};
use crate::error::{Error, Fault, Result, UsageError};
use crate::transport::{Lent, lent};
use crate::wire::backend::{CopyResponse, tag};
use crate::wire::{Reader, WireError};

/// A COPY out of a table, begun by [`Connection::copy_out`](crate::Connection::copy_out).
///
/// Dropping it early is fine: the next verb discards the rest, which takes as long as the
/// server has data to send; a [`CancelToken`](crate::CancelToken) cuts it short. Each call has the
/// connection's deadline for itself.
#[must_use = "whether the COPY succeeded is known at its end"]
pub struct CopyOut<'r, 'b> {
    session: &'r mut Session<'b>,
    io: Lent<'r>,
    layout: CopyResponse,
    /// The header of a binary stream was read.
    opened: bool,
    done: bool,
    rows: u64,
}

impl<'b> Connection<'_, 'b> {
    /// Begins a COPY out of a table: `copy_out("copy t to stdout")`.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let mut copy = conn.copy_out("copy recipe to stdout with (format binary)")?;
    /// while let Some((id, name)) = copy.next_row::<(i32, Option<&str>)>()? {
    /// #   let _ = (id, name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`copy_in`](Self::copy_in).
    pub fn copy_out(&mut self, sql: &str) -> Result<CopyOut<'_, 'b>> {
        let (session, mut io) = (&mut *self.session, lent(&mut self.io));
        match session.start_copy(&mut io, sql, tag::COPY_OUT_RESPONSE) {
            Ok(layout) => Ok(CopyOut { session, io, layout, opened: false, done: false, rows: 0 }),
            Err(fault) => Err(session.into_error(fault)),
        }
    }
}

impl CopyOut<'_, '_> {
    /// How many columns a row has.
    pub const fn columns(&self) -> u16 {
        self.layout.columns
    }

    /// Whether the stream is binary (`with (format binary)`).
    pub const fn is_binary(&self) -> bool {
        self.layout.binary
    }

    /// The next bytes of the stream, or `None` at its end. The server sends a row at a time: a row
    /// that fits the receive buffer comes whole, a larger one in pieces.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server): the COPY failed or was cancelled;
    /// connection usable, but for FATAL. After any other error the connection is dead. An error that ended the
    /// COPY is repeated by every further call.
    #[allow(clippy::should_implement_trait, reason = "a lending iterator cannot be an Iterator")]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        let link = &mut self.session.link;
        if !self.done && link.try_take(tag::COPY_DATA) && link.taken_len() > 0 {
            return Ok(Some(self.session.link.taken()));
        }
        self.next_slowly()
    }

    #[inline(never)]
    fn next_slowly(&mut self) -> Result<Option<&[u8]>> {
        self.session.check_ended()?;
        match self.piece(usize::MAX) {
            Ok(Some(span)) => Ok(Some(self.session.link.get(span))),
            Ok(None) => Ok(None),
            Err(fault) => Err(self.report(fault)),
        }
    }

    /// The next row of a binary stream, decoded: `copy.next_row::<(i32, Option<&str>)>()`, or
    /// `None` at the end.
    ///
    /// A binary stream does not name its types: the Rust types must be those of the columns. One
    /// of another size is found, `i32` read as `u32` is not.
    ///
    /// # Errors
    /// As [`next`](Self::next). These leave the COPY where it is, after the row:
    /// [`ErrorKind::Column`](crate::ErrorKind::Column) (a value does not fit its Rust type, or the row
    /// has fewer), [`UsageError::ColumnCount`] (the row has more),
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) (the row is larger than the receive buffer).
    /// [`UsageError::CopyFormat`]: the stream is not binary.
    pub fn next_row<'s, R: CopyRow<'s>>(&'s mut self) -> Result<Option<R>> {
        self.session.check_ended()?;
        match self.row() {
            Ok(Some((count, span))) => {
                let link = &self.session.link;
                R::from_copy(&mut CopyFields::new(count, span, link)).map(Some)
            }
            Ok(None) => Ok(None),
            Err(fault) => Err(self.report(fault)),
        }
    }

    /// Rows that the finished stream held, as CommandComplete counted them.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Moves to the next CopyData that is not empty, or the rest of the current one. `false` at
    /// the end.
    fn advance(&mut self) -> Result<bool, Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        session.exchange.check()?;
        session.link.limit(session.timeout_ms);
        while !self.done && session.link.left() == 0 {
            session.next(io)?;
            match session.link.tag {
                tag::COPY_DATA => {}
                tag::COPY_DONE => {
                    session.read_answer(io, false)?;
                    self.rows = session.rows();
                    self.done = true;
                }
                _ => return Err(session.unexpected(io)),
            }
        }
        Ok(!self.done)
    }

    fn piece(&mut self, max: usize) -> Result<Option<Span>, Fault> {
        if !self.advance()? {
            return Ok(None);
        }
        let link = &mut self.session.link;
        if link.left() <= link.room().min(max) {
            link.body(&mut self.io)?;
        } else {
            link.take_some(&mut self.io, max)?;
        }
        Ok(Some(link.span()))
    }

    /// The next row: how many fields, and where they are.
    fn row(&mut self) -> Result<Option<(u16, Span)>, Fault> {
        if !self.layout.binary {
            return Err(UsageError::CopyFormat.into());
        }
        if !self.opened {
            self.opened = true;
            self.open()?;
        }
        if !self.advance()? {
            return Ok(None);
        }
        let (link, io) = (&mut self.session.link, &mut self.io);
        let count = link.count(io)?.cast_signed();
        let needed = link.left();
        match u16::try_from(count) {
            Ok(_) if needed > link.room() => {
                link.skip(io)?;
                Err(link.too_small(needed))
            }
            Ok(count) => {
                link.body(io)?;
                check_fields(link.taken(), count)?;
                Ok(Some((count, link.span())))
            }
            // The trailer.
            Err(_) if count == -1 && needed == 0 => {
                self.advance()?;
                Ok(None)
            }
            Err(_) => Err(WireError::Malformed.into()),
        }
    }

    fn open(&mut self) -> Result<(), Fault> {
        if !self.advance()? {
            return Err(WireError::Malformed.into());
        }
        let (link, io) = (&mut self.session.link, &mut self.io);
        link.take(io, BINARY_HEADER.len())?;
        let mut reader = Reader::new(link.taken());
        let signature = reader.bytes(11)? == BINARY_HEADER.get(..11).unwrap_or(&[]);
        // The upper half of the flags is for changes that a reader must know.
        let (critical, _, extension) = (reader.u16()?, reader.u16()?, reader.u32()?);
        if !signature || critical != 0 {
            return Err(WireError::Malformed.into());
        }
        let mut extension = usize::try_from(extension).unwrap_or(usize::MAX);
        while extension > 0 {
            link.take_some(io, extension)?;
            let skipped = link.taken_len();
            if skipped == 0 {
                return Err(WireError::Malformed.into());
            }
            extension = extension.saturating_sub(skipped);
        }
        Ok(())
    }

    #[cold]
    fn report(&mut self, fault: Fault) -> Error {
        self.done |= fault == Fault::SERVER;
        self.session.into_error(fault)
    }
}

/// Checks that the bytes are exactly `count` fields.
fn check_fields(fields: &[u8], count: u16) -> Result<(), WireError> {
    let mut reader = Reader::new(fields);
    (0..count).try_for_each(|_| reader.value().map(|_| ()))?;
    reader.finish()
}

impl core::fmt::Debug for CopyOut<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CopyOut").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl embedded_io::ErrorType for CopyOut<'_, '_> {
    type Error = Error;
}

impl embedded_io::Read for CopyOut<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.session.check_ended()?;
        let span = match self.piece(buf.len()) {
            Ok(Some(span)) => span,
            Ok(None) => return Ok(0),
            Err(fault) => return Err(self.report(fault)),
        };
        let bytes = self.session.link.get(span);
        if let Some(room) = buf.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }
}
