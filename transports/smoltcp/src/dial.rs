//! The stack as the driver's dialler: several hosts and addresses, reconnects, cancel requests.

use barepg::{Dial, DialError, Target};
use embedded_io::ErrorKind;
use smoltcp::phy::Device;

use crate::names::literal;
use crate::{ConnectError, KEEP_ALIVE_MS, Stack, TIMEOUT_MS, TcpStream};

/// Dials by name or address, all addresses of a name in turn. A name is looked up when its first
/// address is dialled, and the answer kept for the others.
impl<'s, 'a, D: Device> Dial for &'s Stack<'a, D> {
    type Transport = TcpStream<'s, 'a, D>;

    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        let host = match target.host.hostaddr {
            "" => target.host.host,
            address if literal(address).is_some() => address,
            // Never looked up, as in libpq.
            _ => return Err(DialError::NotAnAddress),
        };
        let deadline = self.now_ms().saturating_add(target.timeout_ms.into());
        let anew = target.address == 0 && !target.again;
        let addresses = match self.addresses(host, anew, deadline) {
            // It is the only one.
            Err(ConnectError::Unreachable) if target.address > 0 => {
                return Err(DialError::NoMoreAddresses);
            }
            addresses => addresses?,
        };
        let place = target.place(addresses.count());
        let found = place.and_then(|place| addresses.raw().nth(place));
        let address = found.ok_or(DialError::NoMoreAddresses)?;
        let mut stream = self.connect_to(address, target.host.port, deadline)?;
        let idle_ms = match target.keepalives.idle_s {
            _ if !target.keepalives.on => None,
            0 => Some(KEEP_ALIVE_MS),
            idle_s => Some(idle_s.saturating_mul(1000)),
        };
        let limit_ms = match target.tcp_user_timeout_ms {
            0 => TIMEOUT_MS,
            limit_ms => limit_ms,
        };
        // smoltcp's time-out counts an idle link's time too: a probe and its answer must fit in.
        stream.set_keep_alive(idle_ms);
        stream.set_timeout(idle_ms.map(|idle_ms| idle_ms.saturating_add(limit_ms)));
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
