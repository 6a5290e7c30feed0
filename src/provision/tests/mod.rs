//! Parameters in memory, in flash that loses its power, and by the console's lines.

mod console;
mod store;

use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::config::ParseReason;
use crate::limits;

type Small = Provisioned<[u8; 160]>;

/// Nothing is left of a backslash at the end of a connection string: it must not take the line that follows into
/// its value.
#[test]
fn no_parameter_takes_the_next_one_into_its_value() {
    for (parameter, password) in [
        ("password=secret\\", "secret"),
        ("password=secret\\\\", "secret\\"),
        ("password=secret\\\\\\", "secret\\"),
        ("password=secret\\ ", "secret "),
        ("password='secret\\\\'", "secret\\"),
    ] {
        let mut parameters: Provisioned<[u8; 160]> = Provisioned::new();
        for parameter in [parameter, "user=logger", "host=db"] {
            parameters.set(parameter).unwrap();
        }
        parameters.check().unwrap();
        let mut scratch = [0; limits::PROVISIONED_SCRATCH];
        let config = parameters.config(&mut scratch).unwrap();
        assert_eq!(config.get_user(), Some("logger"), "{parameter}");
        let expected = crate::Config::new().host("db").password(password);
        assert_eq!(config.credentials.password, expected.credentials.password, "{parameter}");
        let host = config.hosts().unwrap().next().unwrap().host;
        assert_eq!(host, "db", "{parameter}");
    }
}

#[test]
fn parameters_replace_each_other_and_are_never_cut() {
    let mut parameters: Provisioned<[u8; 64]> = Provisioned::new();
    parameters.push_root(&[0x30, 2, 7, 7]).unwrap();
    for parameter in ["host=db", "user = logger", "port=7", "host='other db'", "database=d"] {
        parameters.set(parameter).unwrap();
    }
    let lines: Vec<&str> = parameters.lines().collect();
    assert_eq!(lines, ["user = logger", "port=7", "host='other db'", "database=d"]);
    assert_eq!(parameters.root(), [0x30, 2, 7, 7]);
    parameters.set("dbname=").unwrap();
    parameters.set("port=").unwrap();
    let before = parameters.parts().0.to_vec();
    let refused = parameters.set("options=-csearch_path=pg_temp,public").unwrap_err();
    assert_eq!(refused, ProvisionError::Capacity { needed: 71, have: 64 });
    assert_eq!(refused.to_string(), "does not fit: 71 bytes are needed, there are 64: 7 too many");
    assert_eq!(parameters.parts().0, before);
    let refused = parameters.push_root(&[0; 31]).unwrap_err();
    assert_eq!(refused, ProvisionError::Capacity { needed: 65, have: 64 });
    // Nothing of what was removed stays in memory.
    assert!(parameters.bytes().ends_with(&[0; 30]));
    parameters.clear_root();
    parameters.clear();
    assert_eq!(parameters.bytes(), [0; 64]);
}

/// Also where nothing is no valid value.
#[test]
fn every_parameter_can_be_removed() {
    for parameter in [
        "user=u",
        "sslmode=verify-full",
        "channel_binding=require",
        "connect_timeout=20",
        "target_session_attrs=any",
        "hostaddr=10.0.0.1",
        "scram_client_key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ] {
        let mut parameters = Small::new();
        parameters.set(parameter).unwrap();
        let keyword = parameter.split('=').next().unwrap();
        parameters.set(&format!("{keyword} = ")).unwrap();
        assert_eq!(parameters.lines().count(), 0, "{keyword}");
    }
}

#[test]
fn refusals_are_the_parsers() {
    let mut parameters = Small::new();
    let mut reason = |parameter: &str| match parameters.set(parameter) {
        Err(ProvisionError::Parameter(error)) => error.reason(),
        other => panic!("{parameter}: {other:?}"),
    };
    assert_eq!(reason("hots=db"), ParseReason::UnknownKeyword);
    assert_eq!(reason("postgresql://u:p@h/d?sslmode=disable"), ParseReason::UnknownKeyword);
    assert_eq!(reason("service=x"), ParseReason::NotServed("service files are not read"));
    assert!(matches!(reason("connect_timeout=soon"), ParseReason::InvalidValue(_)));
    assert!(matches!(reason("scram_client_key=AAAA"), ParseReason::InvalidValue(_)));
    assert_eq!(reason("host='db"), ParseReason::UnterminatedQuote);
    assert_eq!(reason("user"), ParseReason::MissingEquals);
    let two = parameters.set("host=h password=secret");
    assert_eq!(two, Err(ProvisionError::SeveralParameters));
    assert_eq!(parameters.set("host='a\nb'"), Err(ProvisionError::SeveralParameters));
    assert_eq!(parameters.check(), Err(ProvisionError::NoUser));
    parameters.set("user=u").unwrap();
    parameters.check().unwrap();
    // What others must say too is left until all is there.
    parameters.set("sslnegotiation=direct").unwrap();
    let refused = parameters.check().unwrap_err();
    assert!(refused.to_string().contains("sslmode: sslnegotiation=direct asks"), "{refused}");
    // There is no default file of roots on a device: every login would fail.
    for mode in ["verify-ca", "verify-full"] {
        parameters.set(&format!("sslmode={mode}")).unwrap();
        assert_eq!(parameters.check(), Err(ProvisionError::RootName), "{mode}");
    }
    parameters.set("sslrootcert=image").unwrap();
    parameters.check().unwrap();
    parameters.set("sslrootcert=root").unwrap();
    assert_eq!(parameters.check(), Err(ProvisionError::RootName));
    parameters.push_root(&[0x30, 3, 1, 2]).unwrap();
    assert_eq!(parameters.check(), Err(ProvisionError::Root));
    parameters.push_root(&[3]).unwrap();
    parameters.check().unwrap();
    parameters.push_root(&[0x30]).unwrap();
    assert_eq!(parameters.check(), Err(ProvisionError::Root));
}

#[test]
fn escapes_that_do_not_fit_are_told_at_once() {
    let mut parameters = Small::new();
    let escaped = format!("dbname={}", "\\x".repeat(limits::PROVISIONED_SCRATCH + 1));
    let refused = parameters.set(&escaped).unwrap_err();
    assert!(refused.to_string().contains("65"), "{refused}");
}
