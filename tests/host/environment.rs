//! `PG*` variables, seen through the example that shows a configuration.

use crate::programs::{example, run};

fn conninfo(variables: &[(&str, &str)], text: &str) -> Result<Vec<(String, String)>, String> {
    let (status, out, err) = run(example("conninfo").envs(variables.iter().copied()).arg(text));
    if status != Some(0) {
        assert_eq!(status, Some(1), "{err}");
        return Err(err);
    }
    let pair = |line: &str| {
        let (keyword, value) = line.split_at(25);
        (keyword.trim().to_string(), value.trim().to_string())
    };
    Ok(out.lines().map(pair).collect())
}

fn value(shown: &[(String, String)], keyword: &str) -> Option<String> {
    shown.iter().find(|(name, _)| name == keyword).map(|(_, value)| value.clone())
}

#[test]
fn variables_fill_in_what_the_string_leaves_out() {
    let variables = [
        ("PGHOST", "h1,h2"),
        ("PGPORT", "1,2"),
        ("PGUSER", "from_env"),
        ("PGPASSWORD", "hidden"),
        ("PGDATABASE", "plant"),
        ("PGSSLMODE", "require"),
        ("PGCONNECT_TIMEOUT", "3"),
        ("PGAPPNAME", "gateway"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGKRBSRVNAME", "other"),
    ];
    let shown = conninfo(&variables, "dbname=test sslmode=disable").unwrap();
    for (keyword, expected) in [
        ("host to try", "h1, port 1"),
        ("user", "from_env"),
        ("password", "********"),
        ("dbname", "test"),
        ("sslmode", "disable"),
        ("connect_timeout", "3000 ms"),
        ("application_name", "gateway"),
        ("target_session_attrs", "standby"),
    ] {
        assert_eq!(value(&shown, keyword).as_deref(), Some(expected), "{keyword}");
    }
}

#[test]
fn variables_are_checked_like_the_string_unless_it_overrides_them() {
    let error = conninfo(&[("PGSSLMODE", "")], "").unwrap_err();
    assert!(error.contains("sslmode"), "{error}");
    assert!(conninfo(&[("PGSSLMODE", "")], "sslmode=prefer").is_ok());
    let error = conninfo(&[("PGSERVICE", "x")], "").unwrap_err();
    assert!(error.contains("service"), "{error}");
    let shown = conninfo(&[("PGREQUIRESSL", "1")], "").unwrap();
    assert_eq!(value(&shown, "sslmode").as_deref(), Some("require"));
}

#[test]
fn the_user_comes_from_the_operating_system_at_last() {
    let whoami = std::process::Command::new("id").arg("-un").output().expect("id");
    let whoami = String::from_utf8_lossy(&whoami.stdout).trim().to_string();
    let shown = conninfo(&[("USER", "someone_else")], "").unwrap();
    assert_eq!(value(&shown, "user"), Some(whoami.clone()));
    assert_eq!(value(&shown, "dbname").as_ref(), Some(&whoami));
    // An empty one is none.
    for (variable, text) in [("", ""), ("", "user=''"), ("someone_else", "user=''")] {
        let shown = conninfo(&[("PGUSER", variable)], text).unwrap();
        assert_eq!(value(&shown, "user").as_ref(), Some(&whoami), "{variable:?} {text:?}");
    }
}
