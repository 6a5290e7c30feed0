#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, unused_must_use)]
//! What every board runs, and the host too: the same program over any transport.
//!
//! * `show=common_operations` (the default): the common operations: create a table, insert, select, commit,
//!   roll back, be refused.
//! * `show=hosts` (feature `hosts`): bad connection strings, and two hosts of which one is dead.
//! * `show=big_values|upload|command|cancelled` (feature `verbs`): ten megabytes each way, 100,000
//!   rows by COPY, notifications that switch a lamp, a statement cancelled from elsewhere.
//! * `show=survive` (feature `survive`): a device on its own, whose readings wait in flash while there is
//!   no server or no power; `log` and `drain` are for whoever pulls the plug at random.
//! * `show=faults` (feature `faults`): sessions with servers that misbehave, and a good one afterwards.
//!
//! Lines that begin with `@` are measurements. All others are the same on every board and are
//! compared with `boards/expected/`.

#[cfg(test)]
extern crate std;

use core::fmt::Display;

use crate::counted::Calls;
use barepg::{Buffers, Error, Platform, ServerError, Stats};
use embedded_io::{Read, ReadReady, Write};

mod arguments;
mod common;
mod configuration;
mod counted;
#[cfg(feature = "faults")]
mod faults;
#[cfg(feature = "hosts")]
mod hosts;
mod print;
#[cfg(feature = "provision")]
mod provisioned;
#[cfg(feature = "survive")]
mod survive;
#[cfg(feature = "verbs")]
mod verbs;

#[cfg(feature = "provision")]
pub use provisioned::{Parameters, provision_file, provision_from, provision_over};
#[cfg(feature = "survive")]
pub use survive::sample;

use arguments::{Arguments, Show};
use configuration::{Server, client};
use print::{print, print_number};

/// What a board gives the program, besides a [`Platform`].
pub trait Board {
    /// An open connection.
    type Transport: Read + Write + ReadReady;
    /// Why there is none. The same words on every board, for they are printed.
    type DialError: Display + Into<barepg::DialError>;
    /// Where readings wait.
    #[cfg(feature = "survive")]
    type Flash: barepg::outbox::NorFlash;

    /// The flash, once.
    #[cfg(feature = "survive")]
    fn flash(&mut self) -> Self::Flash;

    /// Connects to a server.
    ///
    /// # Errors
    /// The reason, at the latest after `timeout_ms`.
    fn dial(
        &mut self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<Self::Transport, Self::DialError>;

    /// Closes a connection in order.
    fn hang_up(&mut self, transport: Self::Transport);

    /// A piece of work begins whose instructions may be counted: [`LOGIN`], [`QUERY`] or, with feature `verbs`, `VERB`.
    fn mark_begin(&mut self, id: u32) {
        let _ = id;
    }

    /// The piece of work has ended.
    fn mark_end(&mut self, id: u32) {
        let _ = id;
    }

    /// A call of the transport has moved something: how long it had to wait for that is not
    /// counted.
    fn mark_moved() {}
}

/// Mark of the login.
pub const LOGIN: u32 = 1;
/// Mark of one query.
pub const QUERY: u32 = 2;
/// Mark of what the shows of feature `verbs` do in their session.
#[cfg(feature = "verbs")]
pub const VERB: u32 = 3;

/// What failed; it has been printed.
struct Failed;

/// What the board lends the driver.
pub struct Lent<'b> {
    /// Its buffers.
    pub buffers: Buffers<'b>,
    /// Clock, entropy, idle hook.
    pub platform: &'b dyn Platform,
    /// Sleeps until something may have happened, some milliseconds at most.
    #[cfg(feature = "survive")]
    pub rest: &'b dyn Fn(),
    /// What the device was given.
    #[cfg(feature = "provision")]
    pub parameters: &'b barepg::provision::Provisioned,
    /// Memory and files for TLS.
    #[cfg(feature = "tls")]
    pub tls: barepg::tls::Tls<'b>,
}

/// The name under which the root certificates of [`root_file`] are known to the connection
/// string: `sslrootcert=root`.
pub const ROOT: &str = "root";

/// The file with root certificates, in DER, that the arguments name by `root=FILE`. An image
/// in the field has them compiled in (`barepg::pem!`); tests make new ones for every run.
pub fn root_file(arguments: &str) -> Option<&str> {
    Arguments::parse(arguments)?.root
}

/// The names under which [`client_files`] are known to the connection string: `sslcert=cert sslkey=key`.
#[cfg(feature = "signing")]
pub const CLIENT: [&str; 2] = ["cert", "key"];

/// The files with the client's certificate and its key, in DER, that the arguments name by `cert=FILE key=FILE`.
#[cfg(feature = "signing")]
pub fn client_files(arguments: &str) -> Option<[&str; 2]> {
    let arguments = Arguments::parse(arguments)?;
    Some([arguments.cert?, arguments.key?])
}

/// The name server that the arguments name by `dns=ADDRESS`, for the board's network.
#[cfg(feature = "hosts")]
pub fn name_server(arguments: &str) -> Option<core::net::Ipv4Addr> {
    Arguments::parse(arguments)?.dns?.parse().ok()
}

/// The file that the arguments name by `flash=FILE`.
#[cfg(feature = "survive")]
pub fn flash_file(arguments: &str) -> Option<&str> {
    Arguments::parse(arguments)?.flash
}

/// Runs what the arguments ask for. Returns whether all went as it should.
pub fn run<B: Board>(
    arguments: &str,
    board: &mut B,
    lent: Lent<'_>,
    out: &mut dyn core::fmt::Write,
) -> bool {
    let Some(arguments) = Arguments::parse(arguments) else {
        print(out, &["usage: ", arguments::USAGE, "\n"]);
        return false;
    };
    let mut scratch = [0; configuration::SCRATCH];
    #[cfg(feature = "provision")]
    let parameters = lent.parameters;
    #[cfg(feature = "provision")]
    let config = match arguments.conninfo {
        // It was checked when it was taken.
        "" => parameters.config(&mut scratch).ok(),
        conninfo => configuration::read(conninfo, &mut scratch, out),
    };
    #[cfg(not(feature = "provision"))]
    let config = configuration::read(arguments.conninfo, &mut scratch, out);
    // Used where it lies, for it has a quarter of a kilobyte.
    let Some(config) = &config else { return false };
    let Some(server) = Server::first(config) else { return false };
    let result = match arguments.show {
        Show::Common => common::show(board, &mut client(config, lent), server, out),
        #[cfg(feature = "faults")]
        Show::Faults => faults::show(board, config, lent, server, &arguments, out),
        #[cfg(feature = "hosts")]
        Show::Hosts => hosts::show(board, &mut client(config, lent), out),
        #[cfg(feature = "survive")]
        Show::Survive(script) => {
            let device = survive::Device { platform: lent.platform, rest: lent.rest };
            let plan = (script, arguments.every_ms);
            survive::show(board, &mut client(config, lent), device, plan, out)
        }
        #[cfg(feature = "verbs")]
        Show::Verb(verb) => verbs::show(board, &mut client(config, lent), server, verb, out),
    };
    result.is_ok()
}

/// Prints an error, and the server's message if there is one.
fn report(error: &Error, message: Option<ServerError<'_>>, out: &mut dyn core::fmt::Write) {
    #[cfg(feature = "error-words")]
    let _ = writeln!(out, "  error: {error}");
    #[cfg(not(feature = "error-words"))]
    {
        print(out, &["  error: "]);
        for byte in error.to_bytes() {
            for nibble in [byte >> 4, byte & 0xf] {
                let _ = out.write_char(char::from_digit(nibble.into(), 16).unwrap_or('?'));
            }
        }
        print(out, &["\n"]);
    }
    if let Some(message) = message {
        let _ = writeln!(out, "  {message}");
    }
}

/// Prints what went over the wire between two moments.
fn count(name: &str, from: (Stats, Calls), to: (Stats, Calls), out: &mut dyn core::fmt::Write) {
    let ((from, before), (to, after)) = (from, to);
    print(out, &["@", name]);
    for (what, from, to) in [
        (" round_trips=", from.round_trips, to.round_trips),
        (" writes=", before.writes, after.writes),
        (" flushes=", before.flushes, after.flushes),
        (" reads=", before.reads, after.reads),
        (" bytes_out=", from.bytes_out, to.bytes_out),
        (" bytes_in=", from.bytes_in, to.bytes_in),
    ] {
        print_number(out, what, to.wrapping_sub(from));
    }
    print(out, &["\n"]);
}
