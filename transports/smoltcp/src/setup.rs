//! What a stack is given at its start, and why it could not connect.

use core::net::Ipv4Addr;

/// Where the address comes from.
#[derive(Clone, Copy, Debug)]
pub enum Address {
    /// From a DHCP server, with the name servers and the router.
    Dhcp,
    /// Fixed.
    Static {
        /// The own address.
        address: Ipv4Addr,
        /// Length of the network's prefix, in bits: 24 for a netmask of 255.255.255.0.
        prefix: u8,
        /// Router to other networks.
        router: Option<Ipv4Addr>,
        /// Name server.
        dns: Option<Ipv4Addr>,
    },
}

/// What a stack needs to know at its start.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Hardware address of the network interface; must be unicast.
    pub mac: [u8; 6],
    /// A number that differs at every start, from the board's entropy: port numbers, sequence
    /// numbers and DNS transaction numbers are derived from it.
    pub seed: u64,
    /// Where the address comes from.
    pub address: Address,
    /// A name server to ask instead of those that DHCP or [`Address::Static`] name.
    pub name_server: Option<Ipv4Addr>,
}

impl Setup {
    /// Address, router and name servers by DHCP.
    pub const fn dhcp(mac: [u8; 6], seed: u64) -> Self {
        Self { mac, seed, address: Address::Dhcp, name_server: None }
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The deadline passed before there was an own address: no DHCP server answered.
    NoAddress,
    /// The host name is malformed, too long, or no name server knows it.
    NameNotFound,
    /// The deadline passed before a name server answered, or none is known.
    NameTimedOut,
    /// The host has no such port open.
    Refused,
    /// The deadline passed before the host answered.
    TimedOut,
    /// There is no route to the host, or its address or port is 0.
    Unreachable,
    /// All connections of the storage are in use.
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
