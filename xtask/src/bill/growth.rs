//! What grew, by symbol: an image beside that of an earlier commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use barepg_testkit::provision::{self, run};

use super::bare;
use super::owner::{CONSTANTS, owner, shown};
use crate::bare::Compiler;
use crate::boards;
use crate::demo::digits;
use crate::elf::Image;

/// Symbols that are named.
const NAMED: usize = 12;

/// What changed in a program of the driver alone since `budgets.toml` was last written, which held
/// then. For a stage that is over its budget.
pub fn since_budgets(compiler: &Compiler, features: &str, program: &str) -> Result<String, String> {
    let mut log = git();
    log.args(["log", "-1", "--format=%H", "--", "budgets.toml"]);
    let commit = run(&mut log)?.trim().to_string();
    let image = bare(compiler, &provision::root(), &boards::target(), features, program)?;
    since(compiler, &commit, features, program, &image)
}

/// What changed since a commit.
pub fn since(
    compiler: &Compiler,
    commit: &str,
    features: &str,
    program: &str,
    now: &Image,
) -> Result<String, String> {
    let home = provision::root().join("target").join("bill");
    let earlier = Worktree::at(commit, home.join("sources"))?;
    let before = bare(compiler, &earlier.0, &home.join("target"), features, program)?;
    let (was, is) = (u64::from(before.flash()), u64::from(now.flash()));
    let (was, is) = (digits(was), digits(is));
    Ok(format!("{program} ({features}): {is} bytes, {was} at {commit}\n{}", changes(&before, now)))
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(provision::root());
    git
}

/// The sources of a commit in a directory of their own, as long as this lives.
struct Worktree(PathBuf);

impl Worktree {
    fn at(commit: &str, path: PathBuf) -> Result<Worktree, String> {
        drop(Worktree(path.clone()));
        let mut add = git();
        add.args(["worktree", "add", "--quiet", "--force", "--detach"]).arg(&path).arg(commit);
        run(&mut add)?;
        Ok(Worktree(path))
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        if path.exists() {
            let _ = run(git().args(["worktree", "remove", "--force"]).arg(path));
        }
        let _ = run(git().args(["worktree", "prune"]));
    }
}

/// The symbols whose size changed, those that grew most first.
fn changes(before: &Image, now: &Image) -> String {
    let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
    for (image, sign) in [(before, -1), (now, 1)] {
        for symbol in image.symbols.iter().filter(|symbol| !symbol.writable) {
            // Constants without a name are numbered anew each time.
            let name = match owner(&symbol.name) {
                (krate, _) if krate == CONSTANTS => krate,
                _ => shown(&symbol.name),
            };
            *sizes.entry(name).or_default() += sign * i64::from(symbol.size);
        }
    }
    let mut sizes: Vec<(String, i64)> = sizes.into_iter().filter(|(_, by)| *by != 0).collect();
    sizes.sort_by_key(|(_, by)| -by);
    let line = |(name, by): &(String, i64)| format!("{by:>+10}  {name}\n");
    let mut text: String = sizes.iter().filter(|(_, by)| *by > 0).take(NAMED).map(line).collect();
    let shrunk = sizes.iter().rev().filter(|(_, by)| *by < 0).take(NAMED);
    text.extend(shrunk.map(line));
    if text.is_empty() { "    no symbol changed\n".to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Symbol;

    fn image(symbols: &[(&str, u32)]) -> Image {
        let symbol = |(name, size): &(&str, u32)| Symbol {
            name: name.to_string(),
            address: 0,
            size: *size,
            writable: false,
        };
        Image { sections: Vec::new(), symbols: symbols.iter().map(symbol).collect() }
    }

    #[test]
    fn what_grew_comes_first_whatever_its_hash() {
        let before = image(&[("_ZN1a1b17h0123456789abcdefE", 10), ("gone", 7), ("same", 5)]);
        let now = image(&[("_ZN1a1b17h0000000000000000E", 14), ("new", 9), ("same", 5)]);
        let text = changes(&before, &now);
        assert_eq!(text, "        +9  new\n        +4  a::b\n        -7  gone\n");
        assert_eq!(changes(&now, &now), "    no symbol changed\n");
    }
}
