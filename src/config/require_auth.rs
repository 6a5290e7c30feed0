//! libpq's `require_auth`: a list of authentication methods.

use super::error::ParseReason;
use super::hosts::List;
use crate::credentials::AuthMethods;

/// Reads libpq's list: methods separated by commas, all of them or none with `!` in front. An empty
/// one is refused: libpq from 16 on then answers no request. `sha256` and `sm3` are openGauss's.
pub(super) fn parse(text: &str) -> Result<Option<AuthMethods>, ParseReason> {
    let negated = text.starts_with('!');
    let mut methods = AuthMethods::EMPTY;
    let mut seen = 0_u16;
    for item in List(Some(text)) {
        let name = match (item.strip_prefix('!'), negated) {
            (Some(name), true) => name,
            (None, false) => item,
            _ => {
                return Err(ParseReason::InvalidValue("methods all with \"!\" or all without"));
            }
        };
        let (bit, method) = AuthMethods::named(name).ok_or(ParseReason::InvalidValue(
            "none, password, md5, scram-sha-256, sha256, sm3 (gss, sspi, oauth)",
        ))?;
        if seen & bit != 0 {
            return Err(ParseReason::InvalidValue("each method once"));
        }
        seen |= bit;
        methods = methods.or(method);
    }
    if negated {
        Ok(Some(AuthMethods::all_but(methods)))
    } else if methods == AuthMethods::EMPTY {
        Err(ParseReason::NotServed("of gss, sspi and oauth this driver does none"))
    } else {
        Ok(Some(methods))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_libpqs() {
        let scram = AuthMethods::SCRAM_SHA_256;
        assert!(parse("").is_err());
        assert_eq!(parse("scram-sha-256"), Ok(Some(scram)));
        assert_eq!(parse("gss,md5"), Ok(Some(AuthMethods::MD5)));
        assert!(matches!(parse("gss,oauth"), Err(ParseReason::NotServed(_))));
        for text in ["md5,!none", "!md5,none", "md5,md5", "!md5,!md5", "md5,", ",", "MD5", " md5"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let set = parse("!none,!md5").unwrap().unwrap();
        assert!(set.contains(scram) && set.contains(AuthMethods::PASSWORD) && !set.is_named());
        assert!(!set.contains(AuthMethods::NONE) && !set.contains(AuthMethods::MD5));
        assert!(parse("!gss").unwrap().unwrap().contains(AuthMethods::NONE));
        assert!(AuthMethods::MD5.is_named());
        assert_eq!(std::format!("{set}"), "!none,!md5");
        assert_eq!(std::format!("{}", scram.or(AuthMethods::MD5)), "md5,scram-sha-256");
    }
}
