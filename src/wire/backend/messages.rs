//! The content of messages, one type each. DataRow is read value by value
//! ([`Reader::value`]), errors and notices field by field
//! ([`ServerError`](crate::ServerError)).

use crate::wire::{Reader, WireError};

/// The server's view of the transaction, from ReadyForQuery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum TransactionStatus {
    /// No transaction is open.
    #[default]
    Idle = b'I',
    /// A transaction is open.
    InTransaction = b'T',
    /// The open transaction has failed: only ROLLBACK is accepted.
    Failed = b'E',
}

impl TransactionStatus {
    /// Reads the body of ReadyForQuery. openGauss may send a second byte.
    ///
    /// # Errors
    /// [`WireError::Malformed`], as for all the decoders below.
    #[inline]
    pub(crate) const fn decode(body: &[u8]) -> Result<Self, WireError> {
        let ([status] | [status, _]) = body else { return Err(WireError::Malformed) };
        match *status {
            b'I' => Ok(Self::Idle),
            b'T' => Ok(Self::InTransaction),
            b'E' => Ok(Self::Failed),
            _ => Err(WireError::Malformed),
        }
    }
}

/// ParameterStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value, in the client encoding.
    pub value: &'a [u8],
}

impl<'a> ParameterStatus<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let (name, value) = (reader.cstr()?, reader.cstr()?);
        reader.finish()?;
        Ok(Self { name, value })
    }
}

/// BackendKeyData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendKeyData<'a> {
    /// Process number of the backend.
    pub pid: u32,
    /// The cancel key.
    pub key: &'a [u8],
}

impl<'a> BackendKeyData<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        Ok(Self { pid: reader.u32()?, key: reader.rest() })
    }
}

/// NegotiateProtocolVersion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateProtocolVersion {
    /// The newest version that the server speaks of the major one asked for.
    pub version: u32,
    /// Options that the server does not know.
    pub options: u32,
}

impl NegotiateProtocolVersion {
    /// Reads a body. Options are counted, not read: this driver sends none.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let (version, options) = (reader.u32()?, reader.u32()?);
        reader.finish()?;
        Ok(Self { version, options })
    }
}

/// NotificationResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationResponse<'a> {
    /// Process number of the session that sent it.
    pub pid: u32,
    /// The channel's name.
    pub channel: &'a [u8],
    /// The payload, empty if there is none.
    pub payload: &'a [u8],
}

impl<'a> NotificationResponse<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let (pid, channel, payload) = (reader.u32()?, reader.cstr()?, reader.cstr()?);
        reader.finish()?;
        Ok(Self { pid, channel, payload })
    }
}

/// CopyInResponse or CopyOutResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyResponse {
    /// The stream is binary.
    pub binary: bool,
    /// Columns of a row.
    pub columns: u16,
}

impl CopyResponse {
    /// Bytes of the body that are read.
    pub const HEAD: usize = 3;

    /// Reads the head of a body, after which `rest` bytes follow: the format of each column, which
    /// says nothing new.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub fn decode(head: &[u8], rest: usize) -> Result<Self, WireError> {
        let mut reader = Reader::new(head);
        let (format, columns) = (reader.u8()?, reader.u16()?);
        if format > 1 || rest != usize::from(columns).saturating_mul(2) {
            return Err(WireError::Malformed);
        }
        Ok(Self { binary: format == 1, columns })
    }
}

/// Bytes of a field of RowDescription after its name, the name's NUL included.
pub const FIELD_TAIL: usize = 19;

/// What a field of RowDescription says after its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldTail {
    /// Type of the column.
    pub oid: u32,
    /// Bytes of a value of the type; negative where it varies.
    pub size: i16,
    /// Format code of the values: 0 text, 1 binary.
    pub format: u8,
}

impl FieldTail {
    /// Reads the end of a field: name, NUL, and 18 bytes.
    ///
    /// # Errors
    /// [`WireError::Malformed`].
    pub fn decode(field: &[u8]) -> Result<Self, WireError> {
        match field.last_chunk::<FIELD_TAIL>() {
            // Table, number of the column, type, size, modifier, format.
            Some(&[_, _, _, _, _, _, _, a, b, c, d, e, f, _, _, _, _, 0, format @ (0 | 1)]) => {
                let (oid, size) = (u32::from_be_bytes([a, b, c, d]), i16::from_be_bytes([e, f]));
                Ok(Self { oid, size, format })
            }
            _ => Err(WireError::Malformed),
        }
    }
}
