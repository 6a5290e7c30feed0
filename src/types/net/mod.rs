//! Network addresses (manual, section 8.9).

mod mac;
mod text;

pub use mac::{MacAddr, MacAddr8};
pub(crate) use text::{parse_ip, parse_ipv4};

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::digits::number;
use crate::wire::{WireError, Writer};

/// Address families of the layout (`PGSQL_AF_INET`, `PGSQL_AF_INET6` of `utils/inet.h`).
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 3;

/// `inet`: the address of a host, and the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inet {
    addr: IpAddr,
    prefix: u8,
}

/// `cidr`: the address of a network, with no bit set after the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr(Inet);

impl Inet {
    /// An address and its prefix length; `None` when that is above 32 or 128.
    pub fn new(addr: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= bits(addr)).then_some(Self { addr, prefix })
    }

    /// The address.
    pub const fn addr(&self) -> IpAddr {
        self.addr
    }

    /// Length of the network's prefix in bits.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The network of this address.
    pub fn network(&self) -> Cidr {
        let host = u32::from(bits(self.addr).saturating_sub(self.prefix));
        let addr = match self.addr {
            IpAddr::V4(addr) => {
                let mask = u32::MAX.checked_shl(host).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(addr.to_bits() & mask))
            }
            IpAddr::V6(addr) => {
                let mask = u128::MAX.checked_shl(host).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() & mask))
            }
        };
        Cidr(Self { addr, prefix: self.prefix })
    }

    fn is_host(&self) -> bool {
        self.prefix == bits(self.addr)
    }

    fn read(value: RawValue<'_>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let (family, prefix) = (bytes.u8()?, bytes.u8()?);
        // Whether it is a cidr, which the column's type says already, and the address's length.
        let (_, length) = (bytes.u8()?, bytes.u8()?);
        let addr = match (family, length) {
            (FAMILY_V4, 4) => IpAddr::from(bytes.array::<4>()?),
            (FAMILY_V6, 16) => IpAddr::from(bytes.array::<16>()?),
            _ => return Err(TypeError::Malformed),
        };
        bytes.finish()?;
        Self::new(addr, prefix).ok_or(TypeError::Malformed)
    }

    fn write(&self, out: &mut Writer<'_>, cidr: bool) -> Result<(), WireError> {
        match self.addr {
            IpAddr::V4(addr) => {
                out.bytes(&[FAMILY_V4, self.prefix, cidr.into(), 4])?;
                out.bytes(&addr.octets())
            }
            IpAddr::V6(addr) => {
                out.bytes(&[FAMILY_V6, self.prefix, cidr.into(), 16])?;
                out.bytes(&addr.octets())
            }
        }
    }
}

impl Cidr {
    /// A network; `None` when a bit after the prefix is set or the prefix is too long.
    pub fn new(addr: IpAddr, prefix: u8) -> Option<Self> {
        let inet = Inet::new(addr, prefix)?;
        let network = inet.network();
        (network.0 == inet).then_some(network)
    }

    /// The first address of the network.
    pub const fn addr(&self) -> IpAddr {
        self.0.addr
    }

    /// Length of the prefix in bits.
    pub const fn prefix(&self) -> u8 {
        self.0.prefix
    }

    /// Whether `addr` is one of the network's.
    pub fn contains(&self, addr: IpAddr) -> bool {
        Inet::new(addr, self.0.prefix)
            .is_some_and(|inet| addr.is_ipv4() == self.0.addr.is_ipv4() && inet.network() == *self)
    }
}

/// A host: sent with the full prefix.
impl From<IpAddr> for Inet {
    fn from(addr: IpAddr) -> Self {
        Self { addr, prefix: bits(addr) }
    }
}

/// As the server prints it: without the prefix if that is the whole address.
impl fmt::Display for Inet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::print(f, self.addr)?;
        if self.is_host() { Ok(()) } else { prefix(f, self.prefix) }
    }
}

/// As the server prints it: always with the prefix.
impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::print(f, self.0.addr)?;
        prefix(f, self.0.prefix)
    }
}

impl core::str::FromStr for Inet {
    type Err = TypeError;

    /// Parses an address, with or without `/` and the prefix length.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        let (addr, prefix) = match text.split_once('/') {
            // The server takes no zeros in front of what follows an IPv6 address.
            Some((_, prefix)) if prefix.len() > 1 && prefix.starts_with('0') => {
                return Err(TypeError::Malformed);
            }
            Some((addr, prefix)) => {
                (addr, Some(number(prefix.as_bytes()).map_err(|_| TypeError::Malformed)?))
            }
            None => (text, None),
        };
        let addr = parse_ip(addr.as_bytes()).ok_or(TypeError::Malformed)?;
        match prefix {
            Some(prefix) => {
                let prefix = u8::try_from(prefix).map_err(|_| TypeError::Malformed)?;
                Self::new(addr, prefix).ok_or(TypeError::Malformed)
            }
            None => Ok(addr.into()),
        }
    }
}

impl core::str::FromStr for Cidr {
    type Err = TypeError;

    /// As [`Inet`], with no bit after the prefix.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        let inet: Inet = text.parse()?;
        Self::new(inet.addr, inet.prefix).ok_or(TypeError::Malformed)
    }
}

impl<'a> FromSql<'a> for Inet {
    const OID: Oid = oid::INET;

    fn accepts(oid: Oid) -> bool {
        matches!(oid, oid::INET | oid::CIDR)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Self::read(value)
    }
}

impl ToSql for Inet {
    const OID: Oid = oid::INET;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.write(out, false)
    }
}

impl<'a> FromSql<'a> for Cidr {
    const OID: Oid = oid::CIDR;

    fn accepts(oid: Oid) -> bool {
        oid == oid::CIDR
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let inet = Inet::read(value)?;
        Self::new(inet.addr, inet.prefix).ok_or(TypeError::Malformed)
    }
}

impl ToSql for Cidr {
    const OID: Oid = oid::CIDR;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.write(out, true)
    }
}

/// Reads an `inet` whose prefix is the whole address; others are [`TypeError::Range`].
impl<'a> FromSql<'a> for IpAddr {
    const OID: Oid = oid::INET;

    fn accepts(oid: Oid) -> bool {
        Inet::accepts(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let inet = Inet::read(value)?;
        if inet.is_host() { Ok(inet.addr) } else { Err(TypeError::Range) }
    }
}

impl ToSql for IpAddr {
    const OID: Oid = oid::INET;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        Inet::from(*self).to_sql(out)
    }
}

fn prefix(f: &mut fmt::Formatter<'_>, length: u8) -> fmt::Result {
    f.write_str("/")?;
    text::decimal(f, length)
}

const fn bits(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}
