//! Tests of the pure parts. The certificate matrix, judged beside libpq, is in `tests/tls`.

mod chain;
mod pkits;
mod wycheproof;
