//! What a stack is given at its start, and why it could not start or connect.

use core::net::{IpAddr, Ipv4Addr};

#[cfg(feature = "ipv6")]
use core::net::Ipv6Addr;

/// Where the IPv4 address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv4 {
    /// From a DHCP server, with the name servers and the router. The default.
    Dhcp,
    /// Fixed.
    Static {
        /// The own address.
        address: Ipv4Addr,
        /// Length of the network's prefix, in bits: 24 for a netmask of 255.255.255.0.
        prefix: u8,
        /// Router to other networks.
        router: Option<Ipv4Addr>,
    },
    /// None: IPv6 only.
    Off,
}

/// Where the IPv6 address comes from. Feature `ipv6`.
#[cfg(feature = "ipv6")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6 {
    /// From the routers' advertisements (SLAAC, RFC 4862), beside the link-local address. The default with an
    /// Ethernet device; without a hardware address there is none. The device must let multicast frames
    /// (33:33:…) through.
    Slaac,
    /// Fixed, beside the link-local address.
    Static {
        /// The own address.
        address: Ipv6Addr,
        /// Length of the network's prefix, in bits.
        prefix: u8,
        /// Router to other networks.
        router: Option<Ipv6Addr>,
    },
    /// None: IPv4 only.
    Off,
}

/// What a stack needs to know at its start.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub(crate) mac: [u8; 6],
    pub(crate) seed: Option<u64>,
    pub(crate) ipv4: Ipv4,
    #[cfg(feature = "ipv6")]
    pub(crate) ipv6: Ipv6,
    pub(crate) name_server: Option<IpAddr>,
}

impl Setup {
    /// Address, router and name servers from the network.
    ///
    /// `mac` is the hardware address of the interface and must be unicast; a device without one
    /// (PPP) ignores it.
    pub const fn new(mac: [u8; 6]) -> Self {
        Self {
            mac,
            seed: None,
            ipv4: Ipv4::Dhcp,
            #[cfg(feature = "ipv6")]
            ipv6: Ipv6::Slaac,
            name_server: None,
        }
    }

    /// Where the IPv4 address comes from.
    pub const fn ipv4(mut self, ipv4: Ipv4) -> Self {
        self.ipv4 = ipv4;
        self
    }

    /// Where the IPv6 address comes from. Feature `ipv6`.
    #[cfg(feature = "ipv6")]
    pub const fn ipv6(mut self, ipv6: Ipv6) -> Self {
        self.ipv6 = ipv6;
        self
    }

    /// A name server to ask instead of those that DHCP names. A fixed IPv4 address, and a network
    /// without IPv4, need one if hosts are known by name.
    pub const fn name_server(mut self, address: IpAddr) -> Self {
        self.name_server = Some(address);
        self
    }

    /// For boards without [`Platform::entropy`](barepg::Platform::entropy): a number that differs at
    /// **every** start, power losses included, such as a counter kept in flash.
    ///
    /// Local ports and TCP sequence numbers are derived from it. With one that repeats, a device that comes
    /// back after a power loss dials from the port of the session that the server still holds, with
    /// the same sequence numbers; never a constant.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Why a stack could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// The board has no entropy at this moment, or the same four bytes again and again, and [`Setup::seed`] was not
    /// given.
    NoEntropy,
    /// The hardware address is a multicast address, or all zeros.
    HardwareAddress,
    /// A fixed address is not one of a single machine, or the name server has an IPv6 address and
    /// feature `ipv6` is off.
    Address,
    /// The device is neither Ethernet nor, with feature `medium-ip`, one of bare IP packets.
    Medium,
}

impl core::fmt::Display for SetupError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoEntropy => "no entropy, and no seed",
            Self::HardwareAddress => "the hardware address is not unicast",
            Self::Address => "a fixed address cannot be used",
            Self::Medium => "the device's medium is not supported",
        })
    }
}

impl core::error::Error for SetupError {}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The deadline passed before there was an own address: no DHCP server or router answered.
    NoAddress,
    /// The host name is malformed, too long, or no name server knows it.
    NameNotFound,
    /// The deadline passed before a name server answered, or none is known.
    NameTimedOut,
    /// The host has no such port open.
    Refused,
    /// The deadline passed before the host answered.
    TimedOut,
    /// There is no route to the host, its address or port is 0, or it is an IPv6 address and feature
    /// `ipv6` is off.
    Unreachable,
    /// All connections of the buffers are in use.
    NoSocket,
}

impl core::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "no own address before the deadline",
            Self::NameNotFound => "host name not found",
            Self::NameTimedOut => "no answer from a name server before the deadline",
            Self::Refused => "connection refused",
            Self::TimedOut => "no answer from the host before the deadline",
            Self::Unreachable => "no route to the host",
            Self::NoSocket => "all sockets are in use",
        })
    }
}

impl core::error::Error for ConnectError {}
