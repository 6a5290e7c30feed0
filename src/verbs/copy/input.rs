//! COPY IN: a stream from here into a table.

use super::{BINARY_HEADER, HEAD, fill_head};
use crate::connection::Connection;
use crate::engine::{Session, Way};
use crate::error::{Error, Fault, Outcome, Result, UsageError};
use crate::limits;
use crate::platform::low;
use crate::transport::{Lent, lent};
use crate::verbs::in_line;
use crate::verbs::params::{Params, erased};
use crate::wire::backend::CopyResponse;
use crate::wire::{Part, WireError, Writer, frontend};

/// A COPY into a table, begun by [`Connection::copy_in`](crate::Connection::copy_in).
///
/// Data are gathered in the send buffer and leave whenever it is full, many rows in one message.
/// [`finish`](Self::finish) makes the rows permanent (or part of the open transaction). A guard
/// that is dropped before sends nothing then: the next verb on the connection makes the COPY
/// fail. While it lives, each call has the connection's deadline for itself.
///
/// The server's refusal of a row is found when the driver reads: at the latest in `finish`,
/// earlier when the server stops taking data, or when asked by [`check`](Self::check). After an
/// error that ended the COPY every further call returns that error.
#[must_use = "no row is kept before finish()"]
pub struct CopyIn<'r, 'b> {
    session: &'r mut Session<'b>,
    io: Lent<'r>,
    layout: CopyResponse,
    content: Content,
    /// CopyDone was sent: only the server knows what becomes of the rows.
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Empty,
    /// The caller's bytes.
    Raw,
    /// Binary rows, whose header and trailer are the driver's.
    Rows,
}

impl<'b> Connection<'_, 'b> {
    /// Begins a COPY into a table. One round trip; the data follow through the guard.
    /// ```no_run
    /// # fn f(conn: &mut barepg::Connection) -> barepg::Result<u64> {
    /// let mut copy = conn.copy_in("copy reading from stdin with (format binary)")?;
    /// copy.send_row((1_i64, 21.5_f32))?;
    /// copy.finish() // only now the rows are kept
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query). [`UsageError::NotCopy`]: the statement is another one, and runs all
    /// the same; the next call says if it fails. [`UsageError::Copy`]: it is a COPY in the other direction.
    pub fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_, 'b>> {
        let (session, mut io) = (&mut *self.session, lent(&mut self.io));
        match session.start_copy_in(&mut io, sql) {
            Ok(layout) => {
                let abandon = |session: &mut Session<'_>, io: &mut Lent<'_>| {
                    session.fail_copy(io, "abandoned")
                };
                session.exchange.set_unfinished(Some(abandon));
                Ok(CopyIn { session, io, layout, content: Content::Empty, done: false })
            }
            Err(fault) => Err(session.into_error(fault)),
        }
    }
}

impl CopyIn<'_, '_> {
    /// How many columns the server expects.
    pub const fn columns(&self) -> u16 {
        self.layout.columns
    }

    /// Whether the stream is binary (`with (format binary)`).
    pub const fn is_binary(&self) -> bool {
        self.layout.binary
    }

    /// Appends bytes as they are: text, CSV or a binary stream of your own, cut anywhere.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server): the server refused the COPY, no row of it
    /// is kept, connection usable. When the link fails, or with FATAL, it is dead, and no row is kept
    /// either ([`Outcome::Refused`]).
    pub fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let n = self.send_some(bytes)?;
            bytes = bytes.get(n..).unwrap_or(&[]);
        }
        Ok(())
    }

    /// Appends one row of a binary stream: `copy.send_row((7_i32, 21.5_f32, "on"))`. Header and
    /// trailer of the stream are the driver's. The Rust types must be those of the columns: the
    /// server does not convert, and takes the bytes of another type of the same size (`i32` for a
    /// `real`) as they are. A value may be [`Streamed`](crate::Streamed).
    ///
    /// # Errors
    /// As [`send`](Self::send). With [`Outcome::NotSent`] the row was left out and the COPY goes
    /// on: [`ErrorKind::Encode`](crate::ErrorKind::Encode) (a value has no encoding),
    /// [`UsageError::ParameterCount`] (not as many values as columns), [`UsageError::CopyFormat`]
    /// (the stream is not binary). When a streamed value's reader fails after a part of the row was
    /// sent, the COPY is ended: [`Outcome::Refused`], connection usable.
    #[inline]
    pub fn send_row<P: Params>(&mut self, row: P) -> Result<()> {
        self.live()?;
        match self.row(erased!(row)) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.report(fault)),
        }
    }

    /// Looks whether the server has refused already. Costs one wait of the transport (50 ms at
    /// most) when it has not.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn check(&mut self) -> Result<()> {
        self.live()?;
        let session = &mut *self.session;
        session.link.limit(session.timeout_ms);
        let looked = session.listen(&mut self.io).and_then(|()| self.look());
        looked.map_err(|fault| self.report(fault))
    }

    /// Ends the stream. Returns how many rows the server took.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server): refused, no row is kept, connection usable. With a
    /// SQLSTATE of class 08 it is [`Outcome::Unknown`], for poolers write these too; PostgreSQL's own is
    /// 08P01, where a value has not the size of its column (`i32` for a `bigint`), and then no row is kept.
    /// When the link fails, or with FATAL, [`Outcome::Unknown`]: the rows may have been kept.
    pub fn finish(mut self) -> Result<u64> {
        self.live()?;
        self.complete().map_err(|fault| self.report(fault))
    }

    /// Makes the COPY fail: no row is kept. The reason goes to the server's log.
    ///
    /// # Errors
    /// When the link fails; no row is kept then either.
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode): the reason holds a NUL byte; the next verb
    /// ends the COPY without it.
    pub fn abort(mut self, reason: &str) -> Result<()> {
        self.live()?;
        let session = self.session;
        session.link.limit(session.timeout_ms);
        session.link.discard_staged();
        let failed = session.fail_copy(&mut self.io, reason);
        match failed.and_then(|()| session.discard(&mut self.io)) {
            Ok(()) => Ok(()),
            Err(fault) if fault.is_unsendable() => Err(session.left_out(fault)),
            Err(fault) => Err(session.into_error_as(fault, Outcome::Refused)),
        }
    }

    /// An error that ended the COPY is repeated.
    #[inline]
    fn live(&self) -> Result<()> {
        self.session.check_ended()
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn row<P: Params + ?Sized>(&mut self, row: &P) -> Result<(), Fault> {
        match row.count() == usize::from(self.layout.columns) {
            true if row.has_text() => return Err(UsageError::CopyFormat.into()),
            true => {}
            false => return Err(UsageError::ParameterCount.into()),
        }
        if self.content != Content::Rows {
            self.start_rows()?;
        }
        let columns = self.layout.columns;
        if cfg!(target_os = "none") {
            return self.put_in_line(&|w: &mut Writer<'_>| in_line::row(w, columns, row));
        }
        match self.session.link.append_inline_after(HEAD, |w| in_line::row(w, columns, row)) {
            Ok(()) => Ok(()),
            Err(WireError::Full) => {
                self.put_what_is_large(&|w: &mut Writer<'_>| in_line::row(w, columns, row))
            }
            Err(error) => Err(error.into()),
        }
    }

    #[cold]
    fn start_rows(&mut self) -> Result<(), Fault> {
        if self.layout.binary { self.open() } else { Err(UsageError::CopyFormat.into()) }
    }

    /// The header, before the first row.
    fn open(&mut self) -> Result<(), Fault> {
        if self.content == Content::Empty {
            self.put(&|w: &mut Writer<'_>| w.bytes(BINARY_HEADER))?;
            self.content = Content::Rows;
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<u64, Fault> {
        if self.layout.binary {
            self.open()?;
        }
        if self.content == Content::Rows {
            self.put(&|w: &mut Writer<'_>| w.i16(-1))?;
        }
        self.push()?;
        let session = &mut *self.session;
        session.exchange.set_unfinished(None);
        self.done = true;
        session.link.limit(session.timeout_ms);
        session.stage(&mut self.io, &frontend::copy_done)?;
        session.send(&mut self.io)?;
        session.read_answer(&mut self.io, false)?;
        Ok(session.rows())
    }

    fn send_some(&mut self, bytes: &[u8]) -> Result<usize> {
        self.live()?;
        self.append(bytes).map_err(|fault| self.report(fault))
    }

    /// Appends as many bytes as there is room for, at least one.
    fn append(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        if self.content == Content::Empty {
            self.content = Content::Raw;
        }
        let mut room = self.session.link.tx_room(HEAD);
        if room == 0 {
            self.push()?;
            room = self.session.link.tx_room(HEAD);
        }
        let (now, _) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.session.link.append_after(HEAD, &|w: &mut Writer<'_>| w.bytes(now))?;
        Ok(now.len())
    }

    /// Appends what an encoder writes. What is larger than the send buffer is checked whole first
    /// and then sent in pieces.
    #[inline(never)]
    fn put(&mut self, part: Part<'_>) -> Result<(), Fault> {
        self.put_in_line(part)
    }

    /// The same of a row, which takes 10 instructions less than by a call.
    #[inline(always)]
    fn put_in_line(&mut self, part: Part<'_>) -> Result<(), Fault> {
        match self.session.link.append_after(HEAD, part) {
            Err(Fault::FULL) => self.put_what_is_large(part),
            written => written,
        }
    }

    /// What does not fit after what is staged: that goes out first.
    #[cold]
    #[inline(never)]
    fn put_what_is_large(&mut self, part: Part<'_>) -> Result<(), Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        session.link.limit(session.timeout_ms);
        session.stage_large(io, part, &COPY_DATA)?;
        self.look()
    }

    /// Sends what is staged as one CopyData.
    fn push(&mut self) -> Result<(), Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        session.link.limit(session.timeout_ms);
        session.send_out(io, &COPY_DATA)?;
        self.look()
    }

    /// What the server sent meanwhile: nothing, or an error.
    fn look(&mut self) -> Result<(), Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        session.take_arrived(io, false)?;
        if session.link.tag == 0 {
            return Ok(());
        }
        session.next(io)?;
        Err(session.unexpected(io))
    }

    /// What the user sees; ends the COPY unless only a row was left out.
    #[cold]
    fn report(&mut self, fault: Fault) -> Error {
        let (session, io) = (&mut *self.session, &mut self.io);
        let mut fault = fault;
        if fault.is_unsendable() && !self.done {
            return session.left_out(fault);
        }
        if fault.is_unsent() {
            session.link.discard_staged();
            let failed = session.fail_copy(io, "a value ended early");
            match failed.and_then(|()| session.discard(io)) {
                Ok(()) => session.ledger.batch_aborted(),
                Err(worse) => fault = worse,
            }
        }
        session.exchange.set_unfinished(None);
        // Without CopyDone the server keeps no row.
        let known = if self.done { Outcome::Unknown } else { Outcome::Refused };
        session.into_error_as(fault, known)
    }
}

impl core::fmt::Debug for CopyIn<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CopyIn").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl embedded_io::ErrorType for CopyIn<'_, '_> {
    type Error = Error;
}

impl embedded_io::Write for CopyIn<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if bytes.is_empty() { Ok(0) } else { self.send_some(bytes) }
    }

    fn flush(&mut self) -> Result<()> {
        self.live()?;
        self.push().map_err(|fault| self.report(fault))
    }
}

/// As one CopyData, whose head is filled in.
static COPY_DATA: Way = Way {
    head: HEAD,
    send: |session, io, frame| {
        fill_head(frame, frame.len().saturating_sub(HEAD));
        session.send_listening(io, frame)
    },
};

impl Session<'_> {
    /// Sends bytes; when the server takes none for a while, receives what it sends, so that neither
    /// side waits for the other.
    fn send_listening(&mut self, io: &mut Lent<'_>, mut bytes: &[u8]) -> Result<(), Fault> {
        let platform = self.link.platform();
        let mut since = low(platform.now_ms());
        while !bytes.is_empty() {
            let sent = self.link.write_once(io, bytes);
            sent.map_err(|fault| self.salvage(io, fault))?;
            bytes = bytes.get(io.moved..).unwrap_or(&[]);
            if bytes.is_empty() {
                break;
            }
            let stuck = io.moved == 0;
            self.link.tick()?;
            let now = low(platform.now_ms());
            // After a clock that went back it looks at once.
            if stuck && now.wrapping_sub(since) < limits::LISTEN_AFTER_MS {
                continue;
            }
            if stuck {
                self.listen(io)?;
            }
            since = now;
        }
        Ok(())
    }

    /// Receives while something comes and there is room, and handles asynchronous messages.
    fn listen(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        while !self.link.is_full() {
            if let Err(fault) = self.link.read_once(io) {
                // What came before the end says why.
                return if self.link.has_unread() { Ok(()) } else { Err(fault) };
            }
            if io.moved == 0 {
                break;
            }
            self.take_arrived(io, false)?;
            self.link.tick()?;
        }
        Ok(())
    }

    /// Sends CopyFail; the answer is still to be read.
    fn fail_copy(&mut self, io: &mut Lent<'_>, reason: &str) -> Result<(), Fault> {
        self.stage(io, &|w| frontend::copy_fail(w, reason))?;
        self.exchange.set_unfinished(None);
        self.exchange.abort();
        self.send(io)
    }
}
