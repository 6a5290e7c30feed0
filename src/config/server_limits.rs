//! Limits that the server keeps: run-time parameters that go out in StartupMessage.

use core::fmt;

use super::Config;
use crate::wire::{WireError, Writer, digits};

macro_rules! limits {
    ($( $(#[$doc:meta])* $place:literal $name:ident, $get:ident: $keyword:literal $parameter:literal; )*) => {
        /// The limits of a configuration; 0 where the server's own figure holds.
        #[derive(Clone, Copy)]
        pub(crate) struct ServerLimits {
            $( $name: u32, )*
            /// Writes them. A pointer, set with a limit: firmware that sets none does not hold
            /// names and numbers.
            write: Option<fn(&Self, &mut Writer<'_>) -> Result<(), WireError>>,
        }

        impl ServerLimits {
            pub(super) const NONE: Self = Self { $( $name: 0, )* write: None };

            /// Sets the limit with this place in the list below.
            pub(super) fn set(&mut self, place: u8, value: u32) {
                let limit = match place {
                    $( $place => &mut self.$name, )*
                    _ => return,
                };
                *limit = at_most_int(value);
                self.write = Some(write);
            }

            /// The server's names, and the values.
            fn parameters(&self) -> impl Iterator<Item = (&'static str, u32)> {
                const NAMES: &[&str] = &[$( $parameter, )*];
                NAMES.iter().copied().zip([$( self.$name, )*])
            }
        }

        impl Config<'_> {
            $(
                $(#[$doc])*
                ///
                /// 0, the default: nothing is sent, and the server's own figure holds. Sent at
                /// login; a server or pooler that does not know the parameter refuses the login.
                #[must_use]
                pub const fn $name(mut self, value: u32) -> Self {
                    self.server_limits.$name = at_most_int(value);
                    self.server_limits.write = Some(write);
                    self
                }

                #[doc = concat!("`", $keyword, "`; 0 = the server's own figure.")]
                pub const fn $get(&self) -> u32 {
                    self.server_limits.$name
                }
            )*
        }
    };
}

limits! {
    /// Milliseconds after which the server cancels a statement (SQLSTATE 57014), whether or not
    /// the client is still there.
    0 statement_timeout_ms, get_statement_timeout_ms: "statement_timeout" "statement_timeout";

    /// Milliseconds after which the server cancels a statement that waits for a lock (55P03).
    1 lock_timeout_ms, get_lock_timeout_ms: "lock_timeout" "lock_timeout";

    /// Milliseconds after which the server ends a session that is idle in an open transaction
    /// (25P03), so that a device that vanished does not keep its locks.
    2 idle_in_transaction_session_timeout_ms, get_idle_in_transaction_session_timeout_ms:
        "idle_in_transaction_session_timeout" "idle_in_transaction_session_timeout";

    /// Milliseconds after which the server ends a session that is idle outside a transaction
    /// (57P05). PostgreSQL 14 or later.
    3 idle_session_timeout_ms, get_idle_session_timeout_ms:
        "idle_session_timeout" "idle_session_timeout";

    /// Seconds of silence before the server probes whether the device is still there.
    4 server_keepalives_idle_s, get_server_keepalives_idle_s:
        "server_keepalives_idle" "tcp_keepalives_idle";

    /// Seconds between two probes of the server.
    5 server_keepalives_interval_s, get_server_keepalives_interval_s:
        "server_keepalives_interval" "tcp_keepalives_interval";

    /// Probes without answer before the server gives the link up and ends the session.
    6 server_keepalives_count, get_server_keepalives_count:
        "server_keepalives_count" "tcp_keepalives_count";
}

impl ServerLimits {
    /// Writes those that are set, as parameters of StartupMessage.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), WireError> {
        self.write.map_or(Ok(()), |write| write(self, w))
    }
}

fn write(limits: &ServerLimits, w: &mut Writer<'_>) -> Result<(), WireError> {
    for (name, value) in limits.parameters().filter(|(_, value)| *value != 0) {
        w.cstr(name)?;
        w.bytes(digits::decimal(value, &mut [0; digits::DECIMAL]))?;
        w.u8(0)?;
    }
    Ok(())
}

/// The server's integers end at 2^31 − 1; more counts as that.
const fn at_most_int(value: u32) -> u32 {
    const MOST: u32 = i32::MAX.unsigned_abs();
    if value > MOST { MOST } else { value }
}

impl fmt::Debug for ServerLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.parameters()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(config: &Config<'_>) -> std::string::String {
        let mut buf = [0; 256];
        let mut w = Writer::new(&mut buf);
        config.server_limits.encode(&mut w).unwrap();
        let length = w.len();
        std::str::from_utf8(&buf[..length]).unwrap().replace('\0', "|")
    }

    #[test]
    fn what_is_set_is_sent() {
        assert_eq!(sent(&Config::new()), "");
        assert_eq!(sent(&Config::new().statement_timeout_ms(0)), "");
        let config = Config::new().server_keepalives_count(3).statement_timeout_ms(5000);
        assert_eq!(sent(&config), "statement_timeout|5000|tcp_keepalives_count|3|");
        let all = config
            .lock_timeout_ms(1)
            .idle_in_transaction_session_timeout_ms(u32::MAX)
            .idle_session_timeout_ms(60_000)
            .server_keepalives_idle_s(30)
            .server_keepalives_interval_s(10);
        assert_eq!(
            sent(&all),
            "statement_timeout|5000|lock_timeout|1|\
             idle_in_transaction_session_timeout|2147483647|idle_session_timeout|60000|\
             tcp_keepalives_idle|30|tcp_keepalives_interval|10|tcp_keepalives_count|3|"
        );
    }

    #[test]
    fn connection_strings_have_all_of_them() {
        let mut scratch = [0; 16];
        let pairs = "statement_timeout=1 lock_timeout=2 idle_in_transaction_session_timeout=3 \
                     idle_session_timeout=4 server_keepalives_idle=5 \
                     server_keepalives_interval=6 server_keepalives_count=7";
        let uri = std::format!("postgresql://h/?{}", pairs.replace(' ', "&"));
        for text in [pairs, &uri] {
            let config = Config::parse(text, &mut scratch).unwrap();
            assert_eq!(
                (config.get_statement_timeout_ms(), config.get_lock_timeout_ms()),
                (1, 2),
                "{text}"
            );
            assert_eq!(config.get_idle_in_transaction_session_timeout_ms(), 3);
            assert_eq!(config.get_idle_session_timeout_ms(), 4);
            assert_eq!(config.get_server_keepalives_idle_s(), 5);
            assert_eq!(config.get_server_keepalives_interval_s(), 6);
            assert_eq!(config.get_server_keepalives_count(), 7);
            assert_eq!(sent(&config).matches('|').count(), 14);
        }
        for text in ["statement_timeout=5s", "lock_timeout=", "server_keepalives_count=2147483648"]
        {
            let keyword = text.split('=').next();
            assert_eq!(Config::parse(text, &mut []).unwrap_err().keyword(), keyword);
        }
        assert_eq!(Config::parse("lock_timeout=-1", &mut []).unwrap().get_lock_timeout_ms(), 0);
    }
}
