//! The driver against servers played from scripts, in memory: no server, no clock, no chance.
//!
//! * [`startup`] and [`sessions`]: what a right server does, in every way that bytes can travel,
//!   and cut at every byte.
//! * [`key_cache`]: which refusals empty it.
//! * [`sizes`]: what is larger than the buffers.
//! * [`hostile_login`] and [`hostile`]: what a server must not do.
//! * [`outcomes`]: what became of the work, for every verb ended in every way at every message,
//!   against a server that keeps a table ([`model`]).
//! * [`mutate`]: right sessions with random damage.

mod commits;
mod crypto;
mod hostile;
mod hostile_login;
mod key_cache;
mod model;
mod mutate;
mod outcomes;
mod peer;
mod play;
mod seeds;
mod sessions;
mod sizes;
mod startup;
mod transcript;
mod verbs;
