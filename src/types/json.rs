//! json, jsonb and jsonpath, as text.

use super::text::utf8;
use super::{Format, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// What `jsonb` and `jsonpath` begin with in binary format (`jsonb_recv`, `jsonpath_recv`).
const VERSION: u8 = 1;

/// The text of a `json` or `jsonb` value. Sent as `json`, which the server takes for `jsonb`
/// columns too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Json<'a>(pub &'a str);

/// The text of a `jsonb` or `json` value. Sent as `jsonb`, which its operators need
/// (`doc @> $1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Jsonb<'a>(pub &'a str);

/// The text of a `jsonpath`. Not in openGauss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct JsonPath<'a>(pub &'a str);

impl<'a> FromSql<'a> for Json<'a> {
    const OID: Oid = oid::JSON;

    fn accepts(oid: Oid) -> bool {
        matches!(oid, oid::JSON | oid::JSONB)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        // A binary COPY does not say which it is, and no text of JSON begins with the version.
        let has_version = value.oid == oid::JSONB || value.bytes.first() == Some(&VERSION);
        if has_version { versioned(value) } else { utf8(value.bytes) }.map(Self)
    }
}

impl<'a> FromSql<'a> for Jsonb<'a> {
    const OID: Oid = oid::JSONB;

    fn accepts(oid: Oid) -> bool {
        Json::accepts(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Json::from_sql(value).map(|json| Self(json.0))
    }
}

impl<'a> FromSql<'a> for JsonPath<'a> {
    const OID: Oid = oid::JSONPATH;

    fn accepts(oid: Oid) -> bool {
        oid == oid::JSONPATH
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        versioned(value).map(Self)
    }
}

impl ToSql for Json<'_> {
    const OID: Oid = oid::JSON;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.to_sql(out)
    }
}

impl ToSql for Jsonb<'_> {
    const OID: Oid = oid::JSONB;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u8(VERSION)?;
        self.0.to_sql(out)
    }
}

impl ToSql for JsonPath<'_> {
    const OID: Oid = oid::JSONPATH;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u8(VERSION)?;
        self.0.to_sql(out)
    }
}

/// Text after a version byte in binary format.
fn versioned(value: RawValue<'_>) -> Result<&str, TypeError> {
    match (value.format, value.bytes) {
        (Format::Text, text) | (Format::Binary, [VERSION, text @ ..]) => utf8(text),
        _ => Err(TypeError::Malformed),
    }
}
