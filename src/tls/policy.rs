//! `sslmode` and its companions: from the configuration and an open transport to a protected
//! link, or to the reason why there is none.
//!
//! Source: manual, "SSL Support". Where libpq would try again without TLS after a failure, this
//! does not: the only way to a plaintext session is the server's own plain refusal of TLS.

use embedded_io::{Read, Write};
use embedded_tls::blocking::MaxFragmentLength;

use super::chain::{self, Trust};
use super::error::{CertificateError, TlsError};
#[cfg(feature = "tls-client-cert")]
use super::identity::{ClientKey, Identity};
use super::name::IpBytes;
use super::stream::{Handshake, TlsStream};
use super::verifier::EndPoint;
use super::{Settings, Validity};
use crate::Platform;
use crate::config::{Config, SslMode, SslNegotiation};
use crate::error::{ConfigError, Fault};
use crate::session::Session;
use crate::startup::Protection;
use crate::transport::{Io, Lent};

/// Finds out whether the session will have TLS: by the configuration, and by asking the server.
/// After `true` the handshake is the next thing on the transport.
#[inline(never)]
pub(crate) fn negotiate(
    session: &mut Session<'_>,
    settings: Option<&Settings<'_>>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    io: &mut Lent<'_>,
) -> Result<bool, Fault> {
    let mode = config.sslmode;
    if is_local {
        return Ok(false);
    }
    let direct = config.sslnegotiation == SslNegotiation::Direct;
    if direct && !mode.demands_tls() {
        return Err(Fault::from(ConfigError::DirectTls));
    }
    let plaintext_first = mode == SslMode::Allow && !session.server.plaintext_refused;
    if mode == SslMode::Disable || plaintext_first {
        return Ok(false);
    }
    let Some(settings) = settings else {
        return match mode.demands_tls() {
            true => Err(Fault::from(ConfigError::TlsUnavailable)),
            false => Ok(false),
        };
    };
    plan(settings, config, host, session.link.platform())?;
    if direct || session.request_tls(io)? {
        return Ok(true);
    }
    if mode.demands_tls() { Err(Fault::from(TlsError::NotOffered)) } else { Ok(false) }
}

/// What the handshake found out about the server.
pub(crate) struct Peer {
    verified: bool,
    end_point: Option<EndPoint>,
}

impl Peer {
    pub(crate) fn protection(&self) -> Protection<'_> {
        let end_point = self.end_point.as_ref().map(EndPoint::as_bytes);
        Protection { private: self.verified, encrypted: true, end_point }
    }
}

/// The handshake on a stream after [`negotiate`]. `host` is the name or address that the
/// transport leads to.
#[inline(never)]
pub(crate) fn handshake<T: Read + Write>(
    session: &mut Session<'_>,
    settings: &Settings<'_>,
    config: &Config<'_>,
    host: &str,
    stream: &mut TlsStream<'_, T>,
) -> Result<Peer, Fault> {
    let platform = session.link.platform();
    stream.until(session.link.deadline());
    let handshake = plan(settings, config, host, platform)?;
    let verified = handshake.trust.is_some();
    let end_point = stream.handshake(handshake, platform);
    session.link.record = stream.record();
    Ok(Peer { verified, end_point: end_point? })
}

/// What the handshake is to do. Everything that can be wrong with the configuration is found
/// here, before a byte is sent.
fn plan<'h>(
    settings: &Settings<'h>,
    config: &Config<'h>,
    host: &'h str,
    platform: &dyn Platform,
) -> Result<Handshake<'h>, Fault> {
    let mode = config.sslmode;
    let host = Some(host).filter(|host| !host.is_empty());
    let verify_full = mode == SslMode::VerifyFull;
    if verify_full && host.is_none() {
        return Err(Fault::from(ConfigError::NoHost));
    }
    let anchors = match config.sslrootcert.filter(|name| !name.is_empty()) {
        Some(name) => {
            let missing = Fault::from(ConfigError::NoRootCertificate);
            let bytes = settings.files.get(name).ok_or(missing)?;
            chain::check_anchors(bytes).map_err(|_| Fault::from(ConfigError::RootCertificate))?;
            Some(bytes)
        }
        None if matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull) => {
            return Err(Fault::from(ConfigError::NoRootCertificate));
        }
        None => None,
    };
    let trust = match anchors {
        Some(anchors) => {
            let (earliest, latest) = dates(settings.validity, platform)?;
            let host = host.filter(|_| verify_full);
            Some(Trust { anchors, earliest, latest, host })
        }
        None => None,
    };
    let server_name =
        host.filter(|host| config.sslsni && host.is_ascii() && IpBytes::parse(host).is_none());
    Ok(Handshake {
        trust,
        server_name,
        alpn: config.sslnegotiation == SslNegotiation::Direct,
        #[cfg(feature = "tls-client-cert")]
        identity: identity(settings, config)?,
    })
    .and_then(|handshake| match config.sslcert {
        Some(name) if !name.is_empty() && !cfg!(feature = "tls-client-cert") => {
            Err(Fault::from(ConfigError::ClientCertificate))
        }
        _ => Ok(handshake),
    })
}

/// The range in which "now" lies, for the dates in certificates.
fn dates(validity: Validity, platform: &dyn Platform) -> Result<(u64, u64), Fault> {
    match (validity, platform.unix_time()) {
        (Validity::DangerNoDates, _) => Ok((0, u64::MAX)),
        (_, Some(now)) => Ok((now, now)),
        (Validity::ClockOrAfter(second), None) => Ok((second, u64::MAX)),
        (Validity::Clock, None) => {
            Err(Fault::from(TlsError::Certificate(CertificateError::ClockNotSet)))
        }
    }
}

#[cfg(feature = "tls-client-cert")]
fn identity<'h>(
    settings: &Settings<'h>,
    config: &Config<'h>,
) -> Result<Option<Identity<'h>>, Fault> {
    let wrong = Fault::from(ConfigError::ClientCertificate);
    let Some(name) = config.sslcert.filter(|name| !name.is_empty()) else { return Ok(None) };
    let certificates = settings.files.get(name).ok_or(wrong)?;
    // One certificate is sent; the server knows the intermediates.
    let certificate = chain::first(certificates).map_err(|_| wrong)?;
    let key = match settings.signer {
        Some(signer) => ClientKey::Element(signer),
        None => {
            let name = config.sslkey.ok_or(wrong)?;
            ClientKey::from_der(settings.files.get(name).ok_or(wrong)?).map_err(|_| wrong)?
        }
    };
    Ok(Some(Identity { certificate, key }))
}

/// Bytes around a fragment in the body of a record: content type and tag.
const AROUND: usize = 17;

/// From this size on, a buffer takes any record.
const ANY_RECORD: usize = 16_640;

/// What the server is asked to keep its fragments to.
pub(super) fn fragment(rx: usize) -> Option<MaxFragmentLength> {
    match rx.saturating_sub(AROUND) {
        _ if rx >= ANY_RECORD => None,
        4096.. => Some(MaxFragmentLength::Bits12),
        2048.. => Some(MaxFragmentLength::Bits11),
        1024.. => Some(MaxFragmentLength::Bits10),
        _ => Some(MaxFragmentLength::Bits9),
    }
}

/// The same as a number of bytes.
pub(super) const fn fragment_limit(rx: usize) -> usize {
    match rx.saturating_sub(AROUND) {
        _ if rx >= ANY_RECORD => 16_384,
        4096.. => 4096,
        2048.. => 2048,
        1024.. => 1024,
        _ => 512,
    }
}

/// The receive record buffer that takes a handshake message of so many bytes in one record, if
/// there is one.
pub(super) const fn buffer_for(message: usize) -> Option<u16> {
    match message {
        0..=512 => Some(529),
        513..=1024 => Some(1041),
        1025..=2048 => Some(2065),
        2049..=4096 => Some(4113),
        4097..=16_384 => Some(16_640),
        _ => None,
    }
}
