//! COPY: bulk data into and out of a table, as a stream.
//!
//! Both directions use the simple query protocol: after an error the server then goes on by
//! itself, and what was still on its way to it is dropped there.
//!
//! Source: manual, "COPY Operations" and the section "File Formats" of COPY.

mod input;
mod output;
mod row;

pub use input::CopyIn;
pub use output::CopyOut;
pub use row::{CopyFields, CopyRow};

use crate::error::{Fault, UsageError};
use crate::session::Session;
use crate::transport::Lent;
use crate::wire::WireError;
use crate::wire::backend::tag;

/// Start of a binary COPY stream: signature, no flags, no extension.
const BINARY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What the server said about the stream.
#[derive(Clone, Copy)]
struct Layout {
    binary: bool,
    columns: u16,
}

impl Session<'_> {
    /// Sends a COPY statement and reads to its CopyInResponse or CopyOutResponse: `wanted`.
    fn start_copy(&mut self, io: &mut Lent<'_>, sql: &str, wanted: u8) -> Result<Layout, Fault> {
        self.simple_query(io, sql)?;
        self.next(io)?;
        match self.link.tag {
            tag if tag == wanted => self.layout(io),
            // The next verb reads over the rest.
            tag::COMMAND_COMPLETE | tag::ROW_DESCRIPTION | tag::EMPTY_QUERY_RESPONSE => {
                Err(UsageError::NotCopy.into())
            }
            _ => Err(self.no_result(io)),
        }
    }

    fn layout(&mut self, io: &mut Lent<'_>) -> Result<Layout, Fault> {
        let (format, columns) = (self.link.number(io, 1)?, self.link.count(io)?);
        if format > 1 || self.link.left() != usize::from(columns).saturating_mul(2) {
            return Err(WireError::Malformed.into());
        }
        self.link.skip(io)?;
        Ok(Layout { binary: format == 1, columns })
    }
}
