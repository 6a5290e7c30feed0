//! `cargo xtask layers`: the order of the driver's layers. A module may name those below it, never
//! one above, and no two folders name each other, not even by way of a third.

mod circles;
mod imports;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use barepg_testkit::provision;

use imports::File;

/// The folders and files of `src`, the lowest layer first. What stands in one layer knows nothing
/// of its neighbours, unless they are one word: `"client connection"` may name each other.
/// `lib.rs` is above all of them.
pub const LAYERS: &[&[&str]] = &[
    &["log", "limits"],
    &["wire"],
    &["types"],
    &["error"],
    &["credentials", "flash"],
    &["platform"],
    &["transport"],
    // Neither may name the other: a login takes what it needs, not the configuration.
    &["config", "auth"],
    &["tls"],
    &["engine"],
    &["connection"],
    &["verbs"],
    &["connect", "outbox", "provision"],
    &["client"],
    &["supervise"],
    &["host"],
];

/// A module that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The file, below `src`, and the line.
    pub path: String,
    pub line: usize,
    /// The module that the file is, and the one that it names.
    pub from: Vec<String>,
    pub to: Vec<String>,
}

/// Checks the driver's sources. Returns how many imports it looked at.
pub fn check() -> Result<u32, String> {
    let src = provision::root().join("src");
    let mut sources = Vec::new();
    read(&src, "", &mut sources)?;
    let sources: Vec<(&str, &str)> =
        sources.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (imports, mut wrong) = imports(&sources);
    wrong.extend(absent(LAYERS, &sources));
    wrong.extend(upward(LAYERS, &imports));
    wrong.extend(circles::circles(LAYERS, &imports));
    if wrong.is_empty() {
        return Ok(u32::try_from(imports.len()).unwrap_or(u32::MAX));
    }
    Err(format!("{}\n{} wrong imports or circles", wrong.join("\n"), wrong.len()))
}

fn read(folder: &Path, below: &str, sources: &mut Vec<(String, String)>) -> Result<(), String> {
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            read(&path, &format!("{below}{name}/"), sources)?;
        } else if name.ends_with(".rs") {
            sources.push((format!("{below}{name}"), fs::read_to_string(&path).map_err(failed)?));
        }
    }
    sources.sort();
    Ok(())
}

/// What all files but `lib.rs` import, by path below `src` and text; and what cannot be followed.
///
/// A name of the crate's root, as `crate::Error`, counts as the module that `lib.rs` has it from.
fn imports(sources: &[(&str, &str)]) -> (Vec<Import>, Vec<String>) {
    let mut files: Vec<File> = sources.iter().map(|(path, text)| File::read(path, text)).collect();
    let tests: BTreeSet<String> = files.iter().flat_map(|file| file.tests.clone()).collect();
    files.retain(|file| {
        let folder = |test: &String| {
            test.strip_suffix("mod.rs").is_some_and(|folder| file.path.starts_with(folder))
        };
        !tests.contains(&file.path) && !tests.iter().any(folder)
    });
    let modules: BTreeSet<&[String]> = files.iter().map(|file| file.module.as_slice()).collect();
    let root = names_of_the_root(&files);
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| !file.is_root()) {
        for named in &file.named {
            let first = named.path.first().map_or("", String::as_str);
            let is_module = modules.contains(named.path.get(..1).unwrap_or(&[]));
            let path = root.get(first).filter(|_| !is_module).unwrap_or(&named.path);
            let lengths = (1..=path.len()).rev();
            let Some(to) = lengths.map(|n| &path[..n]).find(|path| modules.contains(path)) else {
                unknown.push(format!(
                    "src/{}:{}: crate::{} is no module, and lib.rs does not say whose it is",
                    file.path,
                    named.line,
                    named.path.join("::")
                ));
                continue;
            };
            found.push(Import {
                path: file.path.clone(),
                line: named.line,
                from: file.module.clone(),
                to: to.to_vec(),
            });
        }
    }
    (found, unknown)
}

/// The names that the root has from its modules.
fn names_of_the_root(files: &[File]) -> BTreeMap<&str, Vec<String>> {
    let mut names = BTreeMap::new();
    for file in files {
        for named in file.named.iter().filter(|_| file.is_root()) {
            names.extend(named.name.iter().map(|name| (name.as_str(), named.path.clone())));
        }
        names.extend(file.macros.iter().map(|name| (name.as_str(), file.module.clone())));
    }
    names
}

/// The words of the table that are no folder and no file.
fn absent(layers: &[&[&str]], sources: &[(&str, &str)]) -> Vec<String> {
    let names = layers.iter().flat_map(|groups| groups.iter()).flat_map(|group| group.split(' '));
    let is_there = |name: &&str| {
        let of =
            |path: &str| path.strip_prefix(*name).is_some_and(|rest| rest.starts_with(['/', '.']));
        sources.iter().any(|(path, _)| of(path))
    };
    names.filter(|name| !is_there(name)).map(|name| format!("there is no src/{name}")).collect()
}

/// Where a module stands: its layer, and its group in it.
fn place(layers: &[&[&str]], name: &str) -> Option<(usize, usize)> {
    layers.iter().enumerate().find_map(|(layer, groups)| {
        let group = groups.iter().position(|group| group.split(' ').any(|one| one == name))?;
        Some((layer, group))
    })
}

/// The imports of modules that are higher, or beside and not of the same group.
fn upward(layers: &[&[&str]], imports: &[Import]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Import { path, line, from, to } in imports {
        let (from, to) = (&from[0], &to[0]);
        let complaint = match (place(layers, from), place(layers, to)) {
            _ if from == to => continue,
            (Some(low), Some(high)) if low.0 < high.0 => {
                format!("{from} may not name {to}, which is above it")
            }
            (Some(one), Some(other)) if one.0 == other.0 && one != other => {
                format!("{from} may not name {to}, which is beside it")
            }
            (None, _) => format!("{from} is in no layer"),
            (_, None) => format!("{to} is in no layer"),
            _ => continue,
        };
        wrong.push(format!("src/{path}:{line}: {complaint}"));
    }
    wrong.dedup();
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[&[&str]] = &[&["wire"], &["config", "auth"], &["client connection"]];

    /// What is wrong in these sources.
    fn wrong(sources: &[(&str, &str)]) -> Vec<String> {
        let (imports, mut wrong) = imports(sources);
        wrong.extend(upward(TABLE, &imports));
        wrong
    }

    #[test]
    fn lower_layers_and_the_own_one_may_be_named() {
        let sources = [
            ("lib.rs", "mod wire; mod auth; pub use auth::Keys;"),
            ("wire/mod.rs", "mod reader; use self::reader::Reader;"),
            ("wire/reader.rs", "use super::Error; use crate::wire::Other;"),
            ("auth.rs", "use crate::wire::Reader;"),
            ("client.rs", "use crate::{Keys, connection::Connection};"),
            ("connection.rs", "fn f(c: &crate::client::Client) {}"),
        ];
        assert_eq!(wrong(&sources), [""; 0]);
        assert_eq!(imports(&sources).0.len(), 7);
    }

    #[test]
    fn an_import_of_a_higher_layer_is_found() {
        let sources = [
            ("wire/mod.rs", "mod deep;"),
            ("wire/deep.rs", "fn f() {\n super::super::client::g() }"),
            ("client.rs", ""),
            ("auth.rs", "use crate::{client as c};"),
        ];
        let found = [
            "src/wire/deep.rs:2: wire may not name client, which is above it",
            "src/auth.rs:1: auth may not name client, which is above it",
        ];
        assert_eq!(wrong(&sources), found);
    }

    #[test]
    fn neighbours_know_nothing_of_each_other_unless_they_are_a_group() {
        let sources = [
            ("auth.rs", "use crate::config::Config;"),
            ("config.rs", "use crate::auth::Keys;"),
            ("client.rs", "use crate::connection::C;"),
            ("connection.rs", "use crate::client::C;"),
        ];
        let found = [
            "src/auth.rs:1: auth may not name config, which is beside it",
            "src/config.rs:1: config may not name auth, which is beside it",
        ];
        assert_eq!(wrong(&sources), found);
    }

    #[test]
    fn a_name_of_the_root_is_that_of_its_module() {
        let sources = [
            ("lib.rs", "mod client; pub use client::Client;"),
            ("client.rs", "#[macro_export] macro_rules! m { () => { $crate::client::f() } }"),
            ("wire.rs", "use crate::Client;\nfn f() { crate::m!() }\nuse crate::Nothing;"),
        ];
        let found = [
            "src/wire.rs:3: crate::Nothing is no module, and lib.rs does not say whose it is",
            "src/wire.rs:1: wire may not name client, which is above it",
            "src/wire.rs:2: wire may not name client, which is above it",
        ];
        assert_eq!(wrong(&sources), found);
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        let sources = [("wire.rs", ""), ("other.rs", "use crate::wire::X;")];
        assert_eq!(wrong(&sources), ["src/other.rs:1: other is in no layer"]);
    }

    #[test]
    fn a_word_of_the_table_without_a_module_is_found() {
        let sources =
            [("wire/mod.rs", ""), ("config.rs", ""), ("clients.rs", ""), ("connection.rs", "")];
        assert_eq!(absent(TABLE, &sources), ["there is no src/auth", "there is no src/client"]);
    }

    #[test]
    fn files_for_tests_only_may_name_all() {
        let sources = [
            ("wire/mod.rs", "#[cfg(test)] mod tests; #[cfg(test)] mod more;"),
            ("wire/tests/mod.rs", "use crate::client::C;"),
            ("wire/tests/a.rs", "use crate::client::C;"),
            ("wire/more.rs", "use crate::client::C;"),
            ("client.rs", ""),
        ];
        assert_eq!(wrong(&sources), [""; 0]);
    }
}
