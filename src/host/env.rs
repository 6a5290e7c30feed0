//! The environment: `PG*` variables fill in what a connection string leaves out.

use zeroize::Zeroize as _;

use crate::config::{Config, ParseError, parse_with};

use super::files;

/// The variables and their keywords. Source: manual, "Environment Variables". Left out are those
/// of GSSAPI's details, which mean nothing without it, `PGSERVICEFILE`, which means nothing without a service, and
/// `PGDATESTYLE`, `PGTZ` and `PGGEQO`.
const VARIABLES: [(&str, &str); 33] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGSERVICE", "service"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGSSLMODE", "sslmode"),
    ("PGREQUIRESSL", "requiressl"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLCOMPRESSION", "sslcompression"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLSNI", "sslsni"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGCLIENTENCODING", "client_encoding"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGMINPROTOCOLVERSION", "min_protocol_version"),
    ("PGMAXPROTOCOLVERSION", "max_protocol_version"),
];

/// Reads a connection string as [`Config::parse`] does; what it does not name comes from the
/// `PG*` variables, and the user from the operating system if from nowhere else.
///
/// Values of variables are copied into `scratch`.
///
/// # Errors
/// As [`Config::parse`]; a variable's fault is reported under its keyword.
pub fn parse<'a>(text: &'a str, scratch: &'a mut [u8]) -> Result<Config<'a>, ParseError> {
    parse_with(text, scratch, |sink| {
        for (variable, keyword) in VARIABLES {
            // libpq turns to the variable of the old spelling only where there is none of the new.
            if sink.names(keyword) || (keyword == "requiressl" && sink.names("sslmode")) {
                continue;
            }
            if let Some(value) = std::env::var_os(variable) {
                let mut value = value.into_encoded_bytes();
                let stored = sink.set_copy(keyword, &value);
                // It may be a password.
                value.as_mut_slice().zeroize();
                stored?;
            }
        }
        if sink.lacks_user() {
            let named = files::passwd(|fields| Some(sink.set_copy("user", fields.next()?)));
            if let Some(named) = named {
                named?;
            }
        }
        Ok(())
    })
}
