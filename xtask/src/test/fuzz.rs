//! The stage that feeds the fuzz targets for a few seconds each.
//!
//! cargo-fuzz wants a nightly compiler for the sanitizers. The driver has no `unsafe` code for a
//! sanitizer to watch, and what guides the fuzzer, the counters of the code's edges, is a pass of
//! LLVM that the usual compiler can run too.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use barepg_testkit::provision;

use super::{Checked, Context};

const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

/// Seconds for each target.
const SECONDS: u32 = 10;

/// Fewer runs than this mean that a target does not do its work.
const fn fewest(target: &str) -> u64 {
    match target.as_bytes() {
        // A TLS handshake each, on one curve or the other.
        b"records" => 1_000,
        _ => 10_000,
    }
}

/// Builds the targets and runs each.
pub fn run(context: &Context) -> Checked {
    provision::program("c++", "g++")?;
    let home = provision::root().join("fuzz");
    let manifest = fs::read_to_string(home.join("Cargo.toml")).map_err(|e| format!("fuzz: {e}"))?;
    let triple = context.host()?;
    let mut build = context.cargo(&["build", "--release", "--target", &triple]);
    // With an explicit target the flags do not reach build scripts, which cannot be linked so.
    build.current_dir(&home).env("RUSTFLAGS", COVERAGE);
    build.env("CARGO_TARGET_DIR", home.join("target"));
    context.run(&mut build)?;
    // Each has one thread: as many at a time as there are processors.
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    let targets: Vec<&str> = targets(&manifest).collect();
    let mut checked = 0;
    for targets in targets.chunks(at_once) {
        let results: Vec<Checked> = thread::scope(|scope| {
            let (home, triple) = (&home, &triple);
            let start = |target| scope.spawn(move || feed(context, home, triple, target));
            let running: Vec<_> = targets.iter().copied().map(start).collect();
            running.into_iter().map(|one| one.join().unwrap_or(Err("a panic".into()))).collect()
        });
        for result in results {
            checked += result?;
        }
    }
    Ok(checked)
}

/// Runs one target on what it found before, its seeds, and what it makes of them.
fn feed(context: &Context, home: &Path, triple: &str, target: &str) -> Checked {
    let program = home.join("target").join(triple).join("release").join(target);
    let corpus = home.join("target").join("corpus").join(target);
    let artifacts = home.join("target").join("artifacts").join(target);
    for directory in [&corpus, &artifacts] {
        fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    let mut fuzz = Command::new(program);
    fuzz.arg(format!("-max_total_time={SECONDS}"));
    fuzz.args(["-max_len=512", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    fuzz.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(&corpus);
    let dictionary = home.join("dictionary.txt");
    if dictionary.is_file() {
        fuzz.arg(format!("-dict={}", dictionary.display()));
    }
    let seeds = home.join("seeds").join(target);
    if seeds.is_dir() {
        fuzz.arg(seeds);
    }
    let output = context.run(&mut fuzz)?;
    let runs = runs(&output).ok_or(format!("the fuzz target {target} reports no runs"))?;
    if runs < fewest(target) {
        return Err(format!("the fuzz target {target} ran {runs} times; that is too slow"));
    }
    println!("        {target}: {runs} inputs");
    Ok(1)
}

/// The names of the programs in a manifest.
fn targets(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.split("[[bin]]").skip(1).filter_map(|part| part.split('"').nth(1))
}

/// libFuzzer's closing line: `Done 3176029 runs in 9 second(s)`.
fn runs(output: &str) -> Option<u64> {
    output.lines().find_map(|line| line.strip_prefix("Done ")?.split(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_manifest_and_the_closing_line() {
        let manifest =
            "[package]\nname = \"x\"\n[[bin]]\nname = \"a\"\npath = \"p\"\n[[bin]]\nname = \"b\"\n";
        assert_eq!(targets(manifest).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(runs("x\nDone 3176029 runs in 9 second(s)\n"), Some(3_176_029));
        assert_eq!(runs("ERROR: libFuzzer: deadly signal"), None);
    }
}
