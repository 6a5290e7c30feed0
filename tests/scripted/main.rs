//! The driver against servers played from scripts, in memory: no server, no clock, no chance.
//!
//! * [`startup`] and [`sessions`]: what a right server does, in every way that bytes can travel,
//!   and cut at every byte.
//! * [`key_cache`]: which refusals empty it.
//! * [`sizes`]: what is larger than the buffers.
//! * [`hostile_login`] and [`hostile`]: what a server must not do.
//! * [`outcomes`]: what became of the work, for every verb ended in every way at every message,
//!   against a server that keeps a table ([`model`]).
//! * [`commits`]: what ends a transaction, and who hears of it.
//! * [`dropped`]: statements that fail after their guard was dropped.
//! * [`strays`]: what arrives while nothing was asked for.
//! * [`liveness`]: floods, deadlines, clocks.
//! * [`liars`]: transports that break the rules.
//! * [`waits`]: deadlines of calls that follow one another.
//! * [`identity`]: statements and portals of other sessions, and their names.
//! * [`staged`]: what leaves in one write.
//! * [`guards`]: that they must be used.
//! * [`decoded`]: rows that are malformed.
//! * [`held`]: the row of `query_one`.
//! * [`mutate`]: right sessions with random damage.

mod cancelled;
mod commits;
mod crypto;
mod decoded;
mod dropped;
mod guards;
mod held;
mod hostile;
mod hostile_login;
mod identity;
mod key_cache;
mod liars;
mod liveness;
mod model;
mod mutate;
mod outcomes;
mod peer;
mod play;
mod seeds;
mod sessions;
mod sizes;
mod staged;
mod startup;
mod strays;
mod transcript;
mod verbs;
mod waits;
