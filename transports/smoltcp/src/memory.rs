//! The memory of a stack.

use core::mem::ManuallyDrop;

use heapless::Vec;
use smoltcp::iface::SocketStorage;
use smoltcp::socket::dns::DnsQuery;

/// TCP connections a stack can hold at once: one session, and one to send a cancel request over.
pub(crate) const MAX_TCP: usize = 2;

/// Sockets besides those of TCP: DHCP and DNS.
const OTHERS: usize = 2;

/// Questions to name servers at a time: one for each kind of address.
pub(crate) const QUERIES: usize = if cfg!(feature = "ipv6") { 2 } else { 1 };

/// The buffers of a [`Stack`](crate::Stack): for `TCP` connections (1 or 2), `RX` bytes each for
/// receiving and `TX` for sending.
///
/// `RX` is TCP's window: what the peer may send before the driver has read it. `TX` holds what is
/// not acknowledged. The most that a link carries in one direction is the buffer over the round trip, whatever
/// its bandwidth: want 150 KB/s over 20 ms, and it takes 3,000 bytes. Measured in simulation, for rows
/// from the server (COPY OUT, large values) by `RX`, and for rows to it (COPY IN) by `TX`, in KB of
/// 1,000 bytes a second, by round trip:
///
/// | buffer | RX, 2 ms | RX, 20 ms | RX, 100 ms | TX, 2 ms | TX, 20 ms | TX, 100 ms |
/// |---|---|---|---|---|---|---|
#[doc = include_str!("throughput.md")]
///
/// Small sessions need none of it: 512 bytes do for a statement and a few rows at a time. 2048 + 512 are a
/// good default in a plant's network; 4096 + 4096 bytes carry 150 KB/s and more over a round trip of 20 ms.
/// Over a link that loses frames a window of at least four segments (5,840 bytes) lets TCP repair a
/// loss in one round trip instead of a second.
///
/// All zeros in the beginning: a `static` one costs no flash.
pub struct TcpBuffers<const RX: usize, const TX: usize, const TCP: usize = 1> {
    pub(crate) rx: [[u8; RX]; TCP],
    pub(crate) tx: [[u8; TX]; TCP],
}

impl<const RX: usize, const TX: usize, const TCP: usize> TcpBuffers<RX, TX, TCP> {
    /// Empty buffers.
    pub const fn new() -> Self {
        const { assert!(TCP >= 1 && TCP <= MAX_TCP && RX > 0 && TX > 0) };
        Self { rx: [[0; RX]; TCP], tx: [[0; TX]; TCP] }
    }
}

impl<const RX: usize, const TX: usize, const TCP: usize> Default for TcpBuffers<RX, TX, TCP> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const RX: usize, const TX: usize, const TCP: usize> core::fmt::Debug
    for TcpBuffers<RX, TX, TCP>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Their contents are a session's.
        write!(f, "TcpBuffers<{RX}, {TX}, {TCP}>")
    }
}

/// The sockets of a [`Stack`](crate::Stack): TCP, DHCP and DNS.
///
/// Nothing of it is written before there is a stack: a `static` one costs no flash.
#[derive(Debug)]
pub struct Sockets<'a> {
    // Nothing in them has to be dropped: they may be borrowed for as long as they live.
    sockets: ManuallyDrop<Vec<SocketStorage<'a>, { MAX_TCP + OTHERS }>>,
    queries: ManuallyDrop<Vec<Option<DnsQuery>, QUERIES>>,
}

impl<'a> Sockets<'a> {
    /// None in use.
    pub const fn new() -> Self {
        Self { sockets: ManuallyDrop::new(Vec::new()), queries: ManuallyDrop::new(Vec::new()) }
    }

    /// All of it, empty.
    pub(crate) fn places(&mut self) -> (&mut [SocketStorage<'a>], &mut [Option<DnsQuery>]) {
        let Self { sockets, queries } = self;
        sockets.clear();
        while sockets.push(SocketStorage::EMPTY).is_ok() {}
        queries.clear();
        while queries.push(None).is_ok() {}
        (sockets, queries)
    }
}

impl Default for Sockets<'_> {
    fn default() -> Self {
        Self::new()
    }
}
