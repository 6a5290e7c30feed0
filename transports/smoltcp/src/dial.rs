//! The stack as the driver's dialler: several hosts, reconnects, cancel requests.

use core::net::Ipv4Addr;

use barepg::{Dial, DialError, Target};
use embedded_io::ErrorKind;
use smoltcp::phy::Device;

use crate::{ConnectError, Stack, TcpStream};

/// Dials by name or address. A name stands for one address here, the first of the answer.
impl<'s, 'a, D: Device> Dial for &'s Stack<'a, D> {
    type Transport = TcpStream<'s, 'a, D>;

    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        if target.address > 0 {
            return Err(DialError::NoMoreAddresses);
        }
        let host = match target.host.hostaddr {
            "" => target.host.host,
            address if address.parse::<Ipv4Addr>().is_ok() => address,
            // Never looked up, as in libpq.
            _ => return Err(DialError::NotAnAddress),
        };
        let mut stream = self.connect(host, target.host.port, target.timeout_ms)?;
        if !target.keepalives.on {
            stream.set_keep_alive(None);
        } else if target.keepalives.idle_s > 0 {
            stream.set_keep_alive(Some(target.keepalives.idle_s.saturating_mul(1000)));
        }
        if target.tcp_user_timeout_ms > 0 {
            stream.set_timeout(Some(target.tcp_user_timeout_ms));
        }
        Ok(stream)
    }
}

impl From<ConnectError> for DialError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NameNotFound | ConnectError::NameTimedOut => Self::UnknownHost,
            ConnectError::NoAddress | ConnectError::TimedOut => Self::TimedOut,
            ConnectError::Refused => Self::Failed(ErrorKind::ConnectionRefused),
            ConnectError::Unreachable => Self::Failed(ErrorKind::AddrNotAvailable),
            ConnectError::NoSocket => Self::Failed(ErrorKind::OutOfMemory),
        }
    }
}
