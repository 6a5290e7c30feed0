//! `cargo xtask cuts`: links cut at random bytes, as many as are asked for.

use std::process::Command;

use barepg_testkit::provision;

use crate::number;

/// The help.
pub const USAGE: &str = "\
cargo xtask cuts [options]

Cuts links at random bytes, and compares what the driver says with the table.

  --links N           how many (1000)
  --seed S            of the random numbers (1)
";

/// Links unless the command line says otherwise.
const LINKS: u64 = 1000;

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    links: u64,
    seed: u64,
}

impl Options {
    /// Reads the arguments after `cuts`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options { links: LINKS, seed: 1 };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--links" => options.links = number(word, &mut words)?,
                "--seed" => options.seed = number(word, &mut words)?,
                other => return Err(format!("unknown argument of cuts: {other}")),
            }
        }
        Ok(options)
    }
}

/// Runs the tests that cut links and power, and shows what they print.
pub fn run(options: &Options) -> Result<(), String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["test", "--package", "barepg", "--features", "std,outbox"]);
    command.args(["--test", "outcomes", "--test", "outbox"]);
    command.args(["cuts::", "--", "--nocapture"]).current_dir(provision::root());
    command.env("BAREPG_CUTS", options.links.to_string());
    command.env("BAREPG_SEED", options.seed.to_string());
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("an outcome was wrong".to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_arguments() {
        assert_eq!(Options::parse(&[]), Ok(Options { links: 1000, seed: 1 }));
        let options = Options::parse(&["--seed", "7", "--links", "30"]);
        assert_eq!(options, Ok(Options { links: 30, seed: 7 }));
        assert!(Options::parse(&["--links"]).is_err());
        assert!(Options::parse(&["--links", "x"]).is_err());
        assert!(Options::parse(&["--cuts"]).is_err());
    }
}
