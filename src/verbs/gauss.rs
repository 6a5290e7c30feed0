//! What openGauss wants otherwise, found out before a statement is sent.
//!
//! Two questions, each asked once where it matters. What is `''` in this database? In one of
//! compatibility A, the default, it is NULL, but the server makes NULL only of parameters declared
//! as `varchar`, not of `text`, and not in a binary COPY: so the driver does it, everywhere alike.
//! And is a parameter of bytes `bytea`, `blob` or `raw`? openGauss converts none into another, so
//! where the caller does not say it, the server is asked what it infers.
//!
//! Source: openGauss-server `src/gausskernel/process/tcop/postgres.cpp` (`exec_bind_message`),
//! `src/include/catalog/pg_cast.h`; openGauss 7.0.0-RC2 on the wire.

use crate::engine::Session;
use crate::error::{Fault, SqlState, UsageError};
use crate::transport::Lent;
use crate::types::{Oid, declared, is_text, oid};
use crate::verbs::params::Params;
use crate::verbs::sql::{Run, Source, Sql};
use crate::wire::backend::tag;
use crate::wire::{EXACTLY_EMPTY, Empty, Reader, Rules, WireError, Writer, frontend};

/// Types for bytes, by their number in [`Rules`].
const BYTES: [Oid; 3] = [oid::BYTEA, oid::BLOB, oid::RAW];

impl Session<'_> {
    /// Finds out what must be known before parameters are written. Returns how the statement is run
    /// then: a question takes the place of a description that was kept.
    #[cold]
    #[inline(never)]
    pub(crate) fn learn(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        run: &mut Run,
        params: &dyn Params,
    ) -> Result<(), Fault> {
        self.link.rules.forget_bytes();
        let rules = self.link.rules;
        let part = |w: &mut Writer<'_>| params.values(w);
        if rules.empty() == Empty::Unknown
            && Writer::measure(&part, &[], rules) == Err(WireError::Empty)
        {
            self.ask_what_empty_is(io)?;
            if *run == Run::Described {
                *run = Run::Named;
            }
        }
        let has_bytes = (0..params.count()).any(|index| params.oid(index) == oid::BYTEA);
        if has_bytes && (*run == Run::Text || matches!(sql.0, Source::Text(_))) {
            self.ask_for_types(io, sql, params)?;
        }
        Ok(())
    }

    /// The same for items that are not there yet: only a string can be without characters.
    #[cold]
    #[inline(never)]
    pub(crate) fn learn_for_many(
        &mut self,
        io: &mut Lent<'_>,
        first: &dyn Params,
    ) -> Result<(), Fault> {
        let textual = |oid| matches!(oid, 0 | oid::AS_TEXT) || is_text(oid);
        let any = (0..first.count()).any(|index| textual(first.oid(index)));
        if any { self.learn_what_empty_is(io) } else { Ok(()) }
    }

    /// Finds out what `''` is, if that is not known.
    #[cold]
    #[inline(never)]
    pub(crate) fn learn_what_empty_is(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        match self.link.rules.empty() {
            Empty::Unknown => self.ask_what_empty_is(io),
            Empty::Kept | Empty::Null => Ok(()),
        }
    }

    fn ask_what_empty_is(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let null = self.ask(io, "select ''::text is null", b"t")?;
        self.link.rules.set_empty(if null { Empty::Null } else { Empty::Kept });
        self.begin_again();
        Ok(())
    }

    /// Has the statement parsed with the types of its parameters of bytes left open, and keeps what
    /// the server makes of them. One round trip.
    fn ask_for_types(
        &mut self,
        io: &mut Lent<'_>,
        sql: Sql<'_>,
        params: &dyn Params,
    ) -> Result<(), Fault> {
        let open = Open(params);
        self.stage(io, &|w| {
            super::query::parse(w, &sql, &open, Run::Text)?;
            frontend::describe_statement(w, frontend::UNNAMED)
        })?;
        self.send_sync(io)?;
        match self.take_types(io, params) {
            // Outside of a transaction nothing is lost: the statement itself says what is wrong. Not where the
            // question was cancelled in its place.
            Err(Fault::SERVER)
                if self.is_untouched() && self.sqlstate() != SqlState::QUERY_CANCELED => {}
            result => result?,
        }
        self.begin_again();
        Ok(())
    }

    /// Whether the session is as it was before a statement that failed.
    fn is_untouched(&self) -> bool {
        use crate::engine::TransactionStatus::Idle;
        self.exchange.is_alive() && self.ledger.status() == Idle
    }

    fn take_types(&mut self, io: &mut Lent<'_>, params: &dyn Params) -> Result<(), Fault> {
        self.expect_empty(io, tag::PARSE_COMPLETE)?;
        self.next(io)?;
        if self.link.tag != tag::PARAMETER_DESCRIPTION {
            return Err(self.unexpected(io));
        }
        let count = usize::from(self.link.count(io)?);
        if count != params.count() {
            self.finish_types(io)?;
            return Err(UsageError::ParameterCount.into());
        }
        for index in 0..count {
            let told = self.link.number(io, 4)?;
            let kind = BYTES.iter().position(|oid| *oid == told);
            if params.oid(index) == oid::BYTEA
                && let Some(kind) = kind.and_then(|kind| u16::try_from(kind).ok())
            {
                self.link.rules.set_bytes(index, kind);
            }
        }
        self.finish_types(io)
    }

    /// RowDescription or NoData, and the end.
    fn finish_types(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.skip(io)?;
        self.next(io)?;
        match self.link.tag {
            tag::ROW_DESCRIPTION | tag::NO_DATA => self.link.skip(io)?,
            _ => return Err(self.unexpected(io)),
        }
        self.expect_ready(io)
    }
}

/// Parameters whose types are left open where they are bytes.
struct Open<'p>(&'p dyn Params);

impl Params for Open<'_> {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn oid(&self, index: usize) -> Oid {
        match self.0.oid(index) {
            oid::BYTEA => 0,
            oid => oid,
        }
    }

    fn values(&self, _: &mut Writer<'_>) -> Result<(), WireError> {
        Err(WireError::Value)
    }
}

/// The type that parameter `index` goes as.
pub(crate) fn sent_as(index: usize, oid: Oid, rules: Rules) -> Oid {
    match oid {
        oid::BYTEA => {
            let kind = usize::from(rules.bytes(index));
            BYTES.get(kind).copied().unwrap_or(oid::BYTEA)
        }
        oid::AS_TEXT => 0,
        oid => declared(oid, rules),
    }
}

/// Writes parameters that were encoded for any server, of these types.
pub(crate) fn encoded(types: &[Oid], block: &[u8], out: &mut Writer<'_>) -> Result<(), WireError> {
    let mut values = Reader::new(block);
    let mut types = types.iter();
    while !values.is_empty() {
        let (value, oid) = (kept_value(&mut values)?, types.next().copied().unwrap_or(0));
        match value {
            None => out.i32(-1)?,
            Some(Kept::Exact) => out.i32(0)?,
            Some(Kept::Bytes([])) if is_text(oid) => out.counted_text(&[])?,
            Some(Kept::Bytes(bytes)) => self::value(oid, bytes, out)?,
        }
    }
    Ok(())
}

/// A value of a block that was kept.
pub(crate) enum Kept<'a> {
    Bytes(&'a [u8]),
    /// A string without characters that is never NULL.
    Exact,
}

/// The next value of a block; `None` is NULL.
pub(crate) fn kept_value<'a>(block: &mut Reader<'a>) -> Result<Option<Kept<'a>>, WireError> {
    match block.rest().strip_prefix(&EXACTLY_EMPTY.to_be_bytes()) {
        Some(rest) => {
            *block = Reader::new(rest);
            Ok(Some(Kept::Exact))
        }
        None => Ok(block.value()?.map(Kept::Bytes)),
    }
}

/// Writes a value as it was encoded for PostgreSQL.
pub(crate) fn value(oid: Oid, bytes: &[u8], out: &mut Writer<'_>) -> Result<(), WireError> {
    match *bytes {
        [a, b, c, d, e, f, g, h] if is_turned(oid, out.rules()) => {
            out.fixed([e, f, g, h, a, b, c, d])
        }
        _ => out.counted(bytes),
    }
}

/// Whether the halves of a value go in the other order.
const fn is_turned(oid: Oid, rules: Rules) -> bool {
    oid == oid::XID8 && rules.is_gauss()
}

/// Writes encoded values that come in pieces, cut anywhere, as [`encoded`] does.
#[cfg(feature = "outbox")]
pub(crate) struct InPieces<'t> {
    types: core::slice::Iter<'t, Oid>,
    /// What is gathered: a length, or the first half of a value, and how much of it is there.
    field: [u8; 4],
    filled: usize,
    /// Bytes of the value that are still to come.
    left: usize,
    turn: Turn,
}

/// Where a value stands whose halves go in the other order.
#[cfg(feature = "outbox")]
#[derive(PartialEq, Eq)]
enum Turn {
    No,
    /// The first half is gathered.
    First,
    /// The second half is written, and the first one follows.
    Second,
}

#[cfg(feature = "outbox")]
impl<'t> InPieces<'t> {
    pub(crate) fn new(types: &'t [Oid]) -> Self {
        Self { types: types.iter(), field: [0; 4], filled: 0, left: 0, turn: Turn::No }
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, bytes: &[u8], out: &mut Writer<'_>) -> Result<(), WireError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.left > 0 {
                let (now, later) = rest.split_at_checked(self.left).unwrap_or((rest, &[]));
                out.bytes(now)?;
                self.left = self.left.saturating_sub(now.len());
                rest = later;
                if self.left == 0 && self.turn == Turn::Second {
                    self.turn = Turn::No;
                    out.bytes(&self.field)?;
                }
                continue;
            }
            let Some((byte, later)) = rest.split_first() else { break };
            rest = later;
            if let Some(place) = self.field.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled = self.filled.saturating_add(1);
            if self.filled == self.field.len() {
                self.filled = 0;
                self.gathered(out)?;
            }
        }
        Ok(())
    }

    fn gathered(&mut self, out: &mut Writer<'_>) -> Result<(), WireError> {
        if self.turn == Turn::First {
            (self.turn, self.left) = (Turn::Second, self.field.len());
            return Ok(());
        }
        let oid = self.types.next().copied().unwrap_or(0);
        let length = i32::from_be_bytes(self.field);
        self.left = usize::try_from(length).unwrap_or(0);
        match length {
            0 if is_text(oid) => return out.counted_text(&[]),
            EXACTLY_EMPTY => return out.i32(0),
            8 if is_turned(oid, out.rules()) => (self.turn, self.left) = (Turn::First, 0),
            _ => {}
        }
        out.bytes(&self.field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn encoded_parameters_follow_the_servers_rules() {
        let block = b"\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\xff\xff\xff\xfe";
        let types = [oid::TEXT, oid::BYTEA, oid::XID8, oid::TEXT, oid::TEXT];
        let written = |empty| -> Result<Vec<u8>, WireError> {
            let mut rules = Rules::NONE;
            rules.enter();
            rules.set_empty(empty);
            let mut buf = [0; 64];
            let mut out = Writer::new_under(&mut buf, rules);
            encoded(&types, block, &mut out)?;
            let len = out.len();
            Ok(buf[..len].to_vec())
        };
        let rest = b"\0\0\0\0\0\0\0\x08\0\0\0\x05\0\0\0\0\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(written(Empty::Null), Ok([&b"\xff\xff\xff\xff"[..], rest].concat()));
        assert_eq!(written(Empty::Kept), Ok([&b"\0\0\0\0"[..], rest].concat()));
        assert_eq!(written(Empty::Unknown), Err(WireError::Empty));
    }

    #[cfg(feature = "outbox")]
    #[test]
    fn pieces_are_cut_anywhere() {
        let first = b"\0\0\0\0\0\0\0\0\0\0\0\x03abc\xff\xff\xff\xff\0\0\0\0";
        let block = [&first[..], b"\xff\xff\xff\xfe\0\0\0\x08ABCDabcd\0\0\0\x01x"].concat();
        let types = [
            oid::TEXT,
            oid::BYTEA,
            oid::TEXT,
            oid::TEXT,
            oid::VARCHAR,
            oid::TEXT,
            oid::XID8,
            oid::TEXT,
        ];
        let null = b"\xff\xff\xff\xff";
        let end = b"\0\0\0\0\0\0\0\x08abcdABCD\0\0\0\x01x";
        let at_gauss = [null, &first[4..19], null, end].concat();
        let mut elsewhere = block.clone();
        elsewhere[23..27].fill(0);
        for (is_gauss, expected) in [(true, at_gauss), (false, elsewhere)] {
            for size in 1..=block.len() {
                let mut rules = Rules::NONE;
                if is_gauss {
                    rules.enter();
                    rules.set_empty(Empty::Null);
                }
                let mut buf = [0; 64];
                let mut out = Writer::new_under(&mut buf, rules);
                let mut pieces = InPieces::new(&types);
                for piece in block.chunks(size) {
                    pieces.write(piece, &mut out).unwrap();
                }
                let len = out.len();
                assert_eq!(&buf[..len], expected, "{size}");
            }
        }
    }

    #[test]
    fn types_are_those_of_the_server() {
        let mut rules = Rules::NONE;
        rules.enter();
        rules.set_bytes(1, 1);
        rules.set_bytes(7, 2);
        rules.set_bytes(8, 1);
        let named = |index| sent_as(index, oid::BYTEA, rules);
        let names = [named(0), named(1), named(7), named(8), named(99)];
        assert_eq!(names, [oid::BYTEA, oid::BLOB, oid::RAW, oid::BYTEA, oid::BYTEA]);
        assert_eq!(sent_as(1, oid::XID8, rules), oid::XID);
        assert_eq!(sent_as(1, oid::INT4, rules), oid::INT4);
        rules.forget_bytes();
        assert_eq!(sent_as(1, oid::BYTEA, rules), oid::BYTEA);
    }
}
