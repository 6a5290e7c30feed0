//! Guards and builders that are not used are a mistake the compiler reports: read in the source,
//! so that no guard is forgotten.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Public structures that do nothing unless they are used.
const KNOWN: &[&str] =
    &["CopyIn", "CopyOut", "Pipeline", "Rows", "Savepoint", "Transaction", "TransactionBuilder"];

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the source").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

/// Public structures by name: whether `#[must_use]` is on them, and their fields.
fn structures() -> BTreeMap<String, (bool, String)> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 50);
    let mut all = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a file");
        for (at, _) in text.match_indices("\npub struct ") {
            let rest = &text[at + "\npub struct ".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            // What stands over it without an empty line between.
            let above = text[..at].rsplit("\n\n").next().unwrap_or("");
            let body = &rest[..rest.find("\n}").unwrap_or(0)];
            all.insert(rest[..end].into(), (above.contains("#[must_use"), body.into()));
        }
    }
    all
}

#[test]
fn guards_and_builders_must_be_used() {
    let all = structures();
    for name in KNOWN {
        let (must_use, _) = all.get(*name).unwrap_or_else(|| panic!("no {name}"));
        assert!(must_use, "{name} has no #[must_use]");
    }
    // And those that are written later: what borrows a session or a connection is a guard.
    for (name, (must_use, body)) in &all {
        let borrows = ["mut Session<", "mut Connection<", "Lent<"];
        // A row may be passed over.
        let other = ["Connection", "StreamedRow"].contains(&name.as_str());
        let guard = borrows.iter().any(|part| body.contains(part)) && !other;
        assert!(!guard || *must_use, "{name} has no #[must_use]");
    }
}
