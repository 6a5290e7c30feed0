//! Runs the programs under callgrind, DHAT and strace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use barepg_testkit::child::Process;
use barepg_testkit::pg::Cluster;

use super::programs::{self, Client, Program};
use super::works::{GROWTH, Growth, Work};

/// The longest that one run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Works whose system calls are counted, and for whom.
const CALLS: (&[&str], &[Client]) =
    (&["connect", "simple", "prepared", "insert"], &[Client::Barepg, Client::Libpq]);

/// Works whose memory is looked at.
pub const IN_MEMORY: [&str; 7] =
    ["connect", "simple", "prepared", "row_binary", "insert", "copy_in", "read_10mb"];

/// What is to be measured.
pub struct Plan<'p> {
    pub programs: &'p [Program],
    pub works: &'p [&'static Work],
    pub quick: bool,
    pub server: &'p Cluster,
}

/// What a unit costs, by work and client.
pub type Costs = BTreeMap<(&'static str, Client), f64>;

/// One run of a program.
struct Run<'p> {
    program: &'p Program,
    work: &'static Work,
    n: u32,
}

/// What a run left.
struct Counted {
    count: u64,
    /// The last line of the program.
    said: String,
}

/// User instructions of each work's unit.
pub fn instructions(plan: &Plan) -> Result<Costs, String> {
    let directory = programs::target().join("callgrind");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut runs = Vec::new();
    for &work in plan.works {
        let able = |program: &&Program| !work.without.contains(&program.client);
        for program in plan.programs.iter().filter(able) {
            let (n1, n2) = plan.sizes(work);
            runs.extend([n1, n2].map(|n| Run { program, work, n }));
        }
    }
    eprintln!("{} runs under callgrind; what they leave is in {}", runs.len(), directory.display());
    let counted = all(&runs, |run| callgrind(run, plan.server.port(), &directory))?;
    agree(&runs, &counted)?;
    Ok(slopes(&runs, &counted))
}

/// What a unit costs in the first half of a work's growth, and in the second.
pub type Halves = Vec<(&'static Growth, [f64; 2])>;

/// Instructions of barepg for a unit in each half of what grows.
pub fn growth(program: &Program, server: &Cluster) -> Result<Halves, String> {
    let directory = programs::target().join("callgrind");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let three = |one: &'static Growth| one.three().map(|n| Run { program, work: &one.work, n });
    let runs: Vec<Run> = GROWTH.iter().flat_map(three).collect();
    let counted = all(&runs, |run| callgrind(run, server.port(), &directory))?;
    let halves = runs.chunks_exact(3).zip(counted.chunks_exact(3)).zip(GROWTH);
    let of = |((runs, counted), growth): ((&[Run], &[Counted]), &'static Growth)| {
        let slope = |from: usize, to: usize| {
            let units = f64::from(runs[to].n - runs[from].n);
            (counted[to].count as f64 - counted[from].count as f64) / units
        };
        (growth, [slope(0, 1), slope(1, 2)])
    };
    Ok(halves.map(of).collect())
}

/// System calls of some works' unit.
pub fn system_calls(plan: &Plan) -> Result<Costs, String> {
    let (works, clients) = CALLS;
    let mut runs = Vec::new();
    for &work in plan.works.iter().filter(|work| works.contains(&work.name)) {
        for program in plan.programs.iter().filter(|one| clients.contains(&one.client)) {
            let (n1, n2) = work.quick;
            runs.extend([n1, n2].map(|n| Run { program, work, n }));
        }
    }
    let counted = all(&runs, |run| strace(run, plan.server.port()))?;
    Ok(slopes(&runs, &counted))
}

/// What a unit takes from the heap, and the most that a whole run held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heap {
    /// Allocations a unit.
    pub blocks: f64,
    /// Bytes allocated a unit.
    pub bytes: f64,
    /// Most bytes at once, of the larger run.
    pub peak: u64,
}

/// By work and client.
pub type Heaps = BTreeMap<(&'static str, Client), Heap>;

/// Memory of some works, under DHAT: allocations are counted, so that smaller sizes do.
pub fn heap(plan: &Plan) -> Result<Heaps, String> {
    let mut runs = Vec::new();
    for &work in plan.works.iter().filter(|work| IN_MEMORY.contains(&work.name)) {
        let able = |program: &&Program| !work.without.contains(&program.client);
        for program in plan.programs.iter().filter(able) {
            let (n1, n2) = work.quick;
            runs.extend([n1, n2].map(|n| Run { program, work, n }));
        }
    }
    let seen = all(&runs, |run| dhat(run, plan.server.port()))?;
    let pairs = runs.chunks_exact(2).zip(seen.chunks_exact(2));
    let of = |(runs, seen): (&[Run], &[Allocated])| {
        let (first, second, fewer, more) = (&runs[0], &runs[1], &seen[0], &seen[1]);
        let units = f64::from(second.n - first.n) * f64::from(first.work.units);
        let slope = |of: fn(&Allocated) -> u64| (of(more) as f64 - of(fewer) as f64) / units;
        let heap = Heap {
            blocks: slope(|run| run.blocks),
            bytes: slope(|run| run.bytes),
            peak: more.peak,
        };
        ((first.work.name, first.program.client), heap)
    };
    Ok(pairs.map(of).collect())
}

/// What one run allocated.
#[derive(Debug, PartialEq, Eq)]
struct Allocated {
    bytes: u64,
    blocks: u64,
    peak: u64,
}

impl Plan<'_> {
    fn sizes(&self, work: &Work) -> (u32, u32) {
        if self.quick { work.quick } else { work.sizes }
    }
}

/// Does all runs, as many at a time as there are processors: instructions are counted, not time.
fn all<'p, T: Send>(
    runs: &[Run<'p>],
    one: impl Fn(&Run<'p>) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let worker = || {
        while let Some((index, run)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            runs.get(index).map(|run| (index, run))
        } {
            let result = one(run);
            if result.is_err() {
                next.store(runs.len(), Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, |count| count.get()) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// All clients must have decoded the same.
fn agree(runs: &[Run], counted: &[Counted]) -> Result<(), String> {
    let mut sums: BTreeMap<(&str, u32), (Client, &str)> = BTreeMap::new();
    for (run, counted) in runs.iter().zip(counted) {
        let (client, said) = (run.program.client, counted.said.as_str());
        if client == Client::Floor {
            continue;
        }
        let first = sums.entry((run.work.name, run.n)).or_insert((client, said));
        if first.1 != said {
            let (other, sum) = (first.0.name(), first.1);
            let (work, n, client) = (run.work.name, run.n, client.name());
            return Err(format!("{work} × {n}: {client} says {said}, {other} says {sum}"));
        }
    }
    Ok(())
}

/// Runs come in pairs of one work and client.
fn slopes(runs: &[Run], counted: &[Counted]) -> Costs {
    let pairs = runs.chunks_exact(2).zip(counted.chunks_exact(2));
    let slope = |(runs, counted): (&[Run], &[Counted])| match (runs, counted) {
        ([first, second], [fewer, more]) => {
            let units = f64::from(second.n - first.n) * f64::from(first.work.units);
            let cost = (more.count as f64 - fewer.count as f64) / units;
            Some(((first.work.name, first.program.client), cost))
        }
        _ => None,
    };
    pairs.filter_map(slope).collect()
}

fn callgrind(run: &Run, port: u16, directory: &Path) -> Result<Counted, String> {
    let (client, work, n) = (run.program.client.name(), run.work.name, run.n);
    let out = directory.join(format!("{work}-{client}-{n}.out"));
    let once = || -> Result<Counted, String> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--cache-sim=no", "--branch-sim=no", "--quiet"]);
        command.arg(format!("--callgrind-out-file={}", out.display()));
        let said = finish(run, command, port)?;
        let text =
            fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let count = total(&text).ok_or(format!("{}: no total", out.display()))?;
        Ok(Counted { count, said })
    };
    let mut least = once()?;
    for _ in 1..run.work.times {
        let again = once()?;
        if again.count < least.count {
            least = again;
        }
    }
    Ok(least)
}

fn strace(run: &Run, port: u16) -> Result<Counted, String> {
    let (client, work, n) = (run.program.client.name(), run.work.name, run.n);
    let out = programs::target().join(format!("{work}-{client}-{n}.strace"));
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&out);
    let said = finish(run, command, port)?;
    let text = fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let _ = fs::remove_file(&out);
    let count = calls(&text).ok_or(format!("strace counted nothing:\n{text}"))?;
    Ok(Counted { count, said })
}

fn dhat(run: &Run, port: u16) -> Result<Allocated, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=dhat", "--dhat-out-file=/dev/null"]);
    let output = output(run, command, port)?;
    let text = String::from_utf8_lossy(&output.stderr);
    allocated(&text).ok_or(format!("DHAT counted nothing:\n{text}"))
}

/// Runs the program below a tool and returns its last line.
fn finish(run: &Run, command: Command, port: u16) -> Result<String, String> {
    let output = output(run, command, port)?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().last().unwrap_or("").to_string())
}

fn output(run: &Run, mut command: Command, port: u16) -> Result<Output, String> {
    command.arg(&run.program.path).arg(port.to_string()).arg(run.work.name);
    command.arg(run.n.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = format!("{command:?}").replace('"', "");
    let output = Process::start(&mut command)?.output(b"", LIMIT)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{shown}: {}\n{stderr}", output.status));
    }
    Ok(output)
}

/// DHAT's lines `Total: N bytes in M blocks` and `At t-gmax: N bytes in M blocks`, with commas in the
/// numbers.
fn allocated(text: &str) -> Option<Allocated> {
    let numbers = |name: &str| -> Option<[u64; 2]> {
        let (_, line) = text.lines().find_map(|line| line.split_once(name))?;
        let words = line.split_whitespace().map(|word| word.replace(',', ""));
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().ok()
    };
    let ([bytes, blocks], [peak, _]) = (numbers("Total:")?, numbers("At t-gmax:")?);
    Some(Allocated { bytes, blocks, peak })
}

/// The line `totals: N` or `summary: N` of callgrind's file.
pub fn total(text: &str) -> Option<u64> {
    let of = |name: &str| text.lines().rev().find_map(|line| line.strip_prefix(name));
    of("totals:").or_else(|| of("summary:"))?.trim().parse().ok()
}

/// The last line of strace's table, `N total`.
fn calls(text: &str) -> Option<u64> {
    let line = text.lines().rev().find(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read() {
        assert_eq!(total("events: Ir\nsummary: 12\nfn=x\n1 2\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("summary: 12\n"), Some(12));
        assert_eq!(total("fn=x\n"), None);
        let table = "    calls syscall\n--- ---\n   600 sendto\n   610 recvfrom\n  1300 total\n";
        assert_eq!(calls(table), Some(1300));
        assert_eq!(calls("nothing"), None);
        let summary = "==9== Total:     1,234 bytes in 56 blocks\n\
                       ==9== At t-gmax: 1,100 bytes in 5 blocks\n";
        let seen = Allocated { bytes: 1234, blocks: 56, peak: 1100 };
        assert_eq!(allocated(summary), Some(seen));
        assert_eq!(allocated("==9== Total: lots\n"), None);
    }
}
