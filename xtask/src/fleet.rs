//! `cargo xtask fleet`: many simulated devices, real servers, and what happens to them.
//!
//! A device is the driver's own client, supervised, with an outbox in a file; all of them are threads
//! of one process (`fleet/`). What was measured is in `docs/fleet/figures.toml`, from which the tables
//! of `docs/fleet.md` are made; the plots show the last run.

mod devices;
mod outcome;
mod pages;
mod recipe;
mod scenarios;
mod servers;

use crate::setup;
use outcome::Outcome;
use scenarios::SCENARIOS;

/// Devices unless the command line says otherwise.
const DEVICES: u64 = 2000;

/// Devices of the short form.
const SHORT: u64 = 50;

/// The help, with the scenarios there are.
pub fn usage() -> String {
    let mut text = "\
cargo xtask fleet [options]

Runs simulated devices against a real PgBouncer, PostgreSQL and standbys, and fails where a bar is missed.

  --devices N         how many (2000); some scenarios take fewer
  --scenario NAME     only this one
  --save              keeps figures and plots in docs/fleet, of scenarios that miss no bar

scenarios
"
    .to_string();
    for scenario in SCENARIOS {
        text.push_str(&format!("  {:18}{}\n", scenario.name, scenario.about));
    }
    for line in recipe::LINES {
        text.push_str(&format!("  {:18}{}\n", line.name, line.about));
    }
    text
}

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    devices: u64,
    scenario: Option<String>,
    save: bool,
}

impl Options {
    /// Reads the arguments after `fleet`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options { devices: DEVICES, scenario: None, save: false };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--devices" => {
                    let value = words.next().ok_or("--devices how many?")?;
                    let count = value.parse().ok().filter(|n| (2..=20_000).contains(n));
                    options.devices =
                        count.ok_or(format!("--devices: {value} is not from 2 to 20000"))?;
                }
                "--scenario" => {
                    let name = *words.next().ok_or("--scenario which?")?;
                    if !names().any(|known| known == name) {
                        return Err(format!("no scenario {name}: see cargo xtask fleet --help"));
                    }
                    options.scenario = Some(name.to_string());
                }
                "--save" => options.save = true,
                other => return Err(format!("unknown argument of fleet: {other}")),
            }
        }
        if options.save && options.devices != DEVICES {
            return Err(format!("--save goes with all {DEVICES} devices: docs/fleet.md says so"));
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.scenario.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// The names of all scenarios, in order.
fn names() -> impl Iterator<Item = &'static str> {
    let scenarios = SCENARIOS.iter().map(|scenario| scenario.name);
    scenarios.chain(recipe::LINES.iter().map(|line| line.name))
}

/// Runs the scenarios, shows what came of them, and compares with the bars. One that fails takes nothing from
/// the others.
pub fn run(options: &Options) -> Result<(), String> {
    setup::fleet()?;
    let mut missed = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| options.wants(scenario.name)) {
        let devices = options.devices.min(scenario.most);
        println!("{}: {devices} devices, {}", scenario.name, scenario.about);
        keep(options, scenario.name, (scenario.run)(devices), &mut missed)?;
    }
    for line in recipe::LINES.iter().filter(|line| options.wants(line.name)) {
        println!("{}: {}", line.name, line.about);
        keep(options, line.name, (line.run)(), &mut missed)?;
    }
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!("bars were missed:\n{}", missed.join("\n")))
    }
}

/// Shows what came of a scenario, and keeps it if that is wanted and it missed no bar.
fn keep(
    options: &Options,
    name: &str,
    outcome: Result<Outcome, String>,
    missed: &mut Vec<String>,
) -> Result<(), String> {
    let before = missed.len();
    match outcome {
        Ok(outcome) => {
            show(name, &outcome, missed);
            if options.save && missed.len() == before {
                pages::save(name, &outcome)?;
            }
        }
        Err(error) => missed.push(format!("{name}: {error}")),
    }
    missed[before..].iter().for_each(|missed| println!("    {missed}"));
    Ok(())
}

/// The short form, for the tests: how many bars were looked at.
pub fn short() -> Result<u32, String> {
    setup::fleet()?;
    let outcome = scenarios::short(SHORT)?;
    let mut missed = Vec::new();
    show("short", &outcome, &mut missed);
    if missed.is_empty() { Ok(outcome.bars) } else { Err(missed.join("\n")) }
}

/// The tables of the documentation are those of the figures. How many things were compared.
pub fn check() -> Result<u32, String> {
    pages::check()
}

fn show(name: &str, outcome: &Outcome, missed: &mut Vec<String>) {
    for (figure, value) in outcome.figures.iter() {
        println!("    {figure:22}{value:>9}");
    }
    missed.extend(outcome.missed.iter().map(|missed| format!("{name}: {missed}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_arguments() {
        let options = Options::parse(&["--devices", "50", "--scenario", "herd"]).unwrap();
        let scenario = Some("herd".to_string());
        assert_eq!(options, Options { devices: 50, scenario, save: false });
        assert!(Options::parse(&["--save"]).unwrap().save);
        assert!(Options::parse(&["--devices", "50", "--save"]).is_err());
        assert!(options.wants("herd") && !options.wants("silent"));
        assert!(Options::parse(&["--devices"]).is_err());
        assert!(Options::parse(&["--devices", "1"]).is_err());
        assert!(Options::parse(&["--scenario", "heard"]).is_err());
        assert!(Options::parse(&["--fast"]).is_err());
    }

    #[test]
    fn a_scenario_that_fails_takes_nothing_from_the_others() {
        let options = Options::parse(&[]).unwrap();
        let mut missed = Vec::new();
        keep(&options, "herd", Err("no server".to_string()), &mut missed).unwrap();
        let outcome = Outcome { missed: vec!["lost is 1".to_string()], ..Outcome::default() };
        keep(&options, "restart", Ok(outcome), &mut missed).unwrap();
        keep(&options, "silent", Ok(Outcome::default()), &mut missed).unwrap();
        assert_eq!(missed, ["herd: no server", "restart: lost is 1"]);
    }
}
