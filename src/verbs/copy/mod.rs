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

use crate::engine::Session;
use crate::error::{Fault, UsageError};
use crate::transport::Lent;
use crate::wire::backend::{CopyResponse, tag};

/// Start of a binary COPY stream: signature, no flags, no extension.
const BINARY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Type byte and length of CopyData, kept free at the start of the send buffer.
const HEAD: usize = 5;

/// Type byte and length of CopyData.
fn fill_head(frame: &mut [u8], payload: usize) {
    let length = u32::try_from(payload.saturating_add(4)).unwrap_or(0);
    let [a, b, c, d] = length.to_be_bytes();
    if let Some(head) = frame.first_chunk_mut::<HEAD>() {
        *head = [tag::COPY_DATA, a, b, c, d];
    }
}

impl Session<'_> {
    /// Sends a COPY into a table and reads to its CopyInResponse.
    fn start_copy_in(&mut self, io: &mut Lent<'_>, sql: &str) -> Result<CopyResponse, Fault> {
        #[cfg(feature = "opengauss")]
        if self.link.rules.is_gauss() {
            self.begin(io)?;
            self.learn_what_empty_is(io)?;
        }
        self.start_copy(io, sql, tag::COPY_IN_RESPONSE)
    }

    /// Sends a COPY statement and reads to its CopyInResponse or CopyOutResponse: `wanted`.
    fn start_copy(
        &mut self,
        io: &mut Lent<'_>,
        sql: &str,
        wanted: u8,
    ) -> Result<CopyResponse, Fault> {
        self.simple_query(io, sql)?;
        self.next(io)?;
        match self.link.tag {
            tag if tag == wanted => {
                self.link.take(io, CopyResponse::HEAD)?;
                let response = CopyResponse::decode(self.link.taken(), self.link.left())?;
                self.link.skip(io)?;
                Ok(response)
            }
            // The next verb discards the rest.
            tag::COMMAND_COMPLETE => {
                self.command_complete(io)?;
                Err(UsageError::NotCopy.into())
            }
            tag::ROW_DESCRIPTION | tag::EMPTY_QUERY_RESPONSE => Err(UsageError::NotCopy.into()),
            _ => Err(self.no_result(io)),
        }
    }
}
