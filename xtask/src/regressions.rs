//! `cargo xtask regressions`: the gate, tested. Each regression is done to a copy of the sources, which
//! is built and measured like the sources themselves; its budget must be missed, by name.

use std::fs;
use std::path::{Path, PathBuf};

use barepg_testkit::provision::{self, run};

use crate::bare::Compiler;
use crate::boards;
use crate::budgets::Budgets;
use crate::copy::{self, Folder};
use crate::elf::Image;
use crate::setup;
use crate::test::counted;

pub const USAGE: &str = "\
cargo xtask regressions [options]

Makes the driver worse on purpose, in a copy of the sources, and sees that the budgets notice.

  --only NAME         one of them
  --list              their names
";

/// Something that must not get in unseen.
struct Regression {
    name: &'static str,
    /// The file, what is in it once, and what takes its place.
    file: &'static str,
    before: &'static str,
    after: &'static str,
    by: Meter,
    /// The figure of `budgets.toml` that is missed then.
    missed: &'static str,
}

/// What measures it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meter {
    /// The program of `boards/counted`: instructions, stack, round trips, bytes.
    Counted,
    /// Flash of `set`, of `boards/bare`.
    Flash,
}

const REGRESSIONS: &[Regression] = &[
    Regression {
        name: "a copy of each row",
        file: "src/verbs/rows.rs",
        before: "    pub fn next(&mut self) -> Result<Option<Row<'_>>> {\n",
        after: "    pub fn next(&mut self) -> Result<Option<Row<'_>>> {\n        \
            let mut copy = [0_u8; 128];\n        \
            for (to, from) in copy.iter_mut().zip(self.session.link.taken()) { *to = *from; }\n        \
            core::hint::black_box(&copy);\n",
        by: Meter::Counted,
        missed: "thumbv7m: row is ",
    },
    Regression {
        name: "a kilobyte on the stack",
        file: "src/auth/scram.rs",
        before: "let mut salt = [0; limits::SCRAM_SALT];\n    match",
        after: "let mut salt = [0; 1024];\n    match",
        by: Meter::Counted,
        missed: "thumbv7m_stack: scram_login is ",
    },
    Regression {
        name: "more round trips",
        file: "src/verbs/query.rs",
        before: "        match self.session.execute(&mut lent(&mut self.io), execution) {\n",
        after: "        self.prepare(\"select 1\", &[])?;\n        \
            match self.session.execute(&mut lent(&mut self.io), execution) {\n",
        by: Meter::Counted,
        // The server in memory says types for it that were not given, so that preparing takes two.
        missed: "thumbv7m_wire: insert_trips is 3",
    },
    Regression {
        name: "a second SHA-256",
        file: "src/auth/hash.rs",
        before: "*room = Sha256::digest(&[key]);",
        after: "*room = <sha2::Sha256 as sha2::Digest>::digest(key).into();",
        by: Meter::Flash,
        missed: "driver: set is ",
    },
];

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    only: Option<String>,
    list: bool,
}

impl Options {
    /// Reads the arguments after `regressions`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        match arguments {
            [] => Ok(Options::default()),
            ["--list"] => Ok(Options { list: true, ..Options::default() }),
            ["--only", name] if REGRESSIONS.iter().any(|one| one.name.contains(name)) => {
                Ok(Options { only: Some(name.to_string()), ..Options::default() })
            }
            ["--only", ..] => Err(format!("--only which of: {}", names().join("; "))),
            [other, ..] => Err(format!("unknown argument of regressions: {other}")),
        }
    }
}

fn names() -> Vec<&'static str> {
    REGRESSIONS.iter().map(|regression| regression.name).collect()
}

pub fn run_all(options: &Options) -> Result<(), String> {
    if options.list {
        println!("{}", names().join("\n"));
        return Ok(());
    }
    let caught = check(&setup::all()?, options.only.as_deref())?;
    println!("{caught} regressions, all of them caught");
    Ok(())
}

/// Does them, one after the other. How many were caught, or the first that was not.
pub fn check(compiler: &Compiler, only: Option<&str>) -> Result<u32, String> {
    let wanted = |one: &&Regression| only.is_none_or(|name| one.name.contains(name));
    let regressions: Vec<&Regression> = REGRESSIONS.iter().filter(wanted).collect();
    let copy = Copy::new()?;
    // As it is, the copy must keep every budget: or a regression would be caught by anything.
    for by in [Meter::Counted, Meter::Flash] {
        if regressions.iter().any(|one| one.by == by) {
            copy.measure(compiler, by)?
                .map_err(|error| format!("without a regression the copy misses:\n{error}"))?;
        }
    }
    for regression in &regressions {
        let Regression { name, file, before, after, by, missed } = regression;
        let path = copy.sources.path().join(file);
        let text = read(&path)?;
        if text.matches(before).count() != 1 {
            return Err(format!("{name}: {file} has changed; say anew what is done to it"));
        }
        write(&path, &text.replacen(before, after, 1))?;
        let measured = copy.measure(compiler, *by);
        write(&path, &text)?;
        match measured.map_err(|error| format!("{name}: {error}"))? {
            Ok(()) => return Err(format!("{name}: no budget noticed")),
            Err(error) => match error.lines().find(|line| line.contains(missed)) {
                Some(line) => println!("        {name}: {line}"),
                None => return Err(format!("{name}: {missed}… is not in\n{error}")),
            },
        }
    }
    Ok(regressions.len().try_into().unwrap_or(u32::MAX))
}

/// What the programs of the boards are built of.
const PARTS: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "boards", "derive", "examples", "src", "tests", "transports"];

/// A copy of the sources, removed when it is dropped. What is built of it stays, as in any target directory.
struct Copy {
    sources: Folder,
    target: PathBuf,
}

impl Copy {
    fn new() -> Result<Copy, String> {
        let home = provision::root().join("target").join("regressions");
        let sources = Folder::empty(home.join("sources"))?;
        for part in PARTS {
            copy::copy(&provision::root().join(part), &sources.path().join(part))?;
        }
        Ok(Copy { sources, target: home.join("target") })
    }

    /// Builds and measures: the outer error is that of the measuring, the inner one names the
    /// budgets that are missed.
    fn measure(&self, compiler: &Compiler, by: Meter) -> Result<Result<(), String>, String> {
        let programs = boards::bare_programs(&self.target);
        let sources = self.sources.path();
        match by {
            Meter::Counted => {
                let package = boards::COUNTED.package;
                run(&mut boards::in_copy(compiler, sources, &self.target, package))?;
                let counted = counted::figures_of(&programs.join(package))?;
                Ok(counted::compare(&counted).map(|_| ()))
            }
            Meter::Flash => {
                let mut build = boards::bare(compiler, sources, &self.target, "");
                run(build.args(["--bin", "empty", "--bin", "set"]))?;
                let flash = |name| Image::read(&programs.join(name)).map(|image| image.flash());
                let set = flash("set")?.saturating_sub(flash("empty")?);
                let most = Budgets::read()?.get("driver", "set").ok_or("no budget of set")?;
                if u64::from(set) <= most {
                    return Ok(Ok(()));
                }
                Ok(Err(format!("driver: set is {set}, its budget {most}\n")))
            }
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that a change of the driver says it here, and not minutes later.
    #[test]
    fn every_regression_can_be_done() {
        for Regression { name, file, before, after, .. } in REGRESSIONS {
            let text = read(&provision::root().join(file)).unwrap();
            assert_eq!(text.matches(before).count(), 1, "{name}: {file} has changed");
            assert_ne!(before, after, "{name}");
        }
    }

    #[test]
    fn arguments_are_read_or_refused() {
        assert_eq!(Options::parse(&["--only", "stack"]).unwrap().only.as_deref(), Some("stack"));
        assert!(Options::parse(&["--only", "nothing"]).is_err());
        assert!(Options::parse(&["--only"]).is_err());
        assert!(Options::parse(&["x"]).is_err());
    }
}
