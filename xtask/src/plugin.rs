//! Counts the instructions between marks in a firmware image, with a small plugin for QEMU.
//!
//! A mark is a function of the firmware, called for nothing but to be seen:
//! `barepg_mark_begin` and `barepg_mark_end` enclose a piece of work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use barepg_testkit::provision::{self, run};

use crate::elf::Image;

const SOURCE: &str = include_str!("count.c");
const PREFIX: &str = "barepg_mark_";
const BEGIN: &str = "begin";
const END: &str = "end";

/// The plugin, ready to be loaded, and the file it will write.
pub struct Counter {
    library: PathBuf,
    out: PathBuf,
    begin: u32,
    end: u32,
}

impl Counter {
    /// Builds the plugin for the QEMU program that will load it, unless it was built before.
    pub fn new(qemu: &str, image: &Image, out: &Path) -> Result<Counter, String> {
        let version = run(Command::new(qemu).arg("--version"))?;
        let major: u32 = version
            .split("version ")
            .nth(1)
            .and_then(|rest| rest.split('.').next()?.parse().ok())
            .ok_or(format!("{qemu} --version says nothing of use: {version}"))?;
        // QEMU 9 dropped the interface's first version; the functions used here are in both.
        let interface = if major >= 9 { 2 } else { 1 };
        let home = provision::cache()?;
        let library = home.join(format!("libcount-{interface}.so"));
        let source = home.join("count.c");
        let current = fs::read_to_string(&source).is_ok_and(|text| text == SOURCE);
        if !current || !library.exists() {
            let _lock = provision::Lock::take("plugin")?;
            fs::write(&source, SOURCE).map_err(|e| format!("{}: {e}", source.display()))?;
            let partial = library.with_extension("partial");
            let mut cc = Command::new("cc");
            cc.args(["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden"]);
            cc.arg(format!("-DPLUGIN_VERSION={interface}")).arg(&source).arg("-o").arg(&partial);
            run(&mut cc)?;
            fs::rename(&partial, &library).map_err(|e| format!("{}: {e}", library.display()))?;
        }
        let address = |mark: &str| {
            let name = format!("{PREFIX}{mark}");
            let symbol = image.symbols.iter().find(|symbol| symbol.name == name);
            symbol.map(|symbol| symbol.address).ok_or(format!("the firmware has no {name}"))
        };
        let (begin, end) = (address(BEGIN)?, address(END)?);
        if begin == end {
            return Err(format!("the linker merged the marks: both are at {begin:#x}"));
        }
        Ok(Counter { library, out: out.to_path_buf(), begin, end })
    }

    /// What QEMU is given: the argument of `-plugin`.
    pub fn argument(&self) -> String {
        let Counter { library, out, begin, end } = self;
        let (library, out) = (library.display(), out.display());
        format!("{library},out={out},mark={BEGIN}:{begin:x},mark={END}:{end:x}")
    }

    /// The counts, once QEMU has ended.
    pub fn counts(&self) -> Result<Counts, String> {
        let text = fs::read_to_string(&self.out)
            .map_err(|error| format!("{}: {error}", self.out.display()))?;
        parse(&text).ok_or(format!("unexpected counts:\n{text}"))
    }
}

/// Instructions executed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of the run.
    pub total: u64,
    /// Those of each passage from the begin mark to the end mark, in order.
    pub spans: Vec<u64>,
}

fn parse(text: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut begun = None;
    for line in text.lines() {
        let (name, count) = line.split_once(' ')?;
        let count: u64 = count.parse().ok()?;
        match (name, begun) {
            (BEGIN, None) => begun = Some(count),
            (END, Some(begin)) => {
                counts.spans.push(count.checked_sub(begin)?);
                begun = None;
            }
            ("total", _) => counts.total = count,
            _ => return None,
        }
    }
    (counts.total > 0).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_differences_of_pairs() {
        let counts = parse("begin 100\nend 350\nbegin 400\nend 410\ntotal 600\n").unwrap();
        assert_eq!(counts, Counts { total: 600, spans: vec![250, 10] });
    }

    #[test]
    fn marks_out_of_order_are_refused() {
        assert_eq!(parse("begin 100\n"), None);
        assert_eq!(parse("end 100\ntotal 200\n"), None);
        assert_eq!(parse("begin 100\nbegin 110\ntotal 200\n"), None);
    }
}
