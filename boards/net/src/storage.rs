//! The memory of a stack.

use smoltcp::iface::SocketStorage;
use smoltcp::socket::dns::DnsQuery;

/// TCP connections a stack can hold at once: one session, and one to send a cancel request over.
pub(crate) const MAX_TCP: usize = 2;

/// The memory of a [`Stack`](crate::Stack): `TCP` connections (1 or 2) with receive buffers of
/// `RX` and send buffers of `TX` bytes.
///
/// `RX` is what the peer may send before the driver has read: TCP's window. One segment
/// (1460 bytes) or more lets the server send at full speed. `TX` holds what is not acknowledged.
pub struct Storage<'a, const RX: usize, const TX: usize, const TCP: usize = 1> {
    pub(crate) rx: [[u8; RX]; TCP],
    pub(crate) tx: [[u8; TX]; TCP],
    // Plus DHCP and DNS.
    pub(crate) sockets: [SocketStorage<'a>; MAX_TCP + 2],
    pub(crate) queries: [Option<DnsQuery>; 1],
}

impl<const RX: usize, const TX: usize, const TCP: usize> Storage<'_, RX, TX, TCP> {
    /// Empty storage.
    pub const fn new() -> Self {
        const { assert!(TCP >= 1 && TCP <= MAX_TCP && RX > 0 && TX > 0) };
        Self {
            rx: [[0; RX]; TCP],
            tx: [[0; TX]; TCP],
            sockets: [const { SocketStorage::EMPTY }; MAX_TCP + 2],
            queries: [const { None }; 1],
        }
    }
}

impl<const RX: usize, const TX: usize, const TCP: usize> Default for Storage<'_, RX, TX, TCP> {
    fn default() -> Self {
        Self::new()
    }
}
