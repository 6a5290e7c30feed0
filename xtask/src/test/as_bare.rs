//! The code of bare targets, run by the tests on this machine: what the driver has in two forms, short for
//! flash and in line for a host, does the same in both.

use std::fs;
use std::os::unix::fs::symlink;

use barepg_testkit::provision::{cache, root};

use super::host::count;
use super::rules::{read, sources};
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
    let mut is_there = false;
    for path in sources(&folder.path().join("src"))? {
        let text = read(&path)?;
        is_there |= text.contains(BARE);
        let written = fs::write(&path, text.replace(BARE, &here));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if !is_there {
        return Err(format!("nothing under src has {BARE}"));
    }
    let mut command =
        context.cargo(&["test", "--no-fail-fast", "--package", "barepg", "--all-features"]);
    command.args(["--test=scripted", "--test=live", "--test=outcomes"]);
    command.current_dir(folder.path()).env("CARGO_TARGET_DIR", root().join("target/as-bare"));
    count(&context.run(&mut command)?)
}
