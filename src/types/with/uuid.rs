//! Crate `uuid`.

use super::via;
use crate::types;

via! {
    ::uuid::Uuid => types::Uuid,
        |value| Some(Self::from_bytes(value.0)),
        |value| Some(types::Uuid(*value.as_bytes()));
}
