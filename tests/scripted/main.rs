//! The driver against servers played from scripts, in memory: no server, no clock, no chance.
//!
//! * [`startup`] and [`sessions`]: what a right server does, in every way that bytes can travel,
//!   and cut at every byte.
//! * [`key_cache`]: which refusals empty it.
//! * [`sizes`]: what is larger than the buffers.
//! * [`hostile_login`] and [`hostile`]: what a server must not do.
//! * [`mutate`]: right sessions with random damage.

mod crypto;
mod hostile;
mod hostile_login;
mod key_cache;
mod mutate;
mod peer;
mod play;
mod seeds;
mod sessions;
mod sizes;
mod startup;
mod transcript;
