//! Opening links: what a dialler is.
//!
//! A plain `connect(transport)` needs none of this. With a dialler the driver tries several hosts
//! and addresses, looks for the session wanted, and sends cancel requests.

use crate::config::{Config, HostSpec, Keepalives};
use crate::engine::Place;
use crate::error::DialError;
use crate::transport::{Io as _, Transport};

/// Something that turns host and port into a transport.
///
/// The transport must keep the rules of [`transport`](crate::transport).
///
/// ```no_run
/// use barepg::{Dial, DialError, Target, Transport};
/// # trait Modem { type Link: Transport; fn call(&mut self, host: &str, port: u16) -> Option<Self::Link>; }
///
/// struct Dialler<M>(M);
///
/// impl<M: Modem> Dial for Dialler<M> {
///     type Transport = M::Link;
///
///     fn dial(&mut self, target: &Target<'_>) -> Result<M::Link, DialError> {
///         if target.address > 0 {
///             return Err(DialError::NoMoreAddresses); // the modem looks names up
///         }
///         self.0.call(target.host.host, target.host.port).ok_or(DialError::TimedOut)
///     }
/// }
/// ```
pub trait Dial {
    /// The open link. It cannot borrow from the dialler itself, only from what that refers to: one modem for all calls
    /// is in a `RefCell` that both have a reference to.
    type Transport: Transport;

    /// Opens a link to one address of one host, within `target.timeout_ms`.
    ///
    /// Names are looked up here, anew for the first address of a host: addresses change while firmware runs. The
    /// others are of the same answer, for a name server may give another order each time.
    ///
    /// What waits here must feed the watchdog and let samples be taken as the driver does: call
    /// [`Platform::idle`](crate::Platform::idle) of the board in each turn, at least every 50 ms. A
    /// dialler that is asked to stop returns an error.
    ///
    /// # Errors
    /// Any error makes the driver try the next address or host, except that
    /// [`DialError::NoMoreAddresses`] ends the addresses of this host. A dialler that knows one address returns it
    /// where `target.address` is above 0: one that dials again instead is asked 256 times, each for as long as it waits.
    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError>;

    /// Whether what goes over the link cannot leave this machine, as over a UNIX socket: then
    /// `sslmode` does not count, and passwords may travel in clear. To be answered from the link
    /// that was opened, not from the text of `host`. The default: only a [`Local`] transport.
    ///
    /// [`Local`]: crate::transport::Local
    fn is_local(&self, transport: &Self::Transport) -> bool {
        transport.is_local()
    }

    /// The password for a target where the configuration has none: from a password file, say.
    /// Called after the link is open. The default has none.
    ///
    /// # Errors
    /// The password was found and does not fit.
    fn password(
        &mut self,
        target: &Target<'_>,
        config: &Config<'_>,
    ) -> Result<Option<&str>, DialError> {
        let _ = (target, config);
        Ok(None)
    }
}

impl<D: Dial + ?Sized> Dial for &mut D {
    type Transport = D::Transport;

    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        (**self).dial(target)
    }

    fn is_local(&self, transport: &Self::Transport) -> bool {
        (**self).is_local(transport)
    }

    fn password(
        &mut self,
        target: &Target<'_>,
        config: &Config<'_>,
    ) -> Result<Option<&str>, DialError> {
        (**self).password(target, config)
    }
}

/// Where a link is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Target<'a> {
    /// Host and port.
    pub host: HostSpec<'a>,
    /// Which of the host's addresses, from 0 in the resolver's order.
    pub address: u16,
    /// Whether the address is the one that was dialled under this number before: a cancel request goes to where the
    /// session is. Else the first address of a host begins a new lookup.
    pub again: bool,
    /// With `load_balance_hosts=random` a random number, else 0. The dialler begins the
    /// addresses of a name with this one, modulo their number: [`place`](Self::place).
    pub rotation: u32,
    /// Milliseconds that opening the link may take.
    pub timeout_ms: u32,
    /// TCP keepalive wanted.
    pub keepalives: Keepalives,
    /// `tcp_user_timeout` in milliseconds, 0 for the system's figure.
    pub tcp_user_timeout_ms: u32,
}

impl<'a> Target<'a> {
    /// The first address of a host, with the configuration's figures.
    pub const fn new(host: HostSpec<'a>, config: &Config<'_>) -> Self {
        Self {
            host,
            address: 0,
            again: false,
            rotation: 0,
            timeout_ms: config.connect_timeout_ms,
            keepalives: config.keepalives,
            tcp_user_timeout_ms: config.tcp_user_timeout_ms,
        }
    }

    /// Which of `count` addresses of the host it is, from 0 in the resolver's order. `None`: there are no more, as
    /// [`DialError::NoMoreAddresses`] says.
    #[inline]
    pub fn place(&self, count: usize) -> Option<usize> {
        let wanted = usize::from(self.address);
        let rotation = usize::try_from(self.rotation).unwrap_or(0).checked_rem(count)?;
        if wanted < count { wanted.wrapping_add(rotation).checked_rem(count) } else { None }
    }
}

impl<'a> Target<'a> {
    /// An address of a host of the configuration.
    pub(crate) const fn at(place: Place, host: HostSpec<'a>, config: &Config<'_>) -> Self {
        let mut target = Self::new(host, config);
        let [address] = place.address.to_le_bytes();
        target.address = u16::from_le_bytes([address, 0]);
        let [a, b] = place.rotation.to_le_bytes();
        target.rotation = u32::from_le_bytes([a, b, 0, 0]);
        target
    }
}
