//! What the driver asks of the machine it runs on: a clock, a place to idle, entropy.
//!
//! Used by every wait loop and by the login. Implemented once per board; the driver holds it as
//! `&dyn Platform`, so one implementation may serve several clients and sit in a `static`.

/// The board's promises to the driver.
///
/// Methods take `&self`: use a `Cell`, `RefCell` or a critical section inside where state is
/// needed. All of them may be called many times per operation and must return quickly.
pub trait Platform {
    /// Milliseconds since any fixed start. Must never go backwards; every deadline is measured
    /// with it.
    fn now_ms(&self) -> u64;

    /// Called in every turn of a loop that reads, writes, skips or hashes: feed the watchdog, do
    /// other short work. It must not wait: the transport waits inside its `read` and `write`
    /// (for a slice of at most 50 ms), and deadlines are only checked between two calls. The
    /// default does nothing.
    fn idle(&self) {}

    /// Fills `buf` with bytes nobody can predict. Asked once per login, for 18 to 48 bytes: the
    /// SCRAM nonce and the seed of TLS.
    ///
    /// # Errors
    /// [`NoEntropy`] where there is no source, or its health check failed. The login then fails
    /// with [`AuthError::NoEntropy`](crate::AuthError::NoEntropy); nothing weaker is used instead.
    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy>;

    /// Seconds since 1970-01-01 00:00:00 UTC, or `None` while the clock is not set. Only TLS
    /// asks, for the validity of certificates. The default is `None`.
    fn unix_time(&self) -> Option<u64> {
        None
    }
}

/// The board has no trustworthy source of random bytes at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoEntropy;
