//! Hardware addresses.

use core::fmt::{self, Write};

use crate::types::misc::hex_byte;
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer, digits};

/// `macaddr`: an EUI-48 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MacAddr(pub [u8; 6]);

/// `macaddr8`: an EUI-64 address. Not in openGauss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MacAddr8(pub [u8; 8]);

macro_rules! mac {
    ($($name:ident $oid:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (index, byte) in self.0.iter().enumerate() {
                    if index > 0 {
                        f.write_char(':')?;
                    }
                    hex_byte(f, *byte)?;
                }
                Ok(())
            }
        }

        impl core::str::FromStr for $name {
            type Err = TypeError;

            /// Parses pairs of hexadecimal digits with colons between them.
            fn from_str(text: &str) -> Result<Self, TypeError> {
                mac_text(text.as_bytes()).map(Self)
            }
        }

        impl<'a> FromSql<'a> for $name {
            const OID: Oid = oid::$oid;

            fn accepts(oid: Oid) -> bool {
                oid == oid::$oid
            }

            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                value.fixed().map(Self)
            }
        }

        impl ToSql for $name {
            const OID: Oid = oid::$oid;

            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.bytes(&self.0)
            }
        }
    )*};
}

mac!(MacAddr MACADDR, MacAddr8 MACADDR8);

fn mac_text<const N: usize>(mut text: &[u8]) -> Result<[u8; N], TypeError> {
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        if index > 0 {
            text = text.strip_prefix(b":").ok_or(TypeError::Malformed)?;
        }
        let (pair, rest) = text.split_first_chunk().ok_or(TypeError::Malformed)?;
        *byte = digits::hex_byte(*pair).ok_or(TypeError::Malformed)?;
        text = rest;
    }
    if text.is_empty() { Ok(bytes) } else { Err(TypeError::Malformed) }
}
