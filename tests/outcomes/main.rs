//! What the driver says became of the work, held against the table: on links that are cut
//! anywhere, and behind poolers.

mod begun;
mod changed;
mod cuts;
mod ended;
mod ledger;
mod names;
mod poolers;
mod rolled_back;
mod session;
mod statements;
mod table;
mod tracked;
mod tracker;
mod verbs;
