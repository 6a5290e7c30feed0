//! Character strings, and bytes that are shown as strings.

use core::str::FromStr;

use super::{ArrayElement, Format, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer, digits, has_nul};

impl<'a> FromSql<'a> for &'a str {
    const OID: Oid = oid::TEXT;
    const COLUMN_OID: Oid = oid::ANY_TEXT;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        is_text(oid)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        utf8(value.bytes)
    }
}

/// Sent as `text`, which every string type of the server accepts by assignment. Compared with a `char(n)`, blanks
/// at its end count then, and with a `citext` upper and lower case: write `= $1::char(4)`, `= $1::citext`. At openGauss, in
/// a database to which `''` is NULL (compatibility A), `""` is NULL; [`ExactText`](super::ExactText) is not.
impl ToSql for str {
    const OID: Oid = oid::TEXT;

    #[inline]
    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.text(self.as_bytes())
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline)]
    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.counted_text(self.as_bytes())
    }
}

impl ArrayElement for str {
    const ARRAY_OID: Oid = oid::TEXT_ARRAY;

    fn accepts_array(oid: Oid) -> bool {
        is_text_array(oid)
    }
}

/// Reads `bytea`, and openGauss's `blob` and `raw`. In text format only the digits of the text
/// are available, so that is refused; [`bytes_from_text`] decodes it.
impl<'a> FromSql<'a> for &'a [u8] {
    const OID: Oid = oid::BYTEA;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        is_bytes(oid)
    }

    #[inline]
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        match value.format {
            Format::Binary => Ok(value.bytes),
            Format::Text => Err(TypeError::Format),
        }
    }
}

/// Sent as `bytea`; at openGauss as `blob` or `raw` where that is what the parameter is. There a
/// statement that is not prepared costs one more round trip for it, and in a pipeline it is always
/// `bytea`: [`Blob`](super::Blob) and [`Raw`](super::Raw) name the type.
impl ToSql for [u8] {
    const OID: Oid = oid::BYTEA;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.bytes(self)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.counted(self)
    }
}

impl ArrayElement for [u8] {
    const ARRAY_OID: Oid = oid::BYTEA_ARRAY;

    fn accepts_array(oid: Oid) -> bool {
        matches!(oid, oid::BYTEA_ARRAY | oid::BLOB_ARRAY | oid::RAW_ARRAY)
    }
}

/// Reads `bytea` of exactly `N` bytes.
impl<'a, const N: usize> FromSql<'a> for [u8; N] {
    const OID: Oid = oid::BYTEA;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        is_bytes(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        <&[u8]>::from_sql(value)?.try_into().map_err(|_| TypeError::Range)
    }
}

/// Sent as `bytea`.
impl<const N: usize> ToSql for [u8; N] {
    const OID: Oid = oid::BYTEA;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.bytes(self)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.counted(self)
    }
}

impl<const N: usize> ArrayElement for [u8; N] {
    const ARRAY_OID: Oid = oid::BYTEA_ARRAY;

    fn accepts_array(oid: Oid) -> bool {
        <[u8]>::accepts_array(oid)
    }
}

/// `"char"`, one byte (manual, section 8.3), not to be confused with `char(n)`. The server
/// shows 0 as the empty string and bytes above 127 as `\ooo`, before PostgreSQL 16 as they are, which is
/// no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Char(pub u8);

impl<'a> FromSql<'a> for Char {
    const OID: Oid = oid::CHAR;

    fn accepts(oid: Oid) -> bool {
        oid == oid::CHAR
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        match (value.format, value.bytes) {
            (_, [byte]) => Ok(Self(*byte)),
            (Format::Text, []) => Ok(Self(0)),
            (Format::Text, [b'\\', digits @ ..]) if digits.len() == 3 => {
                let digits = core::str::from_utf8(digits).map_err(|_| TypeError::Malformed)?;
                u8::from_str_radix(digits, 8).map(Self).map_err(|_| TypeError::Malformed)
            }
            _ => Err(TypeError::Malformed),
        }
    }
}

impl ToSql for Char {
    const OID: Oid = oid::CHAR;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u8(self.0)
    }
}

/// Text of any type: what the server prints in a simple query, and the types whose binary format
/// is their text, among them every enum. Use it for types this crate does not know.
///
/// In binary format a type of a user is taken for text where its bytes may be one. Layouts that hold
/// numbers almost never may, and are a [`TypeError::Mismatch`] as what comes after a version byte
/// (`ltree`) is; `select path::text` is text for certain.
///
/// As a parameter its type is left for the server to infer, which parses the text as that type: the
/// text is what one would write between quotes in the statement. A binary COPY has no place for it;
/// there, enums and strings are `&str`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AnyText<'a>(pub &'a str);

impl<'a> FromSql<'a> for AnyText<'a> {
    const OID: Oid = oid::TEXT;

    #[inline]
    fn accepts(_: Oid) -> bool {
        true
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        if value.format == Format::Binary && !is_textual(&value) {
            return Err(TypeError::Mismatch);
        }
        utf8(value.bytes).map(Self)
    }
}

/// Whether a value in binary format is text. Binary layouts of other types of a user hold lengths,
/// and so zero bytes, which no text of the server does, or begin with a version or with flags, which
/// are below the blank: `ltree`, an empty range.
#[inline(never)]
fn is_textual(value: &RawValue<'_>) -> bool {
    let begins_as_text =
        value.bytes.first().is_none_or(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..));
    is_text(value.oid) || (value.oid >= oid::FIRST_USER && begins_as_text && !has_nul(value.bytes))
}

impl ToSql for AnyText<'_> {
    const OID: Oid = oid::AS_TEXT;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.to_sql(out)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.param(out)
    }
}

/// An array that is sent has to name the type of its elements: it goes as `text[]`, to be cast in
/// the statement (`$1::mood[]`).
impl ArrayElement for AnyText<'_> {
    const ARRAY_OID: Oid = oid::TEXT_ARRAY;

    fn accepts_array(oid: Oid) -> bool {
        is_text_array(oid) || oid >= oid::FIRST_USER
    }
}

/// A value in either format. In binary format it is read as `T` reads it; the text of a simple
/// query is parsed.
///
/// It exists because most firmware never sees text: `T` alone refuses it with
/// [`TypeError::Format`], so that the parsers (19 KB for `f64`, 0.5 to 2 KB for the others) are
/// linked only where they are asked for. Integers, `bool`, strings and JSON read both by
/// themselves.
///
/// A float is what the text says. Where `extra_float_digits` is below 1 the server rounds it, to 15 and 6
/// digits where it is 0, the default before PostgreSQL 12 and of openGauss; an `f64` at its largest is infinite then. Set
/// it to 3, or read in binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AnyFormat<T>(pub T);

impl<'a, T: FromSql<'a> + FromStr<Err: Into<TypeError>>> FromSql<'a> for AnyFormat<T> {
    const OID: Oid = T::OID;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        T::accepts(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        match value.format {
            Format::Binary => T::from_sql(value),
            Format::Text => utf8(value.bytes)?.parse().map_err(Into::into),
        }
        .map(Self)
    }
}

/// Decodes the text form of `bytea` (`\x` and hexadecimal digits, manual section 8.4.1) or of
/// openGauss's `blob` and `raw` (digits alone) into `out`, and returns the part that was filled. The
/// value is what [`Row::raw`](crate::Row::raw) has in a simple query.
///
/// # Errors
/// [`TypeError::Malformed`] for anything but pairs of digits, and for a `bytea` without `\x`
/// (`bytea_output = escape`), [`TypeError::Capacity`] when `out` is too small,
/// [`TypeError::Mismatch`] for another type, [`TypeError::Format`] in binary format, which is the
/// bytes.
pub fn bytes_from_text<'o>(value: RawValue<'_>, out: &'o mut [u8]) -> Result<&'o [u8], TypeError> {
    let text = match (value.format, value.oid) {
        (Format::Binary, _) => return Err(TypeError::Format),
        // What `escape` prints may be digits too.
        (_, oid::BYTEA) => value.bytes.strip_prefix(b"\\x").ok_or(TypeError::Malformed)?,
        (_, oid::BLOB | oid::RAW) => value.bytes,
        _ => return Err(TypeError::Mismatch),
    };
    let (pairs, []) = text.as_chunks::<2>() else { return Err(TypeError::Malformed) };
    let out = out.get_mut(..pairs.len()).ok_or(TypeError::Capacity)?;
    for (byte, pair) in out.iter_mut().zip(pairs) {
        *byte = digits::hex_byte(*pair).ok_or(TypeError::Malformed)?;
    }
    Ok(out)
}

/// The one place where text is checked.
#[cfg_attr(not(target_os = "none"), inline(always))]
#[cfg_attr(target_os = "none", inline)]
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, TypeError> {
    #[cfg(target_os = "none")]
    let text = core::str::from_utf8(bytes).ok();
    #[cfg(not(target_os = "none"))]
    let text = smoothutf8::from_utf8(bytes);
    text.ok_or(TypeError::Utf8)
}

/// Types whose text and binary formats are both the text itself.
#[inline]
pub(crate) fn is_text(oid: Oid) -> bool {
    oid == oid::TEXT || is_other_text(oid)
}

#[inline(never)]
fn is_other_text(oid: Oid) -> bool {
    matches!(
        oid,
        oid::VARCHAR
            | oid::BPCHAR
            | oid::NAME
            | oid::UNKNOWN
            | oid::JSON
            | oid::XML
            | oid::CSTRING
            | oid::REFCURSOR
            | oid::NVARCHAR2
            | oid::CLOB
    )
}

fn is_text_array(oid: Oid) -> bool {
    matches!(
        oid,
        oid::TEXT_ARRAY
            | oid::VARCHAR_ARRAY
            | oid::BPCHAR_ARRAY
            | oid::NAME_ARRAY
            | oid::JSON_ARRAY
            | oid::XML_ARRAY
            | oid::CSTRING_ARRAY
            | oid::REFCURSOR_ARRAY
            | oid::NVARCHAR2_ARRAY
            | oid::CLOB_ARRAY
    )
}

fn is_bytes(oid: Oid) -> bool {
    matches!(oid, oid::BYTEA | oid::BLOB | oid::RAW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(oid: Oid, format: Format, bytes: &[u8]) -> RawValue<'_> {
        RawValue { oid, format, bytes }
    }

    #[test]
    fn text_is_checked() {
        assert_eq!(<&str>::from_sql(raw(25, Format::Binary, "Grüße".as_bytes())), Ok("Grüße"));
        assert_eq!(<&str>::from_sql(raw(25, Format::Binary, b"\xff")), Err(TypeError::Utf8));
        assert_eq!("a\0".to_sql(&mut Writer::new(&mut [0; 9])), Err(WireError::Nul));
    }

    #[test]
    fn any_text_refuses_layouts_that_are_not_text() {
        let enumeration = raw(16_400, Format::Binary, b"happy");
        assert_eq!(AnyText::from_sql(enumeration), Ok(AnyText("happy")));
        let hstore = raw(16_401, Format::Binary, &[0, 0, 0, 0]);
        assert_eq!(AnyText::from_sql(hstore), Err(TypeError::Mismatch));
        // A version before the text, the flags of a range.
        for bytes in [&b"\x01Top.Science"[..], b"\x01", b"\x18"] {
            let value = raw(16_402, Format::Binary, bytes);
            assert_eq!(AnyText::from_sql(value), Err(TypeError::Mismatch));
        }
        let citext = raw(16_403, Format::Binary, b"\tA");
        assert_eq!(AnyText::from_sql(citext), Ok(AnyText("\tA")));
        assert_eq!(AnyText::from_sql(raw(16_403, Format::Binary, b"")), Ok(AnyText("")));
        let int = raw(23, Format::Binary, b"abcd");
        assert_eq!(AnyText::from_sql(int), Err(TypeError::Mismatch));
        assert_eq!(AnyText::from_sql(raw(23, Format::Text, b"17")), Ok(AnyText("17")));
    }

    #[test]
    fn bytes_from_both_servers_text() {
        let mut out = [0; 3];
        let mut read =
            |oid, text| bytes_from_text(raw(oid, Format::Text, text), &mut out).map(<[u8]>::to_vec);
        assert_eq!(read(oid::BYTEA, b"\\x00fFa5"), Ok([0, 255, 0xA5].to_vec()));
        assert_eq!(read(oid::BLOB, b"00FFA5"), Ok([0, 255, 0xA5].to_vec()));
        assert_eq!(read(oid::RAW, b""), Ok([].to_vec()));
        assert_eq!(read(oid::BYTEA, b"\\x"), Ok([].to_vec()));
        for text in [&b"\\x0"[..], b"\\x0g", b"", b"abcd", b"\\\\x41"] {
            assert_eq!(read(oid::BYTEA, text), Err(TypeError::Malformed));
        }
        assert_eq!(read(oid::RAW, b"\\x41"), Err(TypeError::Malformed));
        assert_eq!(read(oid::BYTEA, b"\\x00000000"), Err(TypeError::Capacity));
        assert_eq!(read(oid::TEXT, b"\\x00"), Err(TypeError::Mismatch));
        let binary = raw(oid::BYTEA, Format::Binary, b"\\x00");
        assert_eq!(bytes_from_text(binary, &mut out), Err(TypeError::Format));
    }

    #[test]
    fn fixed_bytes_have_their_length() {
        assert_eq!(<[u8; 2]>::from_sql(raw(17, Format::Binary, b"ab")), Ok(*b"ab"));
        assert_eq!(<[u8; 2]>::from_sql(raw(17, Format::Binary, b"abc")), Err(TypeError::Range));
    }

    #[test]
    fn internal_char() {
        assert_eq!(Char::from_sql(raw(18, Format::Text, b"\\377")), Ok(Char(255)));
        assert_eq!(Char::from_sql(raw(18, Format::Text, b"")), Ok(Char(0)));
        assert_eq!(Char::from_sql(raw(18, Format::Binary, b"")), Err(TypeError::Malformed));
    }
}
