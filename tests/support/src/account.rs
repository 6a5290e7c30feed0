//! The account that servers run under. PostgreSQL refuses to run as root, so when the tests run
//! as root (containers, CI) everything that belongs to a server is done as another user.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// A user to run a server as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    uid: u32,
    gid: u32,
    change: bool,
}

impl Account {
    /// `postgres`, else `nobody`, when the tests run as root; otherwise whoever runs the tests.
    pub fn for_servers() -> Account {
        static ACCOUNT: OnceLock<Account> = OnceLock::new();
        *ACCOUNT.get_or_init(|| {
            let me = fs::metadata("/proc/self").expect("/proc is mounted");
            if me.uid() != 0 {
                return Account { uid: me.uid(), gid: me.gid(), change: false };
            }
            let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
            ["postgres", "nobody"]
                .iter()
                .find_map(|name| lookup(&passwd, name))
                .expect("/etc/passwd has a user postgres or nobody")
        })
    }

    /// Makes `command` run as this user, away from the caller's directory and environment.
    pub fn apply(self, command: &mut Command, home: &Path) {
        isolate(command, home);
        if self.change {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// The words before a command of a shell that make it run as this user; none where that is no other one.
    pub(crate) fn prefix(self) -> String {
        let Account { uid, gid, .. } = self;
        match self.change {
            true => format!("setpriv --reuid {uid} --regid {gid} --clear-groups"),
            false => String::new(),
        }
    }

    /// Gives `path` to this user.
    pub fn own(self, path: &Path) -> io::Result<()> {
        if self.change { chown(path, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Whether this user can run the program at `path`: a checkout below a private home
    /// directory is closed to other users.
    pub fn can_run(self, path: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "test -x \"$0\""]).arg(path);
        self.apply(&mut command, Path::new("/"));
        command.status().is_ok_and(|status| status.success())
    }
}

/// Keeps a command away from the caller's directory and environment.
pub(crate) fn isolate(command: &mut Command, home: &Path) {
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
    command.env("HOME", home).env("LC_ALL", "C").env("TZ", "UTC").current_dir(home);
}

fn lookup(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid, change: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_whole_name_only() {
        let passwd = "root:x:0:0::/:/bin/sh\npostgresx:x:7:7::/:\npostgres:x:101:104::/:/bin/sh\n";
        let found = lookup(passwd, "postgres");
        assert_eq!(found, Some(Account { uid: 101, gid: 104, change: true }));
        assert_eq!(lookup(passwd, "nobody"), None);
    }
}
