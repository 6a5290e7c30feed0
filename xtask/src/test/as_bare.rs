//! The code of bare targets, run by the tests on this machine: what the driver has in two forms, short for
//! flash and in line for a host, does the same in both.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use barepg_testkit::provision::{cache, root};

use super::host::count;
use super::{Checked, Context};
use crate::copy::{Folder, copy};

/// How the driver asks for a bare target.
const BARE: &str = "target_os = \"none\"";

/// The tests with scripted peers, with real servers and of outcomes, on a copy of the driver that takes this machine for a
/// bare target.
pub fn tests(context: &Context) -> Checked {
    let folder = Folder::empty(root().join("target/as-bare-source"))?;
    copy(&root(), folder.path())?;
    // The servers that were got once.
    let target = folder.path().join("target");
    let servers = cache()?;
    let linked = fs::create_dir(&target).and_then(|()| symlink(servers, target.join("provision")));
    linked.map_err(|error| format!("{}: {error}", target.display()))?;
    let here = format!("target_os = \"{}\"", std::env::consts::OS);
    if replace(&folder.path().join("src"), &here)? == 0 {
        return Err(format!("nothing under src has {BARE}"));
    }
    let mut command =
        context.cargo(&["test", "--no-fail-fast", "--package", "barepg", "--all-features"]);
    command.args(["--test=scripted", "--test=live", "--test=outcomes"]);
    command.current_dir(folder.path()).env("CARGO_TARGET_DIR", root().join("target/as-bare"));
    count(&context.run(&mut command)?)
}

/// In all files of a folder; how many times.
fn replace(folder: &Path, with: &str) -> Result<usize, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut times = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            times += replace(&path, with)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(failed)?;
            times += text.matches(BARE).count();
            fs::write(&path, text.replace(BARE, with)).map_err(failed)?;
        }
    }
    Ok(times)
}
