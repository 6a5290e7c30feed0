//! How long to pause, after which failure.

use crate::error::{Error, Remedy};

/// How long to pause after how many failures in a row.
///
/// The first pause is half of `first_ms` and a random part, so that a fleet that lost its server at
/// the same moment does not come back at the same moment. The next ones are `first_ms`, until
/// `steady` pauses have passed; from then on each is twice as long as the one before, up to
/// `longest_ms`, half of it fixed and half random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    /// The first pauses, in milliseconds.
    pub first_ms: u32,
    /// The random part of the very first one, in milliseconds. With N devices on a server of C
    /// cores, N × 3.6 ÷ C spreads their logins over the time that they take.
    pub spread_ms: u32,
    /// How many pauses are not longer than `first_ms`.
    pub steady: u32,
    /// The longest pause, in milliseconds.
    pub longest_ms: u32,
}

/// How long to pause after which kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Policy {
    /// Links that are lost or refused, servers that start, stop or do not answer.
    pub lost: Backoff,
    /// SQLSTATE class 53: no connection slot is free, or the server has no memory or disk. A login
    /// that is refused costs the server as much as one that is not.
    pub overloaded: Backoff,
    /// [`Remedy::Operator`]: it cannot succeed until a person has acted. openGauss locks an account
    /// after ten wrong passwords.
    pub hopeless: Backoff,
    /// Whether to cancel, before the next login, what a lost session left running: see
    /// [`Client::cancel_interrupted`](crate::Client::cancel_interrupted). A statement whose link died goes on at the server, keeps its
    /// rows locked, and each repetition waits for it and leaves one more server process waiting. Costs
    /// one short link for each session that was lost while an answer was owed, and whose server did not
    /// say that it ends it. Through PgBouncer it ends nothing, for that forgets a client with its link: there
    /// `lock_timeout` and `statement_timeout` of the role do. Of a commit that waits for a synchronous standby it ends the
    /// wait: the row is there, and to find it (`Ok(0)`) says nothing of the standby. The outbox waits for that.
    pub cancel: bool,
}

impl Policy {
    /// `lost`: some second three times, then longer ones up to ten. `overloaded`: some second up to a minute.
    /// `hopeless`: half a minute up to fifteen. What was left running is cancelled.
    pub const DEFAULT: Self = Self {
        lost: Backoff { first_ms: 1000, spread_ms: 1000, steady: 3, longest_ms: 10_000 },
        overloaded: Backoff { first_ms: 1000, spread_ms: 1000, steady: 1, longest_ms: 60_000 },
        hopeless: Backoff { first_ms: 60_000, spread_ms: 10_000, steady: 1, longest_ms: 900_000 },
        cancel: true,
    };

    pub(super) const fn of(&self, kind: Kind) -> Backoff {
        match kind {
            Kind::Lost => self.lost,
            Kind::Overloaded => self.overloaded,
            Kind::Hopeless => self.hopeless,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Kinds of failures, as far as pauses go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Lost,
    Overloaded,
    Hopeless,
}

impl Kind {
    pub(super) fn of(error: Option<Error>) -> Self {
        let Some(error) = error else { return Self::Lost };
        // By the number of the error: who asks for its kind holds all of them.
        match (error.sqlstate(), error.remedy()) {
            (Some(state), _) if state.class() == *b"53" => Self::Overloaded,
            (_, Remedy::Operator) => Self::Hopeless,
            _ => Self::Lost,
        }
    }
}

impl Backoff {
    /// The pause after so many failures in a row, from 1.
    pub(super) fn pause_ms(&self, failures: u32, random: u32) -> u32 {
        let below = |end: u32| random.checked_rem(end.saturating_add(1)).unwrap_or(0);
        if failures <= 1 {
            return (self.first_ms >> 1).saturating_add(below(self.spread_ms));
        }
        let doublings = failures.saturating_sub(self.steady.max(1));
        if doublings == 0 || failures <= self.steady {
            return self.first_ms;
        }
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let longest = self.first_ms.saturating_mul(factor).min(self.longest_ms);
        (longest >> 1).saturating_add(below(longest >> 1))
    }
}
