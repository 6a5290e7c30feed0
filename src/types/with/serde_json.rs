//! Crate `serde-json-core`: JSON text to and from types with serde's derives.

use ::serde::{Deserialize, Serialize};

use crate::types::{Json, Jsonb};

/// Why JSON could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum JsonError {
    /// The text is not the JSON of the wanted type.
    Malformed,
    /// The buffer is too small for the text.
    Capacity,
}

macro_rules! json {
    ($($name:ident),*) => {$(
        impl<'a> $name<'a> {
            /// Reads the text as a `T`. Strings are lent from it; those with escapes need
            /// [`parse_escaped`](Self::parse_escaped), or are read as they are by the crate's `EscapedStr`.
            ///
            /// # Errors
            /// [`JsonError::Malformed`], also when a string has escapes, be it one that `T` has no place for.
            ///
            /// # Panics
            /// In the crate, where `T` has a map whose keys are no strings: whatever the text is.
            pub fn parse<T: Deserialize<'a>>(self) -> Result<T, JsonError> {
                // Without any room for strings the crate would lend them with their escapes.
                self.parse_escaped(&mut [])
            }

            /// Reads the text as a `T`, with `scratch` for strings while their escapes are
            /// resolved.
            ///
            /// # Errors
            /// [`JsonError::Malformed`], also when `scratch` is shorter than such a string.
            ///
            /// # Panics
            /// As [`parse`](Self::parse).
            pub fn parse_escaped<T: Deserialize<'a>>(
                self,
                scratch: &mut [u8],
            ) -> Result<T, JsonError> {
                let (value, _) = ::serde_json_core::from_str_escaped(self.0, scratch)
                    .map_err(|_| JsonError::Malformed)?;
                Ok(value)
            }

            /// Writes `value` as JSON into `buf`, to be sent as a parameter. As the crate has it, floats that
            /// are not finite are `null`, and the names of fields are written as they are: the server refuses
            /// those with a quotation mark, and keys of a map that are no strings.
            ///
            /// # Errors
            /// [`JsonError::Capacity`] when `buf` is too small, [`JsonError::Malformed`] for bytes that are no
            /// UTF-8.
            ///
            /// # Panics
            /// In the crate, where `value` has a `char` or an integer of 128 bits.
            pub fn serialize<T: Serialize + ?Sized>(
                value: &T,
                buf: &'a mut [u8],
            ) -> Result<Self, JsonError> {
                use ::serde_json_core::ser::Error;
                let len = ::serde_json_core::to_slice(value, buf).map_err(|error| match error {
                    Error::BufferFull => JsonError::Capacity,
                    _ => JsonError::Malformed,
                })?;
                let text = buf.get(..len).and_then(|text| core::str::from_utf8(text).ok());
                text.map(Self).ok_or(JsonError::Malformed)
            }
        }
    )*};
}

json!(Json, Jsonb);
