//! Copies of the sources, without what is built of them and without their history.

use std::fs;
use std::path::{Path, PathBuf};

/// What is in no copy.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// Copies a file, or a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", from.display());
    if !from.is_dir() {
        // Not `fs::copy`: what was copied is newer than what was built of an earlier copy.
        return fs::read(from).and_then(|bytes| fs::write(to, bytes)).map_err(failed);
    }
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// A folder that is always at the same place, so that cargo builds anew only what has changed, and is there as
/// long as this lives.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one. What a run left that was killed goes.
    pub fn empty(path: PathBuf) -> Result<Folder, String> {
        let folder = Folder(path);
        folder.remove();
        let made = fs::create_dir_all(folder.path());
        made.map_err(|error| format!("{}: {error}", folder.path().display()))?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use barepg_testkit::scratch::Scratch;

    use super::*;

    #[test]
    fn a_copy_has_no_history_and_nothing_that_was_built() {
        let scratch = Scratch::new("barepg-copy", "").unwrap();
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        for file in ["a", "src/b", "target/c", ".git/d", "x/target/e", "x/.git", "x/.cargo/f"] {
            let path = from.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("of an earlier run"), "").unwrap();
        let folder = Folder::empty(to.clone()).unwrap();
        copy(&from, &to).unwrap();
        let has = |file: &str| to.join(file).exists();
        assert_eq!(["a", "src/b", "x/.cargo/f"].map(has), [true; 3]);
        let left_out = ["target", ".git", "x/target", "x/.git", "of an earlier run"];
        assert_eq!(left_out.map(has), [false; 5]);
        drop(folder);
        assert!(!to.exists());
    }
}
