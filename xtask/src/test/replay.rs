//! The works of `boards/counted` on this machine, under callgrind: the driver's hot paths against a
//! server in memory, the same figures each time, in seconds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use barepg_testkit::child::Process;

use super::{Checked, Context, counted};
use crate::bench;
use crate::budgets::Budgets;
use crate::plugin::Counts;

/// The longest that the program may run; it takes some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds and runs the program, and compares its figures with the budgets.
pub fn replayed(_: &Context) -> Checked {
    let figures = figures()?;
    Budgets::read()?.print_and_compare("replay", &figures)
}

fn figures() -> Result<counted::Figures, String> {
    let program = bench::replay()?;
    let directory = program.with_file_name("replay.callgrind");
    let io = |error: std::io::Error| format!("{}: {error}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(io)?;
    }
    fs::create_dir_all(&directory).map_err(io)?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--cache-sim=no", "--branch-sim=no", "--quiet"]);
    command.args(["--zero-before=barepg_mark_begin", "--dump-before=barepg_mark_end"]);
    command.arg(format!("--callgrind-out-file={}", directory.join("out").display()));
    command.arg(&program).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Process::start(&mut command)?.output(b"", LIMIT)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}\n{text}{stderr}", program.display(), output.status));
    }
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    let counts = Counts { spans: spans(&directory)?, ..Counts::default() };
    let figures = counted::slopes(&lines, &counts)?;
    Ok(figures.into_iter().map(|(name, cost)| (name.to_string(), cost)).collect())
}

/// What each passage between the marks took: callgrind numbers its files from 1.
fn spans(directory: &Path) -> Result<Vec<u64>, String> {
    let mut spans = Vec::new();
    for number in 1.. {
        let file = directory.join(format!("out.{number}"));
        let Ok(text) = fs::read_to_string(&file) else { break };
        spans.push(bench::total(&text).ok_or(format!("{}: no total", file.display()))?);
    }
    if spans.is_empty() {
        return Err(format!("callgrind left nothing in {}", directory.display()));
    }
    Ok(spans)
}
