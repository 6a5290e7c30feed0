//! The stages that read the sources: who may use whom, how long a file may be, and one version
//! of each hash in the dependencies, and their licences.

use std::fs;
use std::path::{Path, PathBuf};

use barepg_testkit::provision;

use super::{Checked, Context};
use crate::layers;

/// Directories of the pure core, which turns bytes into bytes.
const PURE: &[&str] = &["src/wire", "src/types", "src/config", "src/auth"];

/// The crate of the way to the network, which the core may not name.
const NETWORK: &str = "embedded_io";

/// Crates of which a second version would cost flash.
const SINGLE: &[&str] =
    &["digest", "sha2", "sha1", "md-5", "hmac", "p256", "rand_core", "embedded-io"];

/// The most lines of a file.
const LINES: usize = 400;

/// The features of the driver but `default`, from its manifest.
pub fn features() -> Result<Vec<String>, String> {
    features_of(&provision::root().join("Cargo.toml"))
}

/// The features of any crate, by its manifest.
pub fn features_of(manifest: &Path) -> Result<Vec<String>, String> {
    let manifest = read(manifest)?;
    let section = manifest.split("[features]").nth(1).unwrap_or("");
    let section = section.split("\n[").next().unwrap_or("");
    let names = section.lines().filter(|line| !line.starts_with('#'));
    let names = names.filter_map(|line| line.split_once(" = ").map(|(name, _)| name.trim()));
    Ok(names.filter(|name| *name != "default" && !name.is_empty()).map(str::to_string).collect())
}

/// The tables and plots of the documentation are those of the figures, and the figures within the
/// budgets.
pub fn figures(_: &Context) -> Checked {
    Ok(crate::cost::check()? + crate::fleet::check()?)
}

/// No module names one above it, and the pure core not the way to the network.
pub fn layers(_: &Context) -> Checked {
    let mut checked = layers::check()?;
    for directory in PURE {
        for path in sources(&provision::root().join(directory))? {
            let text = read(&path)?;
            if let Some((number, line)) = outward(&text) {
                return Err(format!(
                    "{}:{number}: the pure core may not know the way to the network: {line}",
                    path.display()
                ));
            }
            checked += 1;
        }
    }
    Ok(checked)
}

/// No file of the driver or of xtask is longer than a reader's patience, and no name is one that some
/// system refuses.
pub fn sizes(context: &Context) -> Checked {
    let mut checked = 0;
    let root = provision::root();
    let mut files = sources(&root.join("src"))?;
    files.extend(sources(&root.join("xtask/src"))?);
    for path in files {
        let lines = read(&path)?.lines().count();
        if lines > LINES {
            return Err(format!("{} has {lines} lines; {LINES} are allowed", path.display()));
        }
        checked += 1;
    }
    let mut git = std::process::Command::new("git");
    let listed = context.run(git.arg("ls-files").current_dir(&root))?;
    Ok(checked + portable(&listed)?)
}

/// Windows can make all of these files: who builds for a microcontroller often does so there.
fn portable(listed: &str) -> Checked {
    let is_device = |part: &str| {
        let name = part.split('.').next().unwrap_or("").to_ascii_lowercase();
        let port = name.strip_prefix("com").or(name.strip_prefix("lpt"));
        matches!(&*name, "con" | "prn" | "aux" | "nul")
            || port.is_some_and(|port| matches!(port.as_bytes(), [b'0'..=b'9']))
    };
    let is_bad = |part: &str| {
        is_device(part)
            || part.contains(['<', '>', ':', '"', '|', '?', '*', '\\'])
            || part.ends_with(['.', ' '])
    };
    let mut seen = std::collections::HashSet::new();
    for file in listed.lines() {
        if file.split('/').any(is_bad) {
            return Err(format!("{file}: no file of Windows may have this name"));
        }
        if !seen.insert(file.to_lowercase()) {
            return Err(format!("{file}: another file has this name but for capitals"));
        }
    }
    u32::try_from(seen.len()).map_err(|error| error.to_string())
}

/// One version of each hash: two SHA-256 in one flash would be one too many.
pub fn dependencies(context: &Context) -> Checked {
    let mut command = context.cargo(&["tree", "--package", "barepg", "--all-features"]);
    command.args(["--edges", "normal", "--prefix", "none", "--target", "all"]);
    let tree = context.run(&mut command)?;
    let deny = read(&provision::root().join("deny.toml"))?;
    let mut checked = single(&tree)?;
    let workspaces = ["", "boards"].map(String::from).into_iter();
    for directory in workspaces.chain(super::outside::folders()) {
        let mut command = context.cargo(&["tree", "--workspace", "--all-features"]);
        command.args(["--edges", "normal", "--prefix", "none", "--target", "all"]);
        command.args(["--format", "{p}: {l}"]);
        command.current_dir(provision::root().join(directory));
        checked += licensed(&context.run(&mut command)?, &deny)?;
    }
    Ok(checked)
}

/// Every dependency is under a licence that `deny.toml` allows.
fn licensed(tree: &str, deny: &str) -> Checked {
    let list = deny.split("[licenses]").nth(1).and_then(|rest| rest.split(']').next());
    let allowed: Vec<&str> = list.unwrap_or("").split('"').skip(1).step_by(2).collect();
    let mut checked = 0;
    for line in tree.lines().map(|line| line.trim_end_matches(" (*)")) {
        let Some((package, licence)) = line.rsplit_once(": ") else { continue };
        // Crates of this repository are shown with their paths.
        if package.contains(" (/") {
            continue;
        }
        let all = licence.split(" AND ").all(|part| {
            let part = part.trim_matches(['(', ')']).replace('/', " OR ");
            part.split(" OR ").any(|name| allowed.contains(&name.trim()))
        });
        if !all {
            return Err(format!("{package}: licence {licence}, which deny.toml does not allow"));
        }
        checked += 1;
    }
    Ok(checked)
}

fn single(tree: &str) -> Checked {
    let mut checked = 0;
    for name in SINGLE {
        let mut versions: Vec<&str> = tree
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(package, _)| package == name)
            .filter_map(|(_, rest)| rest.split_whitespace().next())
            .collect();
        versions.sort_unstable();
        versions.dedup();
        if versions.len() > 1 {
            return Err(format!("more than one version of {name}: {}", versions.join(", ")));
        }
        checked += u32::try_from(versions.len()).unwrap_or(0);
    }
    Ok(checked)
}

/// The first line of code, not of comment, that names the way to the network.
fn outward(text: &str) -> Option<(usize, &str)> {
    let lines = text.lines().enumerate();
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(index, line)| (index + 1, line.split(" //").next().unwrap_or(line)))
        .find(|(_, line)| line.contains(NETWORK))
}

/// The Rust files below a directory, in order.
pub fn sources(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let failed = |error| format!("{}: {error}", directory.display());
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A file's text.
pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_told_from_what_is_around_it() {
        assert_eq!(outward("use crate::wire::Reader;\n// use embedded_io::Read;\n"), None);
        assert_eq!(outward("\nuse embedded_io::Read;\n").map(|found| found.0), Some(2));
    }

    #[test]
    fn names_are_for_every_system() {
        assert_eq!(portable("src/lib.rs\nsrc/nul_byte.rs\nsrc/com.rs\nsrc/com10.rs\n"), Ok(4));
        for name in ["src/wire/nul.rs", "Aux", "a/com1.txt", "a:b", "a/b./c", "src/LIB.rs"] {
            assert!(portable(&format!("src/lib.rs\n{name}\n")).is_err(), "{name}");
        }
    }

    #[test]
    fn licences_are_those_allowed() {
        let deny = "[licenses]\nallow = [\n\"MIT\", \"Unicode-3.0\",\n]\n[bans]\n";
        let good =
            "a v1: Apache-2.0 OR MIT\nb v1: MIT/Apache-2.0\nc v1: (MIT OR X) AND Unicode-3.0\n";
        assert_eq!(licensed(good, deny), Ok(3));
        assert!(licensed("d v1: GPL-3.0-only\n", deny).unwrap_err().contains("GPL"));
        assert!(licensed("d v1: MIT AND GPL-3.0-only\n", deny).is_err());
    }

    #[test]
    fn two_versions_are_one_too_many() {
        let good = "barepg v0.1.0 (/x)\nsha2 v0.10.9\ndigest v0.10.7\nsha2 v0.10.9 (*)\n";
        assert_eq!(single(good), Ok(2));
        let bad = format!("{good}sha2 v0.11.0\n");
        assert!(single(&bad).unwrap_err().contains("v0.10.9, v0.11.0"));
    }

    #[test]
    fn the_manifest_has_features() {
        let features = features().unwrap();
        assert!(features.contains(&"defmt".to_string()), "{features:?}");
        assert!(!features.contains(&"default".to_string()));
    }
}
