//! What the documents name is there: commands and their arguments, packages, features, files.

use std::fs;
use std::path::{Path, PathBuf};

use barepg_testkit::provision::root;

/// Where the files of the repository are on the web: links that hold on docs.rs, on the registry
/// and on a forge.
const WEB: &[&str] =
    &["https://github.com/barepg/barepg/blob/main/", "https://github.com/barepg/barepg/tree/main/"];

/// Words that stand for a value of the reader's.
const PLACEHOLDERS: &[(&str, &str)] =
    &[("CONNINFO", "host=h"), ("--board NAME", "--board host"), ("HEAD~3", "HEAD")];

/// Looks at every document of the repository. `parse` takes the words after `cargo xtask`. Returns how
/// many commands and links hold.
pub fn check(parse: &dyn Fn(&[&str]) -> Result<(), String>) -> Result<u32, String> {
    let mut checked = 0;
    let mut wrong = String::new();
    for path in documents(&root())? {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let shown = path.strip_prefix(root()).unwrap_or(&path).display();
        let directory = path.parent().unwrap_or(Path::new("."));
        let results = commands(&text).into_iter().map(|line| command(&line, parse));
        let links = links(&text).into_iter().map(|target| link(target, directory));
        for result in results.chain(links) {
            match result {
                Ok(count) => checked += count,
                Err(error) => wrong.push_str(&format!("{shown}: {error}\n")),
            }
        }
    }
    if wrong.is_empty() { Ok(checked) } else { Err(wrong) }
}

fn documents(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(documents(&path)?);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The command lines: in blocks of code, and in the text between backticks.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    let mut begun = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let code = line.split("  #").next().unwrap_or(line).trim();
            match code.strip_suffix('\\') {
                Some(part) => begun.push_str(&format!("{part} ")),
                None => found.push(std::mem::take(&mut begun) + code),
            }
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_string));
        }
    }
    found.retain(|line| line.starts_with("cargo "));
    found
}

/// Whether a command would be taken.
fn command(line: &str, parse: &dyn Fn(&[&str]) -> Result<(), String>) -> Result<u32, String> {
    let mut line = line.split(" # ").next().unwrap_or(line).to_string();
    for (placeholder, value) in PLACEHOLDERS {
        line = line.replace(placeholder, value);
    }
    let words = words(&line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["cargo", "xtask", rest @ ..] => shortened(rest, parse),
        ["cargo", "build" | "run" | "test" | "rustc" | "check", rest @ ..] => named(rest),
        _ => return Ok(0),
    };
    result.map(|()| 1).map_err(|error| format!("`{line}`: {error}"))
}

/// Text names an option without its value: `--server`, `test --only`.
fn shortened(words: &[&str], parse: &dyn Fn(&[&str]) -> Result<(), String>) -> Result<(), String> {
    match (parse(words), words.split_last()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some((last, before)))
            if ["--server", "--show", "--board", "--elf"].contains(last) =>
        {
            parse(before)
        }
        (Err(error), _) => Err(error.lines().next().unwrap_or("").to_string()),
    }
}

/// Packages, examples and features that a cargo command names.
fn named(words: &[&str]) -> Result<(), String> {
    let manifests = manifests()?;
    let has = |line: &str| manifests.iter().any(|text| text.lines().any(|found| found == line));
    for pair in words.windows(2) {
        match *pair {
            ["--", _] => break,
            ["-p" | "--package" | "--example", name] if !has(&format!("name = \"{name}\"")) => {
                return Err(format!("there is no {name}"));
            }
            ["--features", names] => {
                for name in names.split(',') {
                    let feature = format!("{name} = [");
                    let is_it = |line: &str| line.starts_with(&feature);
                    if !manifests.iter().any(|text| text.lines().any(is_it)) {
                        return Err(format!("there is no feature {name}"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The manifests of all crates.
fn manifests() -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        let failed = |error| format!("{}: {error}", directory.display());
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "src" && !name.starts_with('.') {
                directories.push(path);
            } else if name == "Cargo.toml" {
                texts.push(fs::read_to_string(&path).map_err(failed)?);
            }
        }
    }
    Ok(texts)
}

/// The words of a command, as a shell would split it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().expect("one at least").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The targets of links, those in blocks of code left out.
fn links(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if !in_block {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            found.extend(targets);
        }
    }
    found
}

/// Whether a link leads to a file of the repository, and to a heading in it.
fn link(target: &str, directory: &Path) -> Result<u32, String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let web = WEB.iter().find_map(|base| file.strip_prefix(base));
    let path = match web {
        Some(file) => root().join(file),
        // Items of the documentation, and other sites.
        None if file.contains("://") || file.contains("::") => return Ok(0),
        None if file.is_empty() => return Ok(0),
        None => directory.join(file),
    };
    if !path.exists() {
        return Err(format!("{target} leads nowhere"));
    }
    if !heading.is_empty() && file.ends_with(".md") {
        let text = fs::read_to_string(&path).map_err(|error| format!("{target}: {error}"))?;
        let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
        if !headings.any(|found| found == heading) {
            return Err(format!("{target}: there is no such heading"));
        }
    }
    Ok(1)
}

/// The anchor that a forge makes of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_text_and_in_code() {
        let text =
            "Run `cargo xtask demo` or `ls`.\n```sh\ncargo build -p \\\n  x   # why\nls\n```\n";
        assert_eq!(commands(text), ["cargo xtask demo", "cargo build -p  x"]);
        assert_eq!(words("a 'b c'  d=\"e f\""), ["a", "b c", "d=e f"]);
    }

    #[test]
    fn what_is_not_there_is_found() {
        let parse = |words: &[&str]| match words {
            ["demo", "--server", _] | ["demo"] => Ok(()),
            _ => Err("unknown".to_string()),
        };
        assert_eq!(command("cargo xtask demo --server CONNINFO", &parse), Ok(1));
        assert_eq!(command("cargo xtask demo --server", &parse), Ok(1));
        assert!(command("cargo xtask omed", &parse).is_err());
        assert!(command("cargo build -p barepg-gone", &parse).is_err());
        assert!(command("cargo build -p barepg-bare --features sm5", &parse).is_err());
        assert_eq!(command("cargo add serde", &parse), Ok(0));
        assert_eq!(link("docs/testing.md#cut-links", &root()), Ok(1));
        assert!(link("docs/testing.md#nothing", &root()).is_err());
        assert!(link("docs/gone.md", &root()).is_err());
        assert!(link(&format!("{}gone.md", WEB[0]), &root()).is_err());
        assert_eq!(links("a [b](c) `d`\n```\n[e](f)\n```\n"), ["c"]);
    }
}
