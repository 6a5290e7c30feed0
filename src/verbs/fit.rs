//! Whether values fit a statement whose types are known, in full or in part.
//!
//! What is known comes from the caller (given) or from the server (told). A caller who gave a type is
//! held to it. A type that the server chose is one to which it would convert: a value with another
//! layout makes the statement go as its text does, so that it means the same.

use crate::error::UsageError;
use crate::types::{Oid, declared, oid};
use crate::verbs::in_line;
use crate::verbs::params::Params;
use crate::wire::Rules;

/// Whether the types are just those of the values: the usual case, on hosts in line.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(super) fn are_same(types: &[Oid], params: &dyn Params) -> bool {
    params.types().is_some_and(|sent| in_line::are_same(types, sent))
}

/// Whether the server infers the type of a value.
const fn is_open(sent: Oid) -> bool {
    matches!(sent, 0 | oid::AS_TEXT)
}

/// The type given for a parameter, or 0.
pub(super) fn given(types: &[Oid], index: usize) -> Oid {
    types.get(index).copied().unwrap_or(0)
}

/// Checks that values have the layout of the types given.
pub(super) fn check_types(
    types: &[Oid],
    params: &dyn Params,
    rules: Rules,
) -> Result<(), UsageError> {
    let mut known = types.iter().take(params.count()).enumerate();
    let fit = known.all(|(index, wanted)| *wanted == 0 || fits(*wanted, params.oid(index), rules));
    if fit { Ok(()) } else { Err(UsageError::ParameterType) }
}

/// Whether values have the layout of the types that the server said.
pub(super) fn are_told(types: &[Oid], params: &dyn Params, rules: Rules) -> bool {
    (0..params.count()).all(|index| {
        let (told, sent) = (given(types, index), params.oid(index));
        is_open(sent) || is_told(told, sent, rules)
    })
}

/// Whether a value sent as `sent` has the layout of the type that the server said and means the same
/// in it: two types are cut or rounded when the server converts, and blanks at the end of a `char(n)` do not
/// count in a comparison, where those of a `text` do.
pub(super) fn is_told(told: Oid, sent: Oid, rules: Rules) -> bool {
    let converted = matches!(told, oid::NAME | oid::BPCHAR | oid::SMALLDATETIME) && told != sent;
    told != 0 && !converted && fits(told, sent, rules)
}

/// Whether no type is left open that a value has.
pub(super) fn are_given(types: &[Oid], params: &dyn Params) -> bool {
    (0..params.count()).all(|index| given(types, index) != 0 || is_open(params.oid(index)))
}

/// Whether a value sent as `sent` has the binary layout of a parameter of type `wanted`.
const fn fits(wanted: Oid, sent: Oid, rules: Rules) -> bool {
    use crate::types::oid::{
        BLOB, BPCHAR, BYTEA, CLOB, NAME, NVARCHAR2, RAW, SMALLDATETIME, TEXT, TIMESTAMP, UNKNOWN,
        VARCHAR, XID8,
    };
    /// Types with the same layout, for which no value means something else: by a number.
    const fn layout(oid: Oid) -> u32 {
        match oid {
            TEXT | VARCHAR | BPCHAR | NAME | UNKNOWN | NVARCHAR2 | CLOB => 1,
            BYTEA | BLOB | RAW => 2,
            TIMESTAMP | SMALLDATETIME => 3,
            _ => 0,
        }
    }
    wanted == sent
        || is_open(sent)
        || wanted == declared(sent, rules)
        || wanted == XID8 && declared(sent, rules) == declared(XID8, rules)
        || layout(wanted) != 0 && layout(wanted) == layout(sent)
}
