//! Counts the instructions between marks in a firmware image, with a small plugin for QEMU.
//!
//! A mark is a function of the firmware, called for nothing but to be seen:
//! `barepg_mark_begin` and `barepg_mark_end` enclose a piece of work. In it the firmware passes
//! `barepg_mark_sleep` before the processor sleeps, and `barepg_mark_moved` where a call of the
//! transport has moved something: what lies between the first and the last sleep of a call depends
//! on when the other side answers, and is not counted. `barepg_mark_idle` is where a watchdog would be fed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use barepg_testkit::provision::{self, run};

use crate::elf::Image;

const SOURCE: &str = include_str!("count.c");
const PREFIX: &str = "barepg_mark_";
const BEGIN: &str = "begin";
const END: &str = "end";
const SLEEP: &str = "sleep";
const MOVED: &str = "moved";
const IDLE: &str = "idle";

/// The plugin, ready to be loaded, and the file it will write.
pub struct Counter {
    library: PathBuf,
    out: PathBuf,
    marks: Vec<(&'static str, u32)>,
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
        let mut marks = Vec::new();
        for mark in [BEGIN, END, SLEEP, MOVED, IDLE] {
            let name = format!("{PREFIX}{mark}");
            match image.symbols.iter().find(|symbol| symbol.name == name) {
                Some(symbol) => marks.push((mark, symbol.address)),
                // A program that talks to itself never sleeps, and most have no watchdog.
                None if [SLEEP, MOVED, IDLE].contains(&mark) => {}
                None => return Err(format!("the firmware has no {name}")),
            }
        }
        let mut addresses: Vec<_> = marks.iter().map(|(_, address)| address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.len() < marks.len() {
            return Err(format!("the linker merged marks: {marks:x?}"));
        }
        Ok(Counter { library, out: out.to_path_buf(), marks })
    }

    /// What QEMU is given: the argument of `-plugin`.
    pub fn argument(&self) -> String {
        let mut argument = format!("{},out={}", self.library.display(), self.out.display());
        for (mark, address) in &self.marks {
            let _ = write!(argument, ",mark={mark}:{address:x}");
        }
        argument
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
    /// Those of each passage from the begin mark to the end mark, in order, without waiting.
    pub spans: Vec<u64>,
    /// The same with the waiting.
    pub whole: Vec<u64>,
    /// The longest way without a call of `Platform::idle` in each passage, waiting included.
    pub unwatched: Vec<u64>,
}

/// A passage that has begun.
struct Span {
    begin: u64,
    /// The first and the last sleep of the present call of the transport.
    sleep: Option<(u64, u64)>,
    waited: u64,
    /// The last call of `Platform::idle`, and the longest way between two.
    idle: u64,
    unwatched: u64,
}

impl Span {
    fn slept(&mut self, count: u64) {
        let first = self.sleep.map_or(count, |(first, _)| first);
        self.sleep = Some((first, count));
    }

    fn watched(&mut self, count: u64) {
        self.unwatched = self.unwatched.max(count - self.idle);
        self.idle = count;
    }

    fn moved(&mut self) {
        self.waited += self.sleep.take().map_or(0, |(first, last)| last - first);
    }
}

fn parse(text: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut span: Option<Span> = None;
    for line in text.lines() {
        let (name, count) = line.split_once(' ')?;
        let count: u64 = count.parse().ok()?;
        match (name, &mut span) {
            (BEGIN, None) => {
                let (begin, idle) = (count, count);
                span = Some(Span { begin, sleep: None, waited: 0, idle, unwatched: 0 });
            }
            (END, Some(begun)) => {
                begun.moved();
                begun.watched(count);
                counts.unwatched.push(begun.unwatched);
                let whole = count.checked_sub(begun.begin)?;
                counts.whole.push(whole);
                counts.spans.push(whole.checked_sub(begun.waited)?);
                span = None;
            }
            (SLEEP, Some(begun)) => begun.slept(count),
            (MOVED, Some(begun)) => begun.moved(),
            (IDLE, Some(begun)) => begun.watched(count),
            (SLEEP | MOVED | IDLE, None) => {}
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
        assert_eq!(
            counts,
            Counts {
                total: 600,
                spans: vec![250, 10],
                whole: vec![250, 10],
                unwatched: vec![250, 10]
            }
        );
    }

    #[test]
    fn the_longest_way_without_a_watchdog_is_found() {
        let text =
            "idle 50\nbegin 100\nidle 120\nidle 190\nend 200\nbegin 300\nend 310\ntotal 400\n";
        assert_eq!(parse(text).unwrap().unwatched, [70, 10]);
    }

    #[test]
    fn what_is_executed_from_the_first_sleep_of_a_call_to_its_last_is_not_counted() {
        let at_once = "begin 100\nsleep 150\nmoved 180\nsleep 200\nmoved 230\nend 250\n";
        let late = "begin 100\nsleep 150\nsleep 550\nsleep 950\nmoved 980\n\
                    sleep 1000\nsleep 1400\nmoved 1430\nend 1450\n";
        let spans = |text: &str| parse(&format!("sleep 5\n{text}total 2000\n")).unwrap().spans;
        assert_eq!(spans(at_once), [150]);
        assert_eq!(spans(late), [150]);
    }

    #[test]
    fn marks_out_of_order_are_refused() {
        assert_eq!(parse("begin 100\n"), None);
        assert_eq!(parse("end 100\ntotal 200\n"), None);
        assert_eq!(parse("begin 100\nbegin 110\ntotal 200\n"), None);
    }
}
