//! One row: columns by index, by name, or decoded in one pass.

use core::cell::Cell;

use crate::engine::{COLUMN_HEAD, Framed};
use crate::error::Result;
use crate::types::{Format, FromSql, Oid, RawValue, is_text, oid};
use crate::verbs::values::{Plain, Values, broken, no_column};

/// A row in the receive buffer. It is lent until the next call on the connection.
#[derive(Clone)]
pub struct Row<'r> {
    /// It is what was taken last, and the descriptions of its columns are pinned.
    link: &'r Framed<'r>,
    /// On hosts its descriptions and values, which stay in registers there.
    #[cfg(not(target_os = "none"))]
    parts: (&'r [u8], &'r [u8]),
    /// Where [`get`](Self::get) was last: a row is mostly read from left to right.
    cursor: Cell<Cursor>,
}

/// A place in a row: an index, and how much of descriptions and values is left from there on.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    pub(super) index: u16,
    pub(super) columns: usize,
    pub(super) values: usize,
}

/// Description of a column, from RowDescription.
///
/// In the receive buffer it is packed: OID (4 bytes), format (1), length of the name (1), name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column<'r> {
    /// The name, empty where the receive buffer had no room for names, or they take more than 64 KB.
    pub name: &'r str,
    /// Type of the column.
    pub oid: Oid,
    /// Format of its values.
    pub format: Format,
}

/// A type made of a whole row: tuples of up to 16 columns, or your own.
///
/// Tuples must have as many elements as the row has columns.
///
/// ```no_run
/// use barepg::{FromRow, Row};
///
/// struct Recipe<'r> {
///     id: i32,
///     name: Option<&'r str>,
/// }
///
/// impl<'r> FromRow<'r> for Recipe<'r> {
///     fn from_row(row: &Row<'r>) -> barepg::Result<Self> {
///         Ok(Self { id: row.get("id")?, name: row.get("name")? })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    note = "a row becomes a tuple, one column too: `(T,)`, of up to 16; a struct by `#[derive(FromRow)]` (feature `derive`); \
            one column of several is `row.get(0)`"
)]
pub trait FromRow<'r>: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// As [`Row::get`].
    fn from_row(row: &Row<'r>) -> Result<Self>;
}

/// A column of a row: its index, counted from 0, or its name (`row.get("celsius")`; the first, if
/// several have it).
pub trait ColumnIndex {
    /// The index.
    fn index(&self, row: &Row<'_>) -> Option<usize>;
}

impl ColumnIndex for usize {
    #[inline]
    fn index(&self, _: &Row<'_>) -> Option<usize> {
        Some(*self)
    }
}

impl ColumnIndex for &str {
    fn index(&self, row: &Row<'_>) -> Option<usize> {
        let mut columns = row.columns();
        (0..row.len())
            .find(|_| columns.next_head().is_some_and(|(_, name)| name == self.as_bytes()))
    }
}

impl<'r> Row<'r> {
    /// The row that was taken last, which has as many columns as were described.
    #[inline]
    pub(crate) fn new(link: &'r Framed<'r>) -> Self {
        Self {
            link,
            #[cfg(not(target_os = "none"))]
            parts: link.described_row(),
            cursor: Cell::new(Cursor { index: 0, columns: 0, values: 0 }),
        }
    }

    /// The same, of a row that was not looked at.
    #[inline]
    pub(crate) fn checked(link: &'r Framed<'r>) -> Result<Self> {
        if link.is_row_as_described() { Ok(Self::new(link)) } else { Err(broken(&link.malformed)) }
    }

    /// Descriptions of the columns, and the values.
    #[inline]
    fn parts(&self) -> (&'r [u8], &'r [u8]) {
        #[cfg(target_os = "none")]
        return self.link.described_row();
        #[cfg(not(target_os = "none"))]
        self.parts
    }

    /// Whether the columns are of exactly these types, all in binary format. It is looked up once for a
    /// description, and known by the list's address for each row after that.
    #[inline]
    fn is_of<const N: usize>(&self, wanted: &'static ColumnTypes<N>) -> bool {
        let (link, address) = (self.link, core::ptr::from_ref(wanted).addr());
        link.compared.get() == address
            || link.begins_in_binary() && compare(link, address, &wanted.types)
    }

    /// The values, for each tuple's way by descriptions.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn values_out_of_line(&self) -> Values<'r> {
        self.values()
    }

    #[inline]
    fn plain(&self) -> Plain<'r> {
        #[cfg(target_os = "none")]
        return Plain::new(self.link.row().map_or(&[], |(_, values)| values));
        #[cfg(not(target_os = "none"))]
        Plain::new(self.parts.1)
    }

    /// How many columns.
    pub fn len(&self) -> usize {
        usize::from(self.link.columns)
    }

    /// Whether there are no columns.
    pub const fn is_empty(&self) -> bool {
        self.link.columns == 0
    }

    /// Decodes all columns in one pass, the fastest way.
    ///
    /// # Errors
    /// [`ErrorKind::Column`](crate::ErrorKind::Column) naming the column that does not fit;
    /// [`UsageError::ColumnCount`](crate::UsageError::ColumnCount) when there are more columns,
    /// [`UsageError::NoColumn`](crate::UsageError::NoColumn) when there are fewer.
    /// The connection stays usable. [`ErrorKind::Protocol`](crate::ErrorKind::Protocol): the row is
    /// malformed, and the connection is dead.
    #[inline]
    pub fn decode<T: FromRow<'r>>(&self) -> Result<T> {
        T::from_row(self)
    }

    /// A column by its index, counted from 0, or by its name: `row.get(0)`, `row.get("celsius")`.
    /// From left to right each costs the same, however many columns there are.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let row = conn.query_one("select 7 as id, null::text as name", ())?;
    /// let (id, name): (i32, Option<&str>) = (row.get("id")?, row.get(1)?);
    /// # let _ = (id, name);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Column`](crate::ErrorKind::Column) when the value is not a `T`,
    /// [`UsageError::NoColumn`](crate::UsageError::NoColumn) when there is no such column. The
    /// connection stays usable. [`ErrorKind::Protocol`](crate::ErrorKind::Protocol): the row is
    /// malformed, and the connection is dead.
    pub fn get<T: FromSql<'r>>(&self, column: impl ColumnIndex) -> Result<T> {
        let mut values = self.at(column.index(self))?;
        let value = values.take();
        values.check_end()?;
        value.ok_or_else(|| values.error())
    }

    /// Whether a column is NULL.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn is_null(&self, column: impl ColumnIndex) -> Result<bool> {
        self.raw(column).map(|value| value.is_none())
    }

    /// The column's value as it came, `None` for NULL.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn raw(&self, column: impl ColumnIndex) -> Result<Option<RawValue<'r>>> {
        self.get::<Option<RawValue<'r>>>(column)
    }

    /// The values from column `index` on.
    fn at(&self, index: Option<usize>) -> Result<Values<'r>> {
        let index = index.and_then(|index| u16::try_from(index).ok());
        let index = index.filter(|index| *index < self.link.columns).ok_or_else(no_column)?;
        let mut values = self.values();
        let cursor = self.cursor.get();
        let mut from = 0;
        if cursor.index > 0 && cursor.index <= index {
            values.skip_to(&cursor);
            from = cursor.index;
        }
        values.skip(index.wrapping_sub(from))?;
        self.cursor.set(values.cursor(index));
        Ok(values)
    }

    /// The columns' descriptions.
    pub fn columns(&self) -> Columns<'r> {
        Columns(self.parts().0)
    }

    /// The values in sequence, for implementations of [`FromRow`].
    #[inline]
    pub fn values(&self) -> Values<'r> {
        let (columns, values) = self.parts();
        Values::new(Columns(columns), values, self.link.columns, &self.link.malformed)
    }
}

/// The columns of a row or result.
#[derive(Clone)]
pub struct Columns<'r>(pub(super) &'r [u8]);

impl<'r> Columns<'r> {
    #[inline]
    pub(crate) const fn new(packed: &'r [u8]) -> Self {
        Self(packed)
    }

    #[inline]
    pub(super) fn next_head(&mut self) -> Option<(&'r [u8; COLUMN_HEAD], &'r [u8])> {
        let (head, rest) = self.0.split_first_chunk()?;
        let (_, _, length) = parts(head);
        let (name, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((head, name))
    }
}

/// Type, format and length of the name of a packed column.
#[inline]
pub(super) fn parts(head: &[u8; COLUMN_HEAD]) -> (Oid, Format, usize) {
    let [a, b, c, d, format, length] = *head;
    let format = if format == 0 { Format::Text } else { Format::Binary };
    (u32::from_ne_bytes([a, b, c, d]), format, length.into())
}

/// The types that a row is wanted in. With their count before them: no list is the beginning of another
/// one at the same address.
#[repr(C)]
struct ColumnTypes<const N: usize> {
    count: usize,
    types: [Oid; N],
}

impl<const N: usize> ColumnTypes<N> {
    const fn new(types: [Oid; N]) -> Self {
        Self { count: N, types }
    }
}

#[inline(never)]
fn compare(link: &Framed<'_>, address: usize, types: &[Oid]) -> bool {
    if link.compared.get() == address.wrapping_add(1) {
        return false;
    }
    let mut columns = Columns(link.description());
    let mut is_next = |wanted: Oid| {
        let Some((head, _)) = columns.next_head() else { return false };
        let (oid, format, _) = parts(head);
        format == Format::Binary && (oid == wanted || wanted == oid::ANY_TEXT && is_text(oid))
    };
    let are_equal = types.iter().all(|oid| is_next(*oid)) && columns.0.is_empty();
    link.compared.set(address.wrapping_add(usize::from(!are_equal)));
    are_equal
}

impl core::fmt::Debug for Columns<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'r> Iterator for Columns<'r> {
    type Item = Column<'r>;

    fn next(&mut self) -> Option<Column<'r>> {
        let (head, name) = self.next_head()?;
        let (oid, format, _) = parts(head);
        Some(Column { name: core::str::from_utf8(name).unwrap_or(""), oid, format })
    }
}

impl core::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Row").field("columns", &self.columns()).finish_non_exhaustive()
    }
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<'r, $($name: FromSql<'r>),*> FromRow<'r> for ($($name,)*) {
            #[cfg_attr(not(target_os = "none"), inline(always))]
            fn from_row(row: &Row<'r>) -> Result<Self> {
                /// By the descriptions of its columns.
                #[cfg_attr(not(target_os = "none"), inline(always))]
                #[cfg_attr(target_os = "none", cold, inline(never))]
                fn described<'r, $($name: FromSql<'r>),*>(row: &Row<'r>) -> Result<($($name,)*)> {
                    let mut values = row.values_out_of_line();
                    let read = |values: &mut Values<'r>| Some(($(values.take::<$name>()?,)*));
                    match read(&mut values) {
                        Some(tuple) if values.has_ended() => Ok(tuple),
                        _ => Err(values.error()),
                    }
                }
                if row.is_of(const { &ColumnTypes::new([$($name::COLUMN_OID),*]) }) {
                    let mut values = row.plain();
                    let read = |values: &mut Plain<'r>| Some(($(values.take::<$name>()?,)*));
                    if let Some(tuple) = read(&mut values) && values.is_empty() {
                        return Ok(tuple);
                    }
                }
                described(row)
            }
        }
    };
}

crate::verbs::for_tuples!(tuple);
