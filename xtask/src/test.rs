//! `cargo xtask test`: everything that must hold, in stages, the quick ones first.

mod as_bare;
mod boards;
pub mod counted;
mod driver;
mod fuzz;
mod gateway;
mod host;
pub mod outside;
mod pairs;
mod pico;
mod plugs;
mod provisioned;
mod replay;
pub mod rules;
mod signing;
mod throughput;
mod watchdog;

pub use driver::{DRIVER_KINDS, driver_flash};

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use barepg_testkit::provision;

use crate::bare::Compiler;
use crate::setup;

/// What the stages share.
pub struct Context {
    pub compiler: Compiler,
    /// The features of the driver, as its manifest lists them.
    pub features: Vec<String>,
    /// Whether the run is to be short.
    pub quick: bool,
    verbose: bool,
    log: PathBuf,
}

/// How many things were checked, or why a stage failed.
type Checked = Result<u32, String>;

struct Stage {
    name: &'static str,
    /// Whether it is part of `--quick`.
    quick: bool,
    run: fn(&Context) -> Checked,
}

const STAGES: &[Stage] = &[
    Stage { name: "format", quick: true, run: host::format },
    Stage { name: "layers", quick: true, run: rules::layers },
    Stage { name: "file sizes", quick: true, run: rules::sizes },
    Stage { name: "dependencies", quick: true, run: rules::dependencies },
    Stage { name: "documents", quick: true, run: |_| crate::documents::check(&crate::takes) },
    Stage { name: "figures", quick: true, run: rules::figures },
    Stage { name: "clippy", quick: true, run: host::clippy },
    Stage { name: "documentation", quick: true, run: host::documentation },
    Stage { name: "packages", quick: false, run: host::packages },
    Stage { name: "oldest compiler", quick: false, run: outside::oldest_compiler },
    Stage { name: "bare targets", quick: true, run: host::bare_targets },
    Stage { name: "features in pairs", quick: false, run: pairs::sets },
    Stage { name: "tests, default features", quick: false, run: host::tests_default },
    Stage { name: "tests, all features", quick: true, run: host::tests_all },
    Stage { name: "transports", quick: true, run: host::transports },
    Stage { name: "tests, through PgBouncer", quick: false, run: host::tests_pooled },
    Stage { name: "tests, code of bare targets", quick: false, run: as_bare::tests },
    Stage { name: "fleet, short", quick: false, run: |_| crate::fleet::short() },
    Stage { name: "instructions on a host", quick: false, run: host::instructions },
    Stage { name: "instructions, replayed", quick: true, run: replay::replayed },
    Stage { name: "boards, driver alone", quick: true, run: driver::alone },
    Stage { name: "boards, instructions", quick: true, run: counted::instructions },
    Stage {
        name: "boards, deliberate regressions",
        quick: false,
        run: |context| crate::regressions::check(&context.compiler, None),
    },
    Stage { name: "boards, build and lints", quick: true, run: boards::build },
    Stage { name: "boards, to copy", quick: false, run: outside::projects },
    Stage { name: "boards, tests", quick: true, run: boards::tests },
    Stage { name: "boards, common operations", quick: true, run: boards::common },
    Stage { name: "boards, an existing server", quick: false, run: boards::existing },
    Stage { name: "boards, openGauss", quick: false, run: boards::opengauss },
    Stage { name: "boards, several hosts", quick: false, run: boards::hosts },
    Stage { name: "boards, large and unsolicited", quick: false, run: boards::verbs },
    Stage { name: "boards, pulled plugs", quick: false, run: plugs::pulled },
    Stage { name: "boards, provisioned", quick: false, run: provisioned::boards },
    Stage { name: "boards, an emulated Pico", quick: false, run: pico::emulated },
    Stage { name: "boards, over TLS", quick: false, run: boards::over_tls },
    Stage { name: "boards, watchdog", quick: false, run: watchdog::watched },
    Stage { name: "boards, client signatures", quick: false, run: signing::counted },
    Stage { name: "boards, misbehaving servers", quick: false, run: boards::faults },
    Stage { name: "fuzzing", quick: false, run: fuzz::run },
];

/// The help, with the stages there are.
pub fn usage() -> String {
    let mut text = "\
cargo xtask test [options]

Runs every check and test, in stages; stops at the first that fails.

  --quick             the stages marked with q, some of them shorter
  --only STAGE        those whose name has this in it
  --verbose           show all output
  --list              the names of the stages

stages
"
    .to_string();
    for stage in STAGES {
        text.push_str(&format!("  {} {}\n", if stage.quick { 'q' } else { ' ' }, stage.name));
    }
    text
}

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    quick: bool,
    verbose: bool,
    list: bool,
    only: Option<String>,
}

impl Options {
    /// Reads the arguments after `test`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => options.quick = true,
                "--verbose" => options.verbose = true,
                "--list" => options.list = true,
                "--only" => {
                    let name = words
                        .next()
                        .filter(|name| !name.is_empty())
                        .ok_or("--only which stage?")?;
                    if !STAGES.iter().any(|stage| stage.name.contains(name)) {
                        let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
                        return Err(format!("no stage {name}; there are: {}", names.join("; ")));
                    }
                    options.only = Some(name.to_string());
                }
                other => return Err(format!("unknown argument of test: {other}")),
            }
        }
        Ok(options)
    }

    fn wants(&self, stage: &Stage) -> bool {
        match &self.only {
            Some(name) => stage.name.contains(name.as_str()),
            None => stage.quick || !self.quick,
        }
    }
}

/// `cargo xtask pairs`: every feature and every pair of them alone.
pub fn every_pair() -> Result<(), String> {
    let checked = pairs::every_pair(&context(&Options::default())?)?;
    println!("{checked} passed, 0 failed");
    Ok(())
}

fn context(options: &Options) -> Result<Context, String> {
    let Options { quick, verbose, .. } = *options;
    let compiler = setup::all()?;
    let log = new_log(&provision::root().join("target"))?;
    Ok(Context { compiler, features: rules::features()?, quick, verbose, log })
}

/// Where the log goes, in a folder that cargo may not have made: `CARGO_TARGET_DIR` names another.
fn new_log(folder: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let log = folder.join("xtask-test.log");
    let _ = fs::remove_file(&log);
    Ok(log)
}

/// Runs the stages in order and stops at the first that fails.
pub fn run(options: &Options) -> Result<(), String> {
    let stages: Vec<&Stage> = STAGES.iter().filter(|stage| options.wants(stage)).collect();
    if options.list {
        stages.iter().for_each(|stage| println!("{}", stage.name));
        return Ok(());
    }
    let begun = Instant::now();
    let context = context(options)?;
    let mut passed = 0;
    for (index, stage) in stages.iter().enumerate() {
        let number = index + 1;
        println!("[{number:2}/{}] {}", stages.len(), stage.name);
        let started = Instant::now();
        match (stage.run)(&context) {
            Ok(0) => return Err(failed(passed, stage.name, "it checked nothing")),
            Ok(count) => {
                passed += count;
                println!("        {count} passed in {:.1} s", started.elapsed().as_secs_f32());
            }
            Err(error) => return Err(failed(passed, stage.name, &error)),
        }
    }
    println!("\nall of it in {:.0} s", begun.elapsed().as_secs_f32());
    if stages.len() < STAGES.len() {
        println!("(a part only: the whole is `cargo xtask test`)");
    }
    println!("{passed} passed, 0 failed");
    Ok(())
}

fn failed(passed: u32, stage: &str, error: &str) -> String {
    println!("{error}\n\nfailed at: {stage}\n{passed} passed, 1 failed");
    format!("stage failed: {stage}")
}

impl Context {
    /// A cargo command at the root of the repository, for this machine.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(arguments).current_dir(provision::root());
        command
    }

    /// The target triple of this machine.
    pub fn host(&self) -> Result<String, String> {
        let output = self.run(Command::new("rustc").arg("-vV"))?;
        let host = output.lines().find_map(|line| line.strip_prefix("host: "));
        host.map(str::to_string).ok_or(format!("rustc -vV names no host:\n{output}"))
    }

    /// Runs a command to its end. What it prints goes to the log, and with `--verbose` to the
    /// terminal; when it fails, the last of it is in the error.
    pub fn run(&self, command: &mut Command) -> Result<String, String> {
        let shown = format!("{command:?}");
        let shown = shown.replace('"', "");
        if self.verbose {
            println!("        $ {shown}");
        }
        let failed = |error: std::io::Error| format!("{}: {error}", self.log.display());
        // One file for both streams keeps their order.
        static PART: AtomicU32 = AtomicU32::new(0);
        let number = PART.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}.{number}.part", std::process::id());
        let part = self.log.with_extension(name);
        let file = fs::File::create(&part).map_err(failed)?;
        let stderr = file.try_clone().map_err(failed)?;
        command.stdin(Stdio::null());
        if self.verbose {
            command.stderr(Stdio::inherit()).stdout(file);
        } else {
            command.stdout(file).stderr(stderr);
        }
        let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
        let output = fs::read(&part).map_err(failed)?;
        let output = String::from_utf8_lossy(&output).into_owned();
        let _ = fs::remove_file(&part);
        if self.verbose {
            print!("{output}");
        }
        let mut log =
            fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(failed)?;
        use std::io::Write as _;
        writeln!(log, "$ {shown}\n{output}").map_err(failed)?;
        if status.success() {
            return Ok(output);
        }
        Err(format!(
            "{}\n$ {shown}\n{status}; everything is in {}",
            tail(&output),
            self.log.display()
        ))
    }
}

fn tail(output: &str) -> String {
    let mut last = VecDeque::new();
    for line in output.lines() {
        if last.len() == 150 {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_a_folder() {
        let scratch = barepg_testkit::scratch::Scratch::new("barepg-log", "").unwrap();
        let log = new_log(&scratch.path().join("target")).unwrap();
        fs::write(&log, "of an earlier run").unwrap();
        assert_eq!(new_log(&scratch.path().join("target")), Ok(log.clone()));
        assert!(!log.exists());
    }

    #[test]
    fn a_stage_without_a_name_is_not_all_of_them() {
        assert!(Options::parse(&["--only", ""]).unwrap_err().contains("which stage"));
        assert!(Options::parse(&["--only", "layers"]).is_ok());
    }

    /// The workflow names its jobs by stages: each is one, and none is left out.
    #[test]
    fn the_workflow_runs_every_stage() {
        let path = provision::root().join(".github/workflows/ci.yml");
        let text = fs::read_to_string(path).unwrap();
        let list = text.split("only:\n").nth(1).unwrap().split("steps:").next().unwrap();
        let names: Vec<&str> =
            list.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
        for name in &names {
            assert!(STAGES.iter().any(|stage| stage.name.contains(name)), "no stage {name}");
        }
        for stage in STAGES {
            let run = names.iter().any(|name| stage.name.contains(name));
            assert!(run, "the workflow does not run {}", stage.name);
        }
    }
}
