//! PEM to DER (RFC 7468), as `const fn`: [`pem!`](crate::pem) decodes while compiling, so the
//! device holds DER and no decoder.
//!
//! At run time, [`decode`] serves hosts that read their certificates from files.

use crate::wire::base64;

/// Why a text is not PEM that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PemError {
    /// There is no `-----BEGIN …-----` line.
    NoBlock,
    /// A block has no `-----END …-----` line.
    Unfinished,
    /// A character that is not base64 inside a block.
    Base64,
    /// The key is encrypted with a passphrase; store it unencrypted
    /// (`openssl pkey -in key.pem -out plain.pem`).
    Encrypted,
    /// The output has no room.
    Full,
}

/// Decodes every block of `text` into `out`, one after the other, and returns their length.
///
/// Text around the blocks is skipped, and so are `EC PARAMETERS` blocks, which `openssl ecparam`
/// writes before a key.
///
/// # Errors
/// [`PemError`]; what was written to `out` until then is of no use.
pub const fn decode(text: &[u8], out: &mut [u8]) -> Result<usize, PemError> {
    run(text, out, false)
}

/// The number of bytes that [`decode`] would write.
///
/// # Errors
/// As [`decode`], never [`PemError::Full`].
pub const fn decoded_len(text: &[u8]) -> Result<usize, PemError> {
    run(text, &mut [], true)
}

/// [`decode`] into an array of exactly [`decoded_len`] bytes, for [`pem!`](crate::pem). Errors
/// become compiler errors.
#[doc(hidden)]
#[allow(clippy::panic)] // runs in the compiler only
pub const fn decode_array<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    match decode(text, &mut out) {
        Ok(_) => out,
        Err(_) => panic!("not a PEM file"),
    }
}

/// [`decoded_len`] for [`pem!`](crate::pem).
#[doc(hidden)]
#[allow(clippy::panic)] // runs in the compiler only
pub const fn array_len(text: &[u8]) -> usize {
    match decoded_len(text) {
        Ok(length) => length,
        Err(PemError::NoBlock) => panic!("no PEM block in this file"),
        Err(PemError::Encrypted) => panic!("the PEM file is encrypted; decrypt it first"),
        Err(_) => panic!("not a PEM file"),
    }
}

/// The DER bytes (`&'static [u8]`) of the PEM file at `path`, decoded while compiling. The path
/// is relative to the source file, as for `include_bytes!`. Several certificates in one file
/// follow each other, which is what `sslrootcert` takes.
///
/// ```text
/// const ROOT: &[u8] = barepg::pem!("../certs/root.crt");
/// ```
#[macro_export]
macro_rules! pem {
    ($path:expr) => {{
        const TEXT: &[u8] = include_bytes!($path);
        const DER: [u8; $crate::tls::pem::array_len(TEXT)] = $crate::tls::pem::decode_array(TEXT);
        const BYTES: &[u8] = &DER;
        BYTES
    }};
}

const fn run(mut text: &[u8], mut out: &mut [u8], counting: bool) -> Result<usize, PemError> {
    let mut written = 0usize;
    let mut blocks = 0usize;
    loop {
        let (line, rest) = split_line(text);
        if rest.is_empty() && line.is_empty() {
            break;
        }
        text = rest;
        let Some(label) = strip(line, b"-----BEGIN ") else { continue };
        if strip(label, b"ENCRYPTED").is_some() {
            return Err(PemError::Encrypted);
        }
        let skip = strip(label, b"EC PARAMETERS").is_some();
        let (mut bits, mut count) = (0u32, 0u32);
        // The lines of one block.
        loop {
            if text.is_empty() {
                return Err(PemError::Unfinished);
            }
            let (line, rest) = split_line(text);
            text = rest;
            if strip(line, b"-----END ").is_some() {
                break;
            }
            if strip(line, b"Proc-Type:").is_some() {
                return Err(PemError::Encrypted);
            }
            let mut line = line;
            while let Some((&byte, rest)) = line.split_first() {
                line = rest;
                let Some(value) = base64::value(byte) else {
                    match byte {
                        b'=' | b' ' | b'\t' | b'\r' => continue,
                        _ => return Err(PemError::Base64),
                    }
                };
                bits = bits.wrapping_shl(6) | value;
                count = count.wrapping_add(6);
                if count < 8 {
                    continue;
                }
                count = count.wrapping_sub(8);
                if skip {
                    continue;
                }
                written = written.wrapping_add(1);
                if counting {
                    continue;
                }
                let [.., low] = bits.wrapping_shr(count).to_be_bytes();
                match { out }.split_first_mut() {
                    Some((slot, rest)) => {
                        *slot = low;
                        out = rest;
                    }
                    None => return Err(PemError::Full),
                }
            }
        }
        blocks = blocks.wrapping_add(if skip { 0 } else { 1 });
    }
    if blocks == 0 { Err(PemError::NoBlock) } else { Ok(written) }
}

/// The text up to the next line feed, and what follows it.
const fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut rest, mut length) = (text, 0usize);
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'\n' {
            return match text.split_at_checked(length) {
                Some((line, _)) => (line, after),
                None => (text, &[]),
            };
        }
        rest = after;
        length = length.wrapping_add(1);
    }
    (text, &[])
}

const fn strip<'t>(mut text: &'t [u8], mut prefix: &[u8]) -> Option<&'t [u8]> {
    while let Some((&want, after)) = prefix.split_first() {
        match text.split_first() {
            Some((&byte, rest)) if byte == want => text = rest,
            _ => return None,
        }
        prefix = after;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"some words\n-----BEGIN CERTIFICATE-----\r\nAQID\r\nBA==\r\n\
        -----END CERTIFICATE-----\nmore\n-----BEGIN CERTIFICATE-----\nBQ==\n\
        -----END CERTIFICATE-----";
    const DECODED: [u8; array_len(TWO)] = decode_array(TWO);

    #[test]
    fn decodes_all_blocks_in_the_compiler_and_at_run_time() {
        assert_eq!(DECODED, [1, 2, 3, 4, 5]);
        let mut out = [0; 5];
        assert_eq!(decode(TWO, &mut out), Ok(5));
        assert_eq!(out, DECODED);
        assert_eq!(decode(TWO, &mut out[..4]), Err(PemError::Full));
    }

    #[test]
    fn skips_curve_parameters() {
        let text =
            b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
            -----BEGIN EC PRIVATE KEY-----\nBwg=\n-----END EC PRIVATE KEY-----\n";
        let mut out = [0; 4];
        assert_eq!(decode(text, &mut out), Ok(2));
        assert_eq!(out[..2], [7, 8]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, want) in [
            (&b""[..], PemError::NoBlock),
            (b"0\x82\x01\x00", PemError::NoBlock),
            (b"-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\n", PemError::NoBlock),
            (b"-----BEGIN CERTIFICATE-----\nAQID\n", PemError::Unfinished),
            (b"-----BEGIN CERTIFICATE-----\nAQ*D\n-----END CERTIFICATE-----\n", PemError::Base64),
            (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n", PemError::Encrypted),
            (b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", PemError::Encrypted),
        ] {
            assert_eq!(
                decoded_len(text),
                Err(want),
                "{}",
                std::string::String::from_utf8_lossy(text)
            );
        }
    }
}
