//! The roles that keys are made for, and what their server must be told.

use std::fs;
use std::path::Path;

use super::Device;
use crate::existing::example;

/// The roles that passwords were made for. A role has one, so its devices share the keys.
#[derive(Debug, Default)]
pub struct Roles(Vec<Role>);

#[derive(Debug)]
struct Role {
    user: String,
    /// As a connection string has them.
    keys: String,
    /// What gives the role its half.
    statement: String,
}

impl Roles {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What gives the roles their half of the keys.
    pub fn statements(&self) -> String {
        self.0.iter().map(|role| role.statement.as_str()).collect()
    }

    /// The keys of a role, made if there are none yet.
    pub fn keys(&mut self, user: &str) -> Result<String, String> {
        if let Some(role) = self.0.iter().find(|role| role.user == user) {
            return Ok(role.keys.clone());
        }
        if user.contains(['\'', '\\']) {
            return Err(format!("user={user}: not with quotes or backslashes"));
        }
        let printed = example("keys", &["--new", user], b"")?;
        let (keys, statement) = printed.split_once('\n').ok_or("no keys")?;
        if !statement.starts_with(&statement_for(user)) {
            return Err(format!("this is for another role: {statement}"));
        }
        let (user, keys, statement) = (user.into(), keys.to_string(), statement.into());
        self.0.push(Role { user, keys: keys.clone(), statement });
        Ok(keys)
    }
}

/// What an earlier run made for the server is nowhere else: it is not lost before the server has it.
pub fn check_left(sql: &Path, devices: &[Device]) -> Result<(), String> {
    let left = fs::read_to_string(sql).unwrap_or_default();
    let roles: Vec<String> = devices.iter().map(|device| statement_for(device.user())).collect();
    let is_made_again = |line: &str| roles.iter().any(|role| line.starts_with(role));
    match left.lines().find(|line| !is_made_again(line)) {
        None => Ok(()),
        Some(_) => Err(format!(
            "{}: is of other roles too; give it to the server and remove it, or name another --out",
            sql.display()
        )),
    }
}

/// How the statement of a role begins.
fn statement_for(user: &str) -> String {
    format!("alter role \"{}\" ", user.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::super::{Options, run};
    use super::*;

    /// A role has one password, and a run does not lose the statements of the one before.
    #[test]
    fn devices_of_a_role_share_its_keys() {
        let scratch = barepg_testkit::scratch::Scratch::new("barepg-roles", "").unwrap();
        let (list, out) = (scratch.path().join("list"), scratch.path().join("out"));
        let make = |devices: &str| {
            fs::write(&list, devices).unwrap();
            let words = ["--list", list.to_str().unwrap(), "--server", "host=db user=p\"umps"];
            let words = [&words[..], &["--out", out.to_str().unwrap()]].concat();
            run(&Options::parse(&words).unwrap())
        };
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        let keys = |name: &str| {
            let text = read(name);
            text.lines()
                .filter(|line| line.starts_with("scram"))
                .map(String::from)
                .collect::<Vec<_>>()
        };
        fs::create_dir(&out).unwrap();
        fs::write(out.join("a.txt"), "").unwrap();
        fs::set_permissions(out.join("a.txt"), Permissions::from_mode(0o644)).unwrap();
        make("a\nb\nc user=c\n").unwrap();
        assert_eq!((keys("a.txt").len(), keys("a.txt")), (2, keys("b.txt")));
        assert_ne!(keys("a.txt"), keys("c.txt"));
        let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a.txt"), mode("a.bin"), mode("roles.sql")), (0o600, 0o600, 0o600));
        let roles = read("roles.sql");
        assert_eq!(roles.lines().count(), 2, "{roles}");
        assert!(roles.starts_with("alter role \"p\"\"umps\" password 'SCRAM-SHA-256$4096:"));
        // Without c, whose statement the server may not have yet.
        let error = make("a\nb\n").unwrap_err();
        assert!(error.contains("roles.sql: is of other roles"), "{error}");
        assert_eq!((read("roles.sql"), keys("a.txt")), (roles.clone(), keys("b.txt")));
        make("c user=c\na\n").unwrap();
        assert_ne!(read("roles.sql"), roles);
        assert!(make("a user=o'x\n").is_err());
    }
}
