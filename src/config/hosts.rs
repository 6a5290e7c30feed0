//! The lists of `host`, `hostaddr` and `port`, entry by entry.

use super::error::{ParseError, ParseReason};
use super::{DEFAULT_PORT, number};

/// One host to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HostSpec<'a> {
    /// Host name, address, or directory of the UNIX socket (begins with `/` or `@`). Empty: the
    /// default, which on a host is the UNIX socket in the usual directory.
    pub host: &'a str,
    /// Numeric address to dial instead of looking up `host`. Empty where there is none.
    pub hostaddr: &'a str,
    /// Port, from 1.
    pub port: u16,
}

impl HostSpec<'_> {
    /// Whether `host` is the directory of a UNIX socket (and no address overrides it).
    pub fn is_unix(&self) -> bool {
        self.hostaddr.is_empty() && self.host.starts_with(['/', '@'])
    }
}

/// The entries of a list with commas. `str::split` would keep a panic of core's in the program.
#[derive(Clone, Debug)]
pub(super) struct List<'a>(pub(super) Option<&'a str>);

impl<'a> Iterator for List<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0?;
        let comma = text.bytes().position(|byte| byte == b',');
        let parts = comma.and_then(|at| text.split_at_checked(at));
        let (entry, rest) = parts.map_or((text, None), |(entry, rest)| (entry, rest.get(1..)));
        self.0 = rest;
        Some(entry)
    }
}

/// The hosts to try, in the order written.
#[derive(Clone, Debug)]
pub struct Hosts<'a> {
    hosts: Option<List<'a>>,
    addrs: Option<List<'a>>,
    ports: Option<List<'a>>,
    one_port: Option<&'a str>,
    left: usize,
}

impl<'a> Hosts<'a> {
    pub(super) fn new(
        host: Option<&'a str>,
        hostaddr: Option<&'a str>,
        port: Option<&'a str>,
    ) -> Result<Self, ParseError> {
        let given = |text: Option<&'a str>| text.filter(|text| !text.is_empty());
        let (host, hostaddr, port) = (given(host), given(hostaddr), given(port));
        let left = hostaddr.or(host).map_or(1, count);
        if let (Some(host), Some(_)) = (host, hostaddr) {
            matching("host", count(host), left)?;
        }
        let one_port = port.filter(|port| !port.contains(','));
        if let (Some(port), None) = (port, one_port) {
            matching("port", count(port), left)?;
        }
        for entry in List(Some(port.unwrap_or(""))) {
            if !entry.is_empty() && number::port(entry).is_none() {
                let reason = ParseReason::InvalidValue("numbers from 1 to 65535");
                return Err(ParseError::new(Some("port"), 0, reason));
            }
        }
        let split = |text: &'a str| List(Some(text));
        Ok(Self {
            hosts: host.map(split),
            addrs: hostaddr.map(split),
            ports: if one_port.is_some() { None } else { port.map(split) },
            one_port,
            left,
        })
    }
}

#[cfg(feature = "std")]
impl<'a> super::Config<'a> {
    /// The port of one of the hosts as it was written: a password file is searched for that.
    pub(crate) fn port_text(&self, host: &HostSpec<'_>) -> Option<&'a str> {
        let mut hosts = self.hosts().ok()?;
        let place = hosts.clone().position(|candidate| candidate == *host)?;
        let text = match hosts.one_port {
            Some(port) => port,
            None => hosts.ports.as_mut()?.nth(place)?,
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

impl<'a> Iterator for Hosts<'a> {
    type Item = HostSpec<'a>;

    fn next(&mut self) -> Option<HostSpec<'a>> {
        self.left = self.left.checked_sub(1)?;
        let next = |list: &mut Option<List<'a>>| list.as_mut()?.next();
        let port = next(&mut self.ports).or(self.one_port).unwrap_or("");
        Some(HostSpec {
            host: next(&mut self.hosts).unwrap_or(""),
            hostaddr: next(&mut self.addrs).unwrap_or(""),
            port: number::port(port).unwrap_or(DEFAULT_PORT),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Hosts<'_> {}

fn count(list: &str) -> usize {
    List(Some(list)).count()
}

fn matching(keyword: &'static str, entries: usize, hosts: usize) -> Result<(), ParseError> {
    if entries == hosts {
        return Ok(());
    }
    let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let reason = ParseReason::HostCount { hosts: short(hosts), entries: short(entries) };
    Err(ParseError::new(Some(keyword), 0, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn list<'a>(host: &'a str, addr: &'a str, port: &'a str) -> Vec<(&'a str, &'a str, u16)> {
        let hosts = Hosts::new(Some(host), Some(addr), Some(port)).unwrap();
        hosts.map(|spec| (spec.host, spec.hostaddr, spec.port)).collect()
    }

    #[test]
    fn lists_pair_up() {
        assert_eq!(list("", "", ""), [("", "", 5432)]);
        assert_eq!(list("a,b", "", "7"), [("a", "", 7), ("b", "", 7)]);
        assert_eq!(list("a,,c", "", "7,8,"), [("a", "", 7), ("", "", 8), ("c", "", 5432)]);
        assert_eq!(list("", "1.2.3.4,::1", ""), [("", "1.2.3.4", 5432), ("", "::1", 5432)]);
        assert_eq!(list("a,b", ",::1", ","), [("a", "", 5432), ("b", "::1", 5432)]);
    }

    #[test]
    fn lists_that_do_not_match_are_refused() {
        let error = Hosts::new(Some("a,b"), None, Some("1,2,3")).unwrap_err();
        assert_eq!(error.keyword(), Some("port"));
        assert_eq!(error.reason(), ParseReason::HostCount { hosts: 2, entries: 3 });
        assert_eq!(
            Hosts::new(Some("a"), Some("::1,::2"), None).unwrap_err().keyword(),
            Some("host")
        );
        assert!(Hosts::new(Some("a"), None, Some("0")).is_err());
        assert!(Hosts::new(None, None, Some("1,2")).is_err());
    }
}
