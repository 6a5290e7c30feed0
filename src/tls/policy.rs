//! `sslmode` and its companions: from the configuration to what the handshake is to do, or to the
//! reason why there can be none.
//!
//! Source: manual, "SSL Support". Where libpq would try again without TLS after a failure, this
//! does not: the only way to a plaintext session is the server's own plain refusal of TLS.

use embedded_tls::blocking::MaxFragmentLength;

use super::chain::{self, Trust};
use super::files::Role;
#[cfg(feature = "tls-client-cert")]
use super::identity::{ClientKey, Identity};
use super::stream::Handshake;
use super::{Settings, Validity};
use crate::Platform;
use crate::config::{Config, SslMode, SslNegotiation};
use crate::error::{CertificateError, TlsError};
use crate::error::{ConfigError, Fault};

/// What the handshake is to do. Everything that can be wrong with the configuration is found
/// here, before a byte is sent.
pub(crate) fn plan<'h>(
    settings: &'h Settings<'_>,
    config: &Config<'_>,
    host: &'h str,
    platform: &dyn Platform,
) -> Result<Handshake<'h>, Fault> {
    let mode = config.sslmode;
    let host = Some(host).filter(|host| !host.is_empty());
    let verify_full = mode == SslMode::VerifyFull;
    if verify_full && host.is_none() {
        return Err(Fault::from(ConfigError::NoHost));
    }
    let anchors = settings.files.get(Role::Root, config)?;
    if let Some(bytes) = anchors {
        chain::check_anchors(bytes).map_err(|_| Fault::from(ConfigError::RootCertificate))?;
    }
    #[cfg(feature = "std")]
    let roots = settings.files.roots();
    #[cfg(not(feature = "std"))]
    let roots = None::<()>;
    let trust = if anchors.is_some() || roots.is_some() {
        let (earliest, latest) = dates(settings.validity, platform)?;
        Some(Trust {
            anchors: anchors.unwrap_or(&[]),
            earliest,
            latest,
            host: host.filter(|_| verify_full),
            #[cfg(feature = "std")]
            roots,
        })
    } else if matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull) {
        return Err(Fault::from(ConfigError::NoRootCertificate));
    } else {
        None
    };
    let server_name = host.filter(|host| config.sslsni && is_name(host));
    #[cfg(not(feature = "tls-client-cert"))]
    if settings.files.get(Role::Certificate, config)?.is_some() {
        return Err(Fault::from(ConfigError::ClientCertificate));
    }
    Ok(Handshake {
        trust,
        server_name,
        is_direct: config.sslnegotiation == SslNegotiation::Direct,
        #[cfg(feature = "tls-client-cert")]
        identity: identity(settings, config)?,
    })
}

/// Whether SNI may name the host. As to libpq, what has a colon or consists of digits and dots is an address, also
/// one with a zone or not written in full.
fn is_name(host: &str) -> bool {
    let is_part = |byte: u8| byte == b'.' || byte.is_ascii_digit();
    host.bytes().all(|byte| byte.is_ascii() && byte != b':') && !host.bytes().all(is_part)
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
    settings: &'h Settings<'_>,
    config: &Config<'_>,
) -> Result<Option<Identity<'h>>, Fault> {
    let wrong = Fault::from(ConfigError::ClientCertificate);
    let Some(certificates) = settings.files.get(Role::Certificate, config)? else {
        return Ok(None);
    };
    // All of them are sent: the client's own, then its intermediates.
    chain::check_anchors(certificates).map_err(|_| wrong)?;
    let key = match settings.signer {
        Some(signer) => ClientKey::Element(signer),
        None => {
            let key = settings.files.get(Role::Key, config)?.ok_or(wrong)?;
            ClientKey::from_der(key).map_err(|error| match error {
                CertificateError::UnsupportedAlgorithm => Fault::from(ConfigError::ClientKey),
                _ => wrong,
            })?
        }
    };
    // As libpq does, for a server may not ask for it. The table of a board is its maker's.
    #[cfg(feature = "std")]
    if !chain::first(certificates).is_ok_and(|own| key.belongs_to(own)) {
        return Err(wrong);
    }
    Ok(Some(Identity { certificates, key }))
}

/// Bytes around a fragment in the body of a record: content type and tag.
const AROUND: usize = 17;

/// From this size on, a buffer takes any record.
const ANY_RECORD: usize = 16_640;

/// What the server is asked to keep its fragments to (RFC 6066, section 4).
pub(super) fn fragment(rx: usize) -> Option<MaxFragmentLength> {
    match fragment_limit(rx) {
        512 => Some(MaxFragmentLength::Bits9),
        1024 => Some(MaxFragmentLength::Bits10),
        2048 => Some(MaxFragmentLength::Bits11),
        4096 => Some(MaxFragmentLength::Bits12),
        _ => None,
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
/// there is one: the smallest that asks for fragments of that size.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_that_is_named_for_a_message_takes_it_and_no_smaller_one_does() {
        for message in 0..=16_384 {
            let buffer = usize::from(buffer_for(message).unwrap());
            assert!(fragment_limit(buffer) >= message, "{message}");
            assert!(buffer == 529 || fragment_limit(buffer - 1) < message, "{message}");
        }
        assert_eq!(buffer_for(16_385), None);
    }

    #[test]
    fn an_address_is_named_to_no_server_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "1.2.3.4.5",
            ".",
            "::1",
            "::ffff:1.2.3.4",
            "fe80::1%eth0",
            "[::1]",
            "a:b",
            "\u{fc}.test",
        ] {
            assert!(!is_name(host), "{host}");
        }
        for host in ["localhost", "db.test", "3com.test", "0x7f.1", "a_b", "LOCALHOST."] {
            assert!(is_name(host), "{host}");
        }
    }
}
