//! A directory that is gone when its owner is, also when the owner is killed.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::account::{Account, isolate};

/// Waits on standard input, which ends when the owner ends, however it ends. Then it runs the
/// owner's cleanup ($2), as the servers' account ($3), and removes the directory ($1), as whoever made what is in
/// it. The cleanup is tried more than once: a server may have been about to start when its owner was killed.
const REAPER: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
    [ -z "$2" ] || $3 sh -c "$2" >/dev/null 2>&1 </dev/null
    rm -rf "$1" 2>/dev/null
    [ -e "$1" ] || exit 0
    sleep 0.3
done
exit 1
"#;

/// A temporary directory owned by the servers' account, watched by a small shell process that
/// removes it when this value is dropped or this process dies.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    reaper: Child,
}

impl Scratch {
    /// Makes the directory. `cleanup` is a shell command run in it before it is removed; it sees
    /// the directory's path as `$D`.
    pub fn new(name: &str, cleanup: &str) -> io::Result<Scratch> {
        let account = Account::for_servers();
        let path = fresh(name)?;
        account.own(&path)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", REAPER, "barepg-reaper"]).arg(&path).arg(cleanup);
        command.arg(account.prefix());
        isolate(&mut command, &path);
        command.current_dir("/").env("D", &path);
        // Its own process group: Ctrl-C in a terminal must not reach it.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let reaper = command.spawn()?;
        Ok(Scratch { path, reaper })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
    }
}

/// Short, because the path of a UNIX socket has room for 107 bytes.
fn fresh(name: &str) -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let account = Account::for_servers();
    let wanted = std::env::temp_dir();
    let parent = if account.can_run(&wanted) { wanted } else { PathBuf::from("/tmp") };
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.subsec_nanos());
        let path = parent.join(format!("{name}-{}-{count}-{nanos:x}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests make files in it too, as another user than the servers'.
    #[test]
    fn what_anybody_made_in_it_goes_with_it_at_once() {
        let scratch = Scratch::new("barepg-scratch", "").unwrap();
        let path = scratch.path().to_path_buf();
        fs::create_dir(path.join("folder")).unwrap();
        fs::write(path.join("folder/file"), "").unwrap();
        let begun = std::time::Instant::now();
        drop(scratch);
        assert!(!path.exists());
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    }

    #[test]
    fn is_removed_when_dropped_and_runs_its_wish() {
        let witness = Scratch::new("barepg-cleanup", "").unwrap();
        let file = witness.path().join("done");
        let scratch = Scratch::new("barepg-scratch", &format!("touch {}", file.display())).unwrap();
        let path = scratch.path().to_path_buf();
        assert!(path.is_dir());
        drop(scratch);
        assert!(!path.exists());
        assert!(file.exists());
    }
}
