//! What the tests and xtask share.
