//! What to do about an error: three answers.

use super::{Error, Outcome, SqlState};

/// What helps after an error: [`Error::remedy`].
///
/// Fails closed: what is not known to be the row's own fault is never [`SetAside`](Self::SetAside),
/// so nothing is discarded because a disk was full or a table was being renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Remedy {
    /// The same work, unchanged, after a pause: the server or the way to it is at fault, and that
    /// passes. Over a new connection if this one is dead.
    Retry,
    /// This row never: its own values are refused, and will be refused again. Set it aside where it
    /// can be looked at, and go on with the next.
    SetAside,
    /// A person must act: configuration, rights, the schema, this program. Keep everything, say it
    /// (the SQLSTATE, `server_error()`), and try again at long intervals.
    Operator,
}

impl SqlState {
    /// What helps, as far as the SQLSTATE says:
    ///
    /// | SQLSTATE | |
    /// |---|---|
    /// | 08 connection, 40 rollback, 53 resources, 55 state of an object, 57 intervention, 58 system; 25006 read-only, 25P02 to 25P04 | [`Retry`](Remedy::Retry) |
    /// | 22 data, 23 constraints, 44 view's check | [`SetAside`](Remedy::SetAside) |
    /// | all others, 08P01 too | [`Operator`](Remedy::Operator) |
    ///
    /// 08P01 and class XX say two things: see [`Error::remedy`], which knows more.
    pub const fn remedy(&self) -> Remedy {
        if self.is(b"08P01") {
            return Remedy::Operator;
        }
        match self.class() {
            [b'0', b'8'] | [b'4', b'0'] | [b'5', b'3' | b'5' | b'7' | b'8'] => Remedy::Retry,
            [b'2', b'2' | b'3'] | [b'4', b'4'] => Remedy::SetAside,
            _ if self.is(b"25006") || self.is(b"25P02") => Remedy::Retry,
            // The session or transaction was idle, or open, for too long.
            _ if self.is(b"25P03") || self.is(b"25P04") => Remedy::Retry,
            _ => Remedy::Operator,
        }
    }
}

impl Error {
    /// What helps: the same again, setting the row aside, or a person.
    ///
    /// Of an error of the server as [`SqlState::remedy`] says, but that
    /// * what ended the session is never [`SetAside`](Remedy::SetAside): it was no answer to the
    ///   row;
    /// * 08P01 on a connection that stays usable is: so the server refuses a parameter that is
    ///   malformed. On one that is dead it was a pooler's way of giving up: [`Retry`](Remedy::Retry);
    /// * so is class XX, internal errors, on a connection that is dead: Pgpool-II says XX000 whenever its
    ///   server is lost or down, and a server that has crashed is started again.
    ///
    /// A value that cannot be encoded or does not fit the buffers, and a streamed value whose source failed, are
    /// `SetAside` where the connection stays usable; where a login or a session ended because of one it is
    /// [`Operator`](Remedy::Operator). So are errors of configuration, login, trust and usage,
    /// but for entropy, a clock or a peripheral that is not there yet. Everything else is `Retry`.
    pub const fn remedy(&self) -> Remedy {
        if let Some(state) = self.sqlstate() {
            return self.of_server(&state);
        }
        match self.outcome() {
            Outcome::Local => {}
            _ if self.fault.is_unfit() && self.is_usable() => return Remedy::SetAside,
            _ => {}
        }
        let operator = self.fault.is_unfit() || self.fault.is_for_operator();
        if operator { Remedy::Operator } else { Remedy::Retry }
    }

    const fn of_server(&self, state: &SqlState) -> Remedy {
        match (state.remedy(), self.is_usable()) {
            (Remedy::Operator, false) if matches!(state.class(), [b'0', b'8'] | [b'X', b'X']) => {
                Remedy::Retry
            }
            (Remedy::Operator, true) if state.is(b"08P01") => Remedy::SetAside,
            (Remedy::SetAside, false) => Remedy::Retry,
            (remedy, _) => remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "outbox")]
    use crate::error::OutboxError;
    use crate::error::{AuthError, Buffer, Details, DialError, ErrorKind, Fault, ProtocolError};
    #[cfg(feature = "tls")]
    use crate::error::{CertificateError, TlsError};

    fn server(code: &str, usable: bool) -> Remedy {
        let state = SqlState::from_field(code.as_bytes());
        Error::new(Fault::SERVER, Details::state(state), Outcome::Unknown, usable).remedy()
    }

    #[test]
    fn what_is_not_known_to_be_the_rows_fault_is_kept() {
        for code in ["22001", "22003", "22P02", "23502", "23505", "23514", "23P01", "44000"] {
            assert_eq!(server(code, true), Remedy::SetAside, "{code}");
            assert_eq!(server(code, false), Remedy::Retry, "{code}");
        }
        for code in [
            "08006", "25006", "25P02", "25P03", "40001", "40003", "40P01", "53100", "53200",
            "53300", "53400", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P04",
            "57P05", "58030", "58P01",
        ] {
            assert_eq!(server(code, true), Remedy::Retry, "{code}");
            assert_eq!(server(code, false), Remedy::Retry, "{code}");
        }
        for code in [
            "0A000", "21000", "25001", "26000", "28000", "28P01", "34000", "3D000", "3F000",
            "42501", "42601", "42703", "42P01", "42P10", "54000", "54001", "F0000", "P0001",
        ] {
            assert_eq!(server(code, true), Remedy::Operator, "{code}");
            assert_eq!(server(code, false), Remedy::Operator, "{code}");
        }
    }

    #[test]
    fn an_internal_error_that_ends_the_session_passes() {
        // Without a code, or with one that is none, it is XX000 as well.
        for code in ["XX000", "XX001", "XX002", "?????", ""] {
            assert_eq!(server(code, true), Remedy::Operator, "{code}");
            assert_eq!(server(code, false), Remedy::Retry, "{code}");
        }
    }

    #[test]
    fn a_malformed_parameter_is_no_poolers_fault() {
        assert_eq!(server("08P01", true), Remedy::SetAside);
        assert_eq!(server("08P01", false), Remedy::Retry);
        assert_eq!(SqlState::from_field(b"08P01").remedy(), Remedy::Operator);
    }

    #[test]
    fn errors_of_this_side() {
        let of = |fault, outcome| Error::of(fault, outcome, false).remedy();
        let full = |buffer, outcome, usable| {
            let details = Details::capacity(buffer, 64, 65);
            Error::new(Fault::CAPACITY, details, outcome, usable).remedy()
        };
        assert_eq!(full(Buffer::Tx, Outcome::NotSent, true), Remedy::SetAside);
        assert_eq!(full(Buffer::Tx, Outcome::Local, true), Remedy::Operator);
        // Of a login, or of a session that it ended: the buffers are at fault, no row.
        for outcome in [Outcome::NotSent, Outcome::Refused, Outcome::Unknown] {
            assert_eq!(full(Buffer::TlsRecord, outcome, false), Remedy::Operator);
            assert_eq!(full(Buffer::Rx, outcome, false), Remedy::Operator);
        }
        for fault in [
            Fault::CLOSED,
            Fault::HUNG_UP,
            Fault::TIMED_OUT,
            Fault::CLOCK_STOPPED,
            Fault::NO_SUITABLE_HOST,
            DialError::UnknownHost.into(),
            AuthError::NoEntropy.into(),
            AuthError::HashHardware.into(),
            ProtocolError::Unsolicited.into(),
        ] {
            assert_eq!(of(fault, Outcome::Unknown), Remedy::Retry, "{fault:?}");
        }
        for fault in [
            crate::ConfigError::NoUser.into(),
            AuthError::ServerSignature.into(),
            crate::UsageError::ParameterType.into(),
            ProtocolError::NotPostgres.into(),
        ] {
            assert_eq!(of(fault, Outcome::NotSent), Remedy::Operator, "{fault:?}");
        }
    }

    /// The answer by kind, as the documentation has it.
    fn by_kind(error: &Error) -> Remedy {
        match error.kind() {
            ErrorKind::Server(state) => error.of_server(&state),
            ErrorKind::Encode(_) | ErrorKind::Capacity { .. } => {
                match (error.outcome(), error.is_usable()) {
                    (Outcome::Local, _) | (_, false) => Remedy::Operator,
                    _ => Remedy::SetAside,
                }
            }
            ErrorKind::Config(_)
            | ErrorKind::Column { .. }
            | ErrorKind::Value(_)
            | ErrorKind::Usage(_)
            | ErrorKind::Dial(DialError::PasswordTooLong | DialError::NotAnAddress)
            | ErrorKind::Protocol(
                ProtocolError::NotPostgres | ProtocolError::BadVersion | ProtocolError::Encoding,
            ) => Remedy::Operator,
            // A source of random bytes may be slow to start, a peripheral in use elsewhere.
            ErrorKind::Auth(AuthError::NoEntropy | AuthError::HashHardware) => Remedy::Retry,
            ErrorKind::Auth(_) => Remedy::Operator,
            #[cfg(feature = "tls")]
            ErrorKind::Tls(
                TlsError::Handshake
                | TlsError::Record
                // unexpected_message, bad_record_mac, record_overflow, decode_error,
                // internal_error, user_canceled: no question of configuration.
                | TlsError::Alert(10 | 20 | 22 | 50 | 80 | 90),
            ) => Remedy::Retry,
            // A board that learns the time from the network does so after its start.
            #[cfg(feature = "tls")]
            ErrorKind::Tls(TlsError::Certificate(CertificateError::ClockNotSet)) => Remedy::Retry,
            #[cfg(feature = "tls")]
            ErrorKind::Tls(_) => Remedy::Operator,
            #[cfg(feature = "outbox")]
            ErrorKind::Outbox(OutboxError::Full | OutboxError::NoEntropy | OutboxError::Worn) => {
                Remedy::Retry
            }
            #[cfg(feature = "outbox")]
            ErrorKind::Outbox(_) => Remedy::Operator,
            _ => Remedy::Retry,
        }
    }

    #[test]
    fn every_number_is_answered_as_its_kind_is() {
        let mut kinds = 0;
        for n in 1..0x700 {
            let fault = Fault::number(n);
            for outcome in [Outcome::NotSent, Outcome::Refused, Outcome::Unknown, Outcome::Local] {
                for usable in [false, true] {
                    let error = Error::of(fault, outcome, usable);
                    // No fault has a number without a kind of its own.
                    if error.kind() != ErrorKind::Broken || fault == Fault::BROKEN {
                        assert_eq!(error.remedy(), by_kind(&error), "{n:#x} {error:?}");
                        kinds += 1;
                    }
                }
            }
        }
        assert!(kinds > 8 * 100, "{kinds}");
    }
}
