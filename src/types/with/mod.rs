//! Values of other crates, each with a feature of its own. Off by default: none of them is
//! needed for any column, they only save a conversion in the firmware.
//!
//! `rust_decimal` is missing on purpose: it links the `alloc` crate always, and so demands a heap
//! of the firmware. [`Numeric`](super::Numeric) and [`Scaled`](super::Scaled) take its place.

#[cfg(feature = "with-chrono")]
mod chrono;
#[cfg(feature = "with-fixed")]
mod fixed;
#[cfg(feature = "with-heapless")]
mod heapless;
#[cfg(feature = "with-jiff")]
mod jiff;
#[cfg(feature = "with-serde-json-core")]
mod serde_json;
#[cfg(feature = "with-time")]
mod time;
#[cfg(feature = "with-uuid")]
mod uuid;

#[cfg(feature = "with-serde-json-core")]
pub use serde_json::JsonError;

/// Reads and sends a foreign type through the crate's own: `read` makes the foreign value of the
/// own one, `write` the other way round, and both say `None` when it does not fit.
#[cfg(any(
    feature = "with-chrono",
    feature = "with-jiff",
    feature = "with-time",
    feature = "with-uuid"
))]
macro_rules! via {
    ($($foreign:ty => $own:ty, $read:expr, $write:expr;)*) => {$(
        impl<'a> $crate::types::FromSql<'a> for $foreign {
            const OID: $crate::types::Oid = <$own as $crate::types::ToSql>::OID;

            fn accepts(oid: $crate::types::Oid) -> bool {
                <$own as $crate::types::FromSql>::accepts(oid)
            }

            fn from_sql(
                value: $crate::types::RawValue<'a>,
            ) -> Result<Self, $crate::types::TypeError> {
                let read: fn($own) -> Option<Self> = $read;
                read($crate::types::FromSql::from_sql(value)?)
                    .ok_or($crate::types::TypeError::Range)
            }
        }

        impl $crate::types::ToSql for $foreign {
            const OID: $crate::types::Oid = <$own as $crate::types::ToSql>::OID;

            fn to_sql(
                &self,
                out: &mut $crate::wire::Writer<'_>,
            ) -> Result<(), $crate::wire::WireError> {
                let write: fn(&Self) -> Option<$own> = $write;
                let value = write(self).ok_or($crate::wire::WireError::Value)?;
                $crate::types::ToSql::to_sql(&value, out)
            }
        }

        impl $crate::types::ArrayElement for $foreign {
            const ARRAY_OID: $crate::types::Oid =
                <$own as $crate::types::ArrayElement>::ARRAY_OID;

            fn accepts_array(oid: $crate::types::Oid) -> bool {
                <$own as $crate::types::ArrayElement>::accepts_array(oid)
            }
        }
    )*};
}

#[cfg(any(
    feature = "with-chrono",
    feature = "with-jiff",
    feature = "with-time",
    feature = "with-uuid"
))]
use via;
