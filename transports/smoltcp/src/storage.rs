//! The memory of a stack.

use smoltcp::iface::SocketStorage;
use smoltcp::socket::dns::DnsQuery;

/// TCP connections a stack can hold at once: one session, and one to send a cancel request over.
pub(crate) const MAX_TCP: usize = 2;

/// The buffers of a [`Stack`](crate::Stack): for `TCP` connections (1 or 2), `RX` bytes each for
/// receiving and `TX` for sending.
///
/// `RX` is what the peer may send before the driver has read: TCP's window. One segment
/// (1460 bytes) or more lets the server send at full speed. `TX` holds what is not acknowledged.
///
/// All zeros in the beginning: a `static` one costs no flash.
pub struct Storage<const RX: usize, const TX: usize, const TCP: usize = 1> {
    pub(crate) rx: [[u8; RX]; TCP],
    pub(crate) tx: [[u8; TX]; TCP],
}

impl<const RX: usize, const TX: usize, const TCP: usize> Storage<RX, TX, TCP> {
    /// Empty buffers.
    pub const fn new() -> Self {
        const { assert!(TCP >= 1 && TCP <= MAX_TCP && RX > 0 && TX > 0) };
        Self { rx: [[0; RX]; TCP], tx: [[0; TX]; TCP] }
    }
}

impl<const RX: usize, const TX: usize, const TCP: usize> Default for Storage<RX, TX, TCP> {
    fn default() -> Self {
        Self::new()
    }
}

/// The sockets of a [`Stack`](crate::Stack): TCP, DHCP and DNS.
pub struct Sockets<'a> {
    pub(crate) sockets: [SocketStorage<'a>; MAX_TCP + 2],
    pub(crate) queries: [Option<DnsQuery>; 1],
}

impl Sockets<'_> {
    /// None in use.
    pub const fn new() -> Self {
        Self {
            sockets: [const { SocketStorage::EMPTY }; MAX_TCP + 2],
            queries: [const { None }; 1],
        }
    }
}

impl Default for Sockets<'_> {
    fn default() -> Self {
        Self::new()
    }
}
