//! The command line.

#[cfg(feature = "survive")]
use crate::survive::Script;
#[cfg(feature = "verbs")]
use crate::verbs::Verb;

/// The options in short.
pub(crate) const USAGE: &str = "[show=NAME] [silent=PORT] [dying=PORT] [closed=PORT] [root=FILE] [cert=FILE key=FILE] [dns=ADDRESS] [flash=FILE] [every=MS] [provision=FILE | console=yes] conninfo=KEYWORD=VALUE ...";

/// Which program to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Common,
    #[cfg(feature = "faults")]
    Faults,
    #[cfg(feature = "hosts")]
    Hosts,
    #[cfg(feature = "verbs")]
    Verb(Verb),
    #[cfg(feature = "survive")]
    Survive(Script),
}

/// `show=NAME silent=PORT dying=PORT closed=PORT conninfo=…`. The connection string comes last
/// and takes the rest of the line, for it holds spaces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments<'a> {
    pub(crate) show: Show,
    /// Ports of misbehaving servers on the host of the connection string.
    #[cfg(feature = "faults")]
    pub(crate) silent: Option<u16>,
    #[cfg(feature = "faults")]
    pub(crate) dying: Option<u16>,
    #[cfg(feature = "faults")]
    pub(crate) closed: Option<u16>,
    /// File with the root certificates, in DER.
    pub(crate) root: Option<&'a str>,
    /// Files with the client's certificate and its key, in DER.
    #[cfg(feature = "signing")]
    pub(crate) cert: Option<&'a str>,
    #[cfg(feature = "signing")]
    pub(crate) key: Option<&'a str>,
    /// Name server to ask, instead of the network's.
    #[cfg(feature = "hosts")]
    pub(crate) dns: Option<&'a str>,
    /// The file that is the flash of a board that has none.
    #[cfg(feature = "survive")]
    pub(crate) flash: Option<&'a str>,
    /// Milliseconds between two readings.
    #[cfg(feature = "survive")]
    pub(crate) every_ms: u32,
    /// The file with the lines of the provisioning console.
    #[cfg(feature = "provision")]
    pub(crate) provision: Option<&'a str>,
    /// Whether the provisioning console comes first.
    #[cfg(feature = "provision")]
    pub(crate) console: bool,
    /// Empty where the parameters are those that the device was given.
    pub(crate) conninfo: &'a str,
}

impl<'a> Arguments<'a> {
    /// `None` when something is unknown or missing.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let mut arguments = Self {
            show: Show::Common,
            #[cfg(feature = "faults")]
            silent: None,
            #[cfg(feature = "faults")]
            dying: None,
            #[cfg(feature = "faults")]
            closed: None,
            root: None,
            #[cfg(feature = "signing")]
            cert: None,
            #[cfg(feature = "signing")]
            key: None,
            #[cfg(feature = "hosts")]
            dns: None,
            #[cfg(feature = "survive")]
            flash: None,
            #[cfg(feature = "survive")]
            every_ms: 50,
            #[cfg(feature = "provision")]
            provision: None,
            #[cfg(feature = "provision")]
            console: false,
            conninfo: "",
        };
        let mut rest = line.trim_ascii_start();
        // Word by word: a search for the text would be a kilobyte of flash.
        while !rest.is_empty() {
            if let Some(conninfo) = rest.strip_prefix("conninfo=") {
                return Some(Self { conninfo, ..arguments });
            }
            let (option, after) = rest.split_once(' ').unwrap_or((rest, ""));
            rest = after.trim_ascii_start();
            match option.split_once('=')? {
                ("show", "common_operations") => arguments.show = Show::Common,
                #[cfg(feature = "faults")]
                ("show", "faults") => arguments.show = Show::Faults,
                #[cfg(feature = "hosts")]
                ("show", "hosts") => arguments.show = Show::Hosts,
                #[cfg(feature = "verbs")]
                ("show", "big_values") => arguments.show = Show::Verb(Verb::BigValues),
                #[cfg(feature = "verbs")]
                ("show", "upload") => arguments.show = Show::Verb(Verb::Upload),
                #[cfg(feature = "verbs")]
                ("show", "command") => arguments.show = Show::Verb(Verb::Command),
                #[cfg(feature = "verbs")]
                ("show", "cancelled") => arguments.show = Show::Verb(Verb::Cancelled),
                #[cfg(feature = "survive")]
                ("show", "survive") => arguments.show = Show::Survive(Script::Round),
                #[cfg(feature = "survive")]
                ("show", "log") => arguments.show = Show::Survive(Script::Log),
                #[cfg(feature = "survive")]
                ("show", "drain") => arguments.show = Show::Survive(Script::Drain),
                #[cfg(feature = "faults")]
                ("silent", port) => arguments.silent = Some(port.parse().ok()?),
                #[cfg(feature = "faults")]
                ("dying", port) => arguments.dying = Some(port.parse().ok()?),
                ("root", file) => arguments.root = Some(file),
                #[cfg(feature = "signing")]
                ("cert", file) => arguments.cert = Some(file),
                #[cfg(feature = "signing")]
                ("key", file) => arguments.key = Some(file),
                #[cfg(feature = "hosts")]
                ("dns", address) => arguments.dns = Some(address),
                #[cfg(feature = "provision")]
                ("provision", file) => arguments.provision = Some(file),
                #[cfg(feature = "provision")]
                ("console", "yes") => arguments.console = true,
                #[cfg(feature = "survive")]
                ("flash", file) => arguments.flash = Some(file),
                #[cfg(feature = "survive")]
                ("every", ms) => arguments.every_ms = ms.parse().ok()?,
                #[cfg(feature = "faults")]
                ("closed", port) => arguments.closed = Some(port.parse().ok()?),
                _ => return None,
            }
        }
        // Without a connection string, where the device may have been given parameters.
        cfg!(feature = "provision").then_some(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_string_takes_the_rest() {
        let arguments = Arguments::parse(
            "show=faults silent=1 dying=2 closed=3 root=/a/b conninfo=user=a password='b c'",
        );
        let expected = Arguments {
            show: Show::Faults,
            silent: Some(1),
            dying: Some(2),
            closed: Some(3),
            root: Some("/a/b"),
            #[cfg(feature = "signing")]
            cert: None,
            #[cfg(feature = "signing")]
            key: None,
            #[cfg(feature = "hosts")]
            dns: None,
            #[cfg(feature = "survive")]
            flash: None,
            #[cfg(feature = "survive")]
            every_ms: 50,
            #[cfg(feature = "provision")]
            provision: None,
            #[cfg(feature = "provision")]
            console: false,
            conninfo: "user=a password='b c'",
        };
        assert_eq!(arguments, Some(expected));
        assert_eq!(
            Arguments::parse("conninfo=").map(|a| (a.show, a.conninfo)),
            Some((Show::Common, ""))
        );
    }

    #[test]
    fn what_is_unknown_is_refused() {
        #[cfg(not(feature = "provision"))]
        assert_eq!(
            (Arguments::parse(""), Arguments::parse("show=common_operations")),
            (None, None)
        );
        for line in ["show=x conninfo=", "silent=99999 conninfo=", "x conninfo="] {
            assert_eq!(Arguments::parse(line), None, "{line}");
        }
    }
}
