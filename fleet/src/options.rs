//! What the command line says.

use std::path::PathBuf;

use barepg::{Backoff, Policy};

/// What the devices are and do.
pub struct Options {
    /// For each device, `application_name` of its own is added.
    pub conninfo: String,
    pub devices: u32,
    /// Between two readings of a device.
    pub interval_ms: u64,
    /// Within this time all devices begin.
    pub ramp_ms: u64,
    /// Where the files of the outboxes are.
    pub directory: PathBuf,
    /// Rows that are sent again at another server.
    pub resend: u32,
    pub policy: Policy,
    /// Deadline of a verb.
    pub timeout_ms: u32,
    /// The keys of a login are kept for the next one.
    pub keep_keys: bool,
    /// Whether the command `vanish` may come.
    pub may_vanish: bool,
    /// Devices read, and write nothing.
    pub reads: bool,
    /// Nothing but logins, for so long.
    pub logins_ms: u64,
}

/// A pause that never grows.
const fn fixed(ms: u32) -> Policy {
    let pause = Backoff { first_ms: ms, spread_ms: 0, steady: u32::MAX, longest_ms: ms };
    Policy { lost: pause, overloaded: pause, hopeless: pause, ..Policy::DEFAULT }
}

impl Options {
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            conninfo: String::new(),
            devices: 1,
            interval_ms: 1000,
            ramp_ms: 0,
            directory: PathBuf::from("."),
            resend: 0,
            policy: Policy::DEFAULT,
            timeout_ms: 10_000,
            keep_keys: true,
            may_vanish: false,
            reads: false,
            logins_ms: 0,
        };
        for word in words {
            let (name, value) = word.split_once('=').ok_or(format!("{word}: not name=value"))?;
            let number = || value.parse::<u32>().map_err(|_| format!("{word}: no number"));
            match name {
                "conninfo" => options.conninfo = value.to_string(),
                "devices" => options.devices = number()?,
                "interval-ms" => options.interval_ms = number()?.into(),
                "ramp-ms" => options.ramp_ms = number()?.into(),
                "directory" => options.directory = value.into(),
                "resend" => options.resend = number()?,
                "fixed-ms" => options.policy = fixed(number()?),
                "timeout-ms" => options.timeout_ms = number()?,
                "keep-keys" => options.keep_keys = number()? != 0,
                "may-vanish" => options.may_vanish = number()? != 0,
                "reads" => options.reads = number()? != 0,
                "logins-ms" => options.logins_ms = number()?.into(),
                other => return Err(format!("no option {other}")),
            }
        }
        Ok(options)
    }
}
