//! What a session is used for: each verb says what it sends and what it expects, in the file of its
//! guard.
//!
//! Built on `engine` and [`Connection`](crate::Connection).
//!
//! | file | what |
//! |---|---|
//! | `query` | statements in one round trip, simple queries |
//! | `params`, `row`, `rows`, `values` | what goes in, what comes out |
//! | `sql`, `named` | what runs: SQL text, or a statement by its name |
//! | `statement`, `prepare` | prepared statements, statements in flash |
//! | `fit` | whether values fit a statement's types |
//! | `in_line` | the common messages, compiled in line on hosts |
//! | `batch`, `batch_bind` | one statement for many items; at openGauss in one message |
//! | `gauss` | what must be asked of openGauss before parameters are sent |
//! | `per_dialect` | what is written otherwise for openGauss |
//! | `pipeline` | many statements in one round trip |
//! | `portal` | rows in slices |
//! | `stream` | values of any size |
//! | `copy` | bulk data |
//! | `transaction`, `savepoint` | guards that roll back |
//! | `notify` | waiting for notifications |

/// Calls a macro with the names of each tuple that a row can be read as.
macro_rules! for_tuples {
    ($tuple:ident) => {
        $tuple!(A);
        $tuple!(A B);
        $tuple!(A B C);
        $tuple!(A B C D);
        $tuple!(A B C D E);
        $tuple!(A B C D E F);
        $tuple!(A B C D E F G);
        $tuple!(A B C D E F G H);
        $tuple!(A B C D E F G H I);
        $tuple!(A B C D E F G H I J);
        $tuple!(A B C D E F G H I J K);
        $tuple!(A B C D E F G H I J K L);
        $tuple!(A B C D E F G H I J K L M);
        $tuple!(A B C D E F G H I J K L M N);
        $tuple!(A B C D E F G H I J K L M N O);
        $tuple!(A B C D E F G H I J K L M N O P);
    };
}

pub(crate) use for_tuples;

mod batch;
#[cfg(feature = "opengauss")]
mod batch_bind;
mod copy;
mod fit;
#[cfg(feature = "opengauss")]
pub(crate) mod gauss;
mod in_line;
mod named;
mod notify;
mod params;
mod per_dialect;
mod pipeline;
mod portal;
mod prepare;
mod query;
mod row;
mod rows;
mod savepoint;
mod sql;
mod statement;
mod stream;
mod transaction;
mod values;

pub use copy::{CopyFields, CopyIn, CopyOut, CopyRow};
pub use notify::Notification;
pub use params::{EncodedParams, Parameter, Params};
pub use per_dialect::PerDialect;
pub use pipeline::Pipeline;
pub use portal::Portal;
pub use row::{Column, ColumnIndex, Columns, FromRow, Row};
pub use rows::Rows;
pub use savepoint::Savepoint;
pub use sql::Sql;
pub use statement::{Statement, StaticStatement};
pub use stream::{Streamed, StreamedColumn, StreamedRow};
pub use transaction::{IsolationLevel, Transaction, TransactionBuilder};
pub use values::Values;
