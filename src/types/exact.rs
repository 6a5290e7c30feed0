//! Strings that are sent as they are, the empty one too.

use super::{FromSql, Oid, RawValue, ToSql, TypeError, is_text, oid};
use crate::wire::{WireError, Writer};

/// Text that is sent as it is, always. It differs from `&str` only for `""` at openGauss, in a
/// database to which `''` is NULL (compatibility A): this is an empty string there that is not NULL.
/// Such a string is found by its length only, for `s = ''` compares with NULL. Of a parameter that is
/// declared as `varchar`, or prepared without types for such a column, the server makes NULL all the
/// same: give [`oid::TEXT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ExactText<'a>(pub &'a str);

impl<'a> FromSql<'a> for ExactText<'a> {
    const OID: Oid = oid::TEXT;
    const COLUMN_OID: Oid = oid::ANY_TEXT;

    fn accepts(oid: Oid) -> bool {
        is_text(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        <&str>::from_sql(value).map(Self)
    }
}

impl ToSql for ExactText<'_> {
    const OID: Oid = oid::TEXT;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.to_sql(out)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        #[cfg(feature = "opengauss")]
        if self.0.is_empty() && out.rules().are_for_later() {
            return out.i32(crate::wire::EXACTLY_EMPTY);
        }
        out.prefixed(&|out: &mut Writer<'_>| self.to_sql(out))
    }
}
