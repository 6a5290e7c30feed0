//! A session that is kept running: dial, log in, work, and after a failure a pause and again, for
//! years.

mod policy;

pub use policy::{Backoff, Policy};

use core::ops::ControlFlow;

use crate::client::Client;
use crate::connect::Dial;
use crate::connection::Connection;
use crate::error::{Error, Outcome, Result, ServerError};
use crate::platform::{Countdown, Platform, low, passed_ms};
use policy::Kind;

/// What a fleet wants to know of each of its devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Health {
    /// Attempts to log in.
    pub attempts: u32,
    /// Sessions.
    pub logins: u32,
    /// Failures for which [`Policy::lost`] holds.
    pub lost: u32,
    /// Failures for which [`Policy::overloaded`] holds.
    pub overloaded: u32,
    /// Failures for which [`Policy::hopeless`] holds.
    pub hopeless: u32,
    /// Sessions that ended with work whose outcome is unknown.
    pub unknown: u32,
    /// Failures in a row, since work was done last; 1 also after a session that ended by itself, 0 after one
    /// that stopped it.
    pub failures: u32,
    /// The longest time from the end of a session, or from the first attempt that failed, to the next login, in
    /// milliseconds. The time after a session that stopped it is none.
    pub longest_gap_ms: u32,
    /// The host of the last session, by its place in the configuration.
    pub host: u8,
    /// The last failure.
    pub last: Option<Error>,
}

/// A pause between two attempts.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pause<'p> {
    /// What ended the last session, or attempt; `None` after a session that ended by itself.
    pub error: Option<Error>,
    /// The server's message, if the error is one that it said.
    pub message: Option<ServerError<'p>>,
    /// What is left of it, in milliseconds.
    pub left_ms: u32,
    /// This is the first call of this pause: the time to report the error.
    pub begins: bool,
    /// What has happened so far.
    pub health: &'p Health,
}

/// What outlives the sessions of [`Client::supervise`].
#[derive(Debug)]
pub struct Supervisor {
    policy: Policy,
    health: Health,
    random: u32,
    /// When the last session ended.
    since: Option<u64>,
    /// When it began.
    began: u64,
    /// The last one may have left something running.
    runs_on: bool,
}

impl Supervisor {
    /// With this policy; [`Policy::DEFAULT`] is one for any device.
    pub const fn new(policy: Policy) -> Self {
        Self { policy, health: ZERO, random: 0, since: None, began: 0, runs_on: false }
    }

    /// What has happened so far.
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// A random number: not for secrets.
    fn roll(&mut self, platform: &dyn Platform) -> u32 {
        if self.random == 0 {
            let mut bytes = [0; 4];
            // Without entropy the time of the first failure has to do.
            self.random = match platform.entropy(&mut bytes) {
                Ok(()) => u32::from_le_bytes(bytes),
                Err(_) => low(platform.now_ms()).wrapping_mul(0x9e37_79b1),
            } | 1;
        }
        self.random ^= self.random.wrapping_shl(13);
        self.random ^= self.random.wrapping_shr(17);
        self.random ^= self.random.wrapping_shl(5);
        self.random.wrapping_mul(0x9e37_79b1) >> 1
    }

    fn logged_in(&mut self, platform: &dyn Platform, host: u8) {
        let health = &mut self.health;
        health.logins = health.logins.wrapping_add(1);
        health.host = host;
        self.began = platform.now_ms();
        if let Some(since) = self.since {
            health.longest_gap_ms = health.longest_gap_ms.max(lasted(self.began, since));
        }
    }

    /// Whether a session that ended with this error has not just been refused its work: its link was
    /// lost without a reason from the server, or it has gone on for as long as it would pause at most.
    /// `reported`: the server has given the reason.
    fn is_no_refusal(&self, platform: &dyn Platform, error: Error, reported: bool) -> bool {
        let kind = Kind::of(Some(error));
        let lasted = lasted(platform.now_ms(), self.began);
        !reported && kind == Kind::Lost || lasted >= self.policy.of(kind).longest_ms
    }

    /// A session has done its work, and none is wanted now.
    const fn stopped(&mut self, runs_on: bool) {
        (self.health.failures, self.since, self.runs_on) = (0, None, runs_on);
    }

    /// A session or an attempt has ended. Returns how long to pause.
    #[inline(never)]
    fn ended(&mut self, platform: &dyn Platform, error: Option<Error>, end: Ended) -> u32 {
        let kind = Kind::of(error);
        let random = self.roll(platform);
        let health = &mut self.health;
        if end != Ended::Attempt || self.since.is_none() {
            self.since = Some(platform.now_ms());
        }
        if end == Ended::AfterWork {
            health.failures = 0;
        }
        health.failures = health.failures.saturating_add(1);
        if let Some(error) = error {
            let count = match kind {
                Kind::Lost => &mut health.lost,
                Kind::Overloaded => &mut health.overloaded,
                Kind::Hopeless => &mut health.hopeless,
            };
            *count = count.wrapping_add(1);
            let unknown = error.outcome() == Outcome::Unknown && end != Ended::Attempt;
            health.unknown = health.unknown.wrapping_add(u32::from(unknown));
            health.last = Some(error);
        }
        self.policy.of(kind).pause_ms(health.failures, random)
    }
}

/// The time since then, in milliseconds. Of a clock of 64 bits all of it.
fn lasted(now: u64, since: u64) -> u32 {
    match now.checked_sub(since) {
        Some(lasted) => u32::try_from(lasted).unwrap_or(u32::MAX),
        None => passed_ms(low(now), low(since)),
    }
}

const ZERO: Health = Health {
    attempts: 0,
    logins: 0,
    lost: 0,
    overloaded: 0,
    hopeless: 0,
    unknown: 0,
    failures: 0,
    longest_gap_ms: 0,
    host: 0,
    last: None,
};

/// What has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// An attempt to log in.
    Attempt,
    /// A session in which nothing was achieved: a pooler without a server lets everyone in.
    Idle,
    /// A session in which work was done.
    AfterWork,
}

impl<'b> Client<'b> {
    /// Keeps a session running: logs in through the dialler, calls `session` with the connection,
    /// and after a failure pauses as the policy says and does it again, until one of the two
    /// closures breaks with a value.
    ///
    /// `session` is called once for each session. It must return when the connection is dead
    /// ([`Error::is_usable`](crate::Error::is_usable)), for then each verb fails at once. It returns
    /// * `Err`, what a verb returned, where the session is to end: that is most often `?`; a connection
    ///   that is usable ends with Terminate;
    /// * `Ok(Continue(()))` where it is to end without a failure: after the shortest pause there is
    ///   another;
    /// * `Ok(Break(value))` to stop. The session ends with Terminate.
    ///
    /// Both closures get `state`: an outbox, a sampler. `pause` is called all the time while no session is there and
    /// nothing is being dialled: the place to take samples, to report [`Pause::error`], to sleep for some milliseconds
    /// where the processor can, and to stop. [`Platform::idle`] is called beside it. While a link is dialled and a login
    /// waits there is only `idle`: up to `connect_timeout` for each address of each host, and [`GUESS_MS`](crate::limits::GUESS_MS) more for one that is
    /// asked by guess, after up to [`CANCEL_MS`](crate::limits::CANCEL_MS) to cancel what was left running. A dialler or transport that is asked to
    /// stop returns an error, and `pause` is called next.
    ///
    /// Failures count as in a row until work was done: `session` returned `Ok`, or had asked a second
    /// time, so that the first was answered. A login alone proves nothing: a pooler lets everyone in
    /// while its database is down. Nor does a first answer where the server then refuses, or
    /// [`Policy::overloaded`] or [`Policy::hopeless`] holds for the error, unless the session lasted as
    /// long as the longest pause: what was asked first may not have been the work.
    ///
    /// ```no_run
    /// use core::ops::ControlFlow;
    /// use barepg::{Client, Connection, Dial, Pause, Policy, Result, Supervisor};
    ///
    /// struct Oven { celsius: f32 }
    ///
    /// fn session(oven: &mut Oven, conn: &mut Connection) -> Result<ControlFlow<()>> {
    ///     loop {
    ///         oven.celsius = conn.query_one("select celsius from oven where id = 7", ())?.get(0)?;
    ///         // Heat for a second, and feed the watchdog.
    ///     }
    /// }
    ///
    /// fn pause(_: &mut Oven, pause: &Pause<'_>) -> ControlFlow<()> {
    ///     if let (true, Some(error)) = (pause.begins, pause.error) {
    ///         // Report it: an error that a person must act on comes here too.
    ///         let _ = error.remedy();
    ///     }
    ///     ControlFlow::Continue(())
    /// }
    ///
    /// fn run(client: &mut Client<'_>, dialler: &mut impl Dial) {
    ///     let mut supervisor = Supervisor::new(Policy::DEFAULT);
    ///     client.supervise(dialler, &mut supervisor, &mut Oven { celsius: 0.0 }, session, pause);
    /// }
    /// ```
    pub fn supervise<D: Dial, S, B>(
        &mut self,
        dialler: &mut D,
        supervisor: &mut Supervisor,
        state: &mut S,
        mut session: impl FnMut(&mut S, &mut Connection<'_, 'b>) -> Result<ControlFlow<B>>,
        mut pause: impl FnMut(&mut S, &Pause<'_>) -> ControlFlow<B>,
    ) -> B {
        let platform = self.session.link.platform();
        let mut runs_on = core::mem::take(&mut supervisor.runs_on);
        loop {
            if core::mem::take(&mut runs_on) && supervisor.policy.cancel {
                // A server that cannot be reached for this is not there for the login either.
                let _ = self.cancel_interrupted(dialler);
            }
            supervisor.health.attempts = supervisor.health.attempts.wrapping_add(1);
            let (error, end) = match self.connect_with(dialler) {
                Ok(mut conn) => {
                    supervisor.logged_in(platform, conn.session.place.host);
                    let before = conn.stats().round_trips;
                    let result = session(state, &mut conn);
                    let asked = conn.stats().round_trips.wrapping_sub(before);
                    runs_on = !(conn.is_usable() && conn.session.exchange.is_quiet());
                    // With Terminate, where the connection is usable.
                    let _ = conn.close();
                    match result {
                        Ok(ControlFlow::Break(value)) => {
                            supervisor.stopped(runs_on);
                            return value;
                        }
                        Ok(ControlFlow::Continue(())) => (None, Ended::AfterWork),
                        Err(error) => {
                            // A server or pooler that ends a session in words has ended its work, or
                            // knows it no more.
                            let reported = error.sqlstate().is_some();
                            runs_on &= !reported;
                            let worked =
                                asked > 1 && supervisor.is_no_refusal(platform, error, reported);
                            (Some(error), if worked { Ended::AfterWork } else { Ended::Idle })
                        }
                    }
                }
                Err(error) => (Some(error), Ended::Attempt),
            };
            let mut left_ms = supervisor.ended(platform, error, end);
            let (mut countdown, mut begins) = (Countdown::start(platform, left_ms), true);
            let is_said = error.is_some_and(|error| error.is_said());
            loop {
                let message = self.server_error().filter(|_| is_said);
                let now = Pause { error, message, left_ms, begins, health: &supervisor.health };
                if let ControlFlow::Break(value) = pause(state, &now) {
                    supervisor.runs_on = runs_on;
                    return value;
                }
                if countdown.wait(platform).is_err() {
                    break;
                }
                (left_ms, begins) = (countdown.left_ms(), false);
            }
        }
    }
}

#[cfg(test)]
mod tests;
