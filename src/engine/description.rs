//! What a result looks like: RowDescription, packed and pinned at the start of the receive buffer.

use super::receive::nothing;
use super::{Framed, NameHash, Session};
use crate::error::Fault;
use crate::limits;
use crate::transport::Lent;
use crate::wire::backend::{FIELD_TAIL, FieldTail, tag};
use crate::wire::{WireError, first_nul};

/// Bytes of a packed column without its name: OID (4 bytes, as the machine has them), format (1),
/// length of the name (1).
pub(crate) const COLUMN_HEAD: usize = 6;

/// Where the format is, of the first.
const FORMAT: usize = 4;

/// Bytes after a description that is kept: the hash of its statement.
pub(super) const HASH: usize = 8;

/// The result that a verb reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultState {
    /// DataRow or the end comes next.
    Rows,
    /// Described as one without rows: its end comes next.
    NoRows,
    /// The first result of a Query comes next.
    Start,
    /// A result of a Query ended; another may follow.
    Between,
    /// It ended with the header of the next one's RowDescription: a rule has added that one.
    Added,
    /// The portal has more rows.
    Suspended,
    Done,
}

impl ResultState {
    /// Whether the end of the result is still to come.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Rows | Self::NoRows)
    }

    /// Whether the next result of a Query may come.
    pub(crate) fn is_between(self) -> bool {
        matches!(self, Self::Start | Self::Between | Self::Added)
    }
}

impl Session<'_> {
    /// The answer to Describe of a portal: which columns its rows have.
    pub(crate) fn described(&mut self, io: &mut Lent<'_>, keep: NameHash) -> Result<(), Fault> {
        if !cfg!(target_os = "none") {
            if self.link.try_take(tag::NO_DATA) && self.link.taken_len() == 0 {
                self.forget_description();
                self.result = ResultState::NoRows;
                return Ok(());
            }
            if self.describe_at_once(keep)? {
                return Ok(());
            }
        }
        self.next(io)?;
        match self.link.tag {
            tag::ROW_DESCRIPTION => self.describe(io, keep),
            tag::NO_DATA => {
                self.forget_description();
                self.result = ResultState::NoRows;
                Ok(())
            }
            _ => Err(self.unexpected(io)),
        }
    }

    /// Takes RowDescription and pins it, packed: 6 bytes a column and its name. Where names take more
    /// than half of the receive buffer, or 64 KB, they are dropped, and one of more than 255 bytes is. Works for descriptions larger than
    /// the buffer. With a name the description stays for the next executions of that statement, and
    /// its formats are those that Bind will ask for: binary.
    #[inline(never)]
    pub(crate) fn describe(&mut self, io: &mut Lent<'_>, keep: NameHash) -> Result<(), Fault> {
        self.forget_description();
        let columns = self.pin_columns(io, keep)?;
        self.describes(columns, keep);
        Ok(())
    }

    /// The description of `columns` columns is pinned.
    #[inline]
    fn describes(&mut self, columns: u16, keep: NameHash) {
        self.link.columns = columns;
        self.result = ResultState::Rows;
        self.link.described = u16::try_from(self.link.pinned()).unwrap_or(u16::MAX);
        self.kept = !keep.is_none() && self.link.pin_bytes(keep.to_bytes());
    }

    /// RowDescription, if it comes next, has arrived whole and is small beside the buffer: then it
    /// is packed in one pass. `false`: nothing was taken.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn describe_at_once(&mut self, keep: NameHash) -> Result<bool, Fault> {
        if !self.link.try_take_small(tag::ROW_DESCRIPTION) {
            return Ok(false);
        }
        self.forget_description();
        let columns = self.link.pack_columns(keep.is_none()).ok_or(WireError::Malformed)?;
        self.describes(columns, keep);
        Ok(true)
    }

    fn pin_columns(&mut self, io: &mut Lent<'_>, keep: NameHash) -> Result<u16, Fault> {
        let most = self.link.most_described();
        let columns = self.link.count(io)?;
        let most = if self.link.described_size(columns) > most { 0 } else { most };
        for after in (0..usize::from(columns)).rev() {
            let length = self.link.cstr_len(io, most)?;
            self.link.take(io, length.wrapping_add(FIELD_TAIL))?;
            let field = FieldTail::decode(self.link.taken())?;
            let length = if length <= 255 { length } else { 0 };
            let [a, b, c, d] = field.oid.to_ne_bytes();
            let format = if keep.is_none() { field.format } else { 1 };
            let head = [a, b, c, d, format, u8::try_from(length).unwrap_or(0)];
            let reserve = limits::RX_RESERVE.wrapping_add(head.len());
            if self.link.room() < reserve {
                // Those after it come without names too.
                return Err(self
                    .link
                    .too_small(reserve.wrapping_add(after.wrapping_mul(COLUMN_HEAD))));
            }
            self.link.pin_entry(&head, length)?;
        }
        if self.link.left() != 0 {
            return Err(WireError::Malformed.into());
        }
        Ok(columns)
    }

    /// Whether a description is kept, of the statement that the verb began with: then its rows are
    /// read by it.
    #[inline]
    pub(crate) fn has_description(&mut self) -> bool {
        if self.kept {
            self.result = ResultState::Rows;
        }
        self.kept
    }

    /// Whether the description that is pinned is this statement's.
    #[inline]
    pub(super) fn is_kept_for(&self, statement: NameHash) -> bool {
        let at = usize::from(self.link.described);
        self.kept && self.link.get((at, at.wrapping_add(HASH))) == statement.to_bytes()
    }

    /// Forgets the description, and whatever else is pinned.
    #[inline]
    pub(crate) fn forget_description(&mut self) {
        (self.link.columns, self.link.described, self.kept) = (0, 0, false);
        self.link.compared.set(0);
        self.link.unpin(0);
    }
}

impl Framed<'_> {
    /// The packed description of the columns.
    #[inline]
    pub(crate) fn description(&self) -> &[u8] {
        self.first_bytes(usize::from(self.described))
    }

    /// Most bytes of a packed description with names: half of the buffer, and no more than
    /// [`described`](Self::described) counts. Bare targets save the comparison, for it takes a buffer of 128 KB.
    #[inline]
    pub(super) fn most_described(&self) -> usize {
        let half = self.rx.len() / 2;
        if cfg!(target_os = "none") { half } else { half.min(u16::MAX.into()) }
    }

    /// Bytes that RowDescription, of which the count of columns was taken, takes when it is packed
    /// with all names.
    pub(crate) fn described_size(&self, columns: u16) -> usize {
        const SHORTER: usize = FIELD_TAIL - COLUMN_HEAD;
        self.left().saturating_sub(usize::from(columns).wrapping_mul(SHORTER))
    }

    /// Whether names were dropped. In a larger buffer they may stay, and take up to a half of it.
    pub(crate) fn has_dropped_names(&self) -> bool {
        usize::from(self.described) == usize::from(self.columns).wrapping_mul(COLUMN_HEAD)
    }

    /// Whether the row that was taken last has as many columns as were described: always, or it is
    /// malformed.
    #[inline]
    pub(crate) fn is_row_as_described(&self) -> bool {
        self.row().is_some_and(|(count, _)| count == self.columns)
    }

    /// The row that was taken last: the packed description of its columns, and its values.
    #[inline]
    pub(crate) fn described_row(&self) -> (&[u8], &[u8]) {
        let columns = self.rx.get(..usize::from(self.described));
        match (columns, self.row()) {
            (Some(columns), Some((_, values))) => (columns, values),
            _ => (nothing(), nothing()),
        }
    }

    /// Whether the first column, if there is one, is in binary format. Of a result in text format, as Query's
    /// are, it is not.
    #[inline]
    pub(crate) fn begins_in_binary(&self) -> bool {
        self.rx.get(FORMAT) == Some(&1)
    }

    /// Packs the row description that was taken last, at the start of the buffer, and pins it. Every
    /// column gets shorter, so nothing is written over before it was read. With `formats` their
    /// formats are as described, otherwise binary. The number of columns; `None`: malformed.
    fn pack_columns(&mut self, formats: bool) -> Option<u16> {
        let (start, end) = self.span();
        let bytes = self.first_bytes_mut(end);
        let columns = u16::from_be_bytes(*bytes.get(start..)?.first_chunk()?);
        let (mut from, mut to) = (start.wrapping_add(2), 0_usize);
        for _ in 0..columns {
            let field = bytes.get(from..)?;
            let length = first_nul(field)?;
            let tail = field.get(length..)?.first_chunk::<FIELD_TAIL>()?;
            let FieldTail { oid, format, .. } = FieldTail::decode(tail).ok()?;
            let format = if formats { format } else { 1 };
            let kept = u8::try_from(length).unwrap_or(0);
            // Head and name in pieces of 8 bytes: what is after the name was read already, and is
            // longer.
            let &[e, f, g, h, i, j, k, l] = field.first_chunk()?;
            let [a, b, c, d] = oid.to_ne_bytes();
            let head = bytes.get_mut(to..)?.first_chunk_mut()?;
            *head = [a, b, c, d, format, kept, e, f, g, h, i, j, k, l];
            let name_at = to.wrapping_add(COLUMN_HEAD);
            if kept > 8 {
                copy_name(bytes, from, name_at, kept.into())?;
            }
            to = name_at.wrapping_add(kept.into());
            from = from.wrapping_add(length).wrapping_add(FIELD_TAIL);
        }
        (from == end).then_some(())?;
        self.set_pinned(to);
        Some(columns)
    }
}

/// Copies a name down in pieces of 8 bytes, from the second on.
#[inline(never)]
fn copy_name(bytes: &mut [u8], from: usize, to: usize, length: usize) -> Option<()> {
    for at in (8..length).step_by(8) {
        let piece = *bytes.get(from.wrapping_add(at)..)?.first_chunk::<8>()?;
        *bytes.get_mut(to.wrapping_add(at)..)?.first_chunk_mut()? = piece;
    }
    Some(())
}
