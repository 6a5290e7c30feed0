//! `cargo xtask cost`: the tables and plots of `docs/cost.md`, and of README, from measured figures.
//!
//! The figures are in `docs/cost/figures.toml`; none is written by hand. The stage "figures" of the
//! tests makes tables and plots anew from them, and compares them with what is in the repository and
//! with the budgets.

mod bars;
mod boards;
mod guidance;
mod measure;
pub mod plots;
mod prose;
pub mod tables;

use std::fs;
use std::path::PathBuf;

use barepg_testkit::provision;

use crate::budgets::Budgets;

pub const USAGE: &str = "\
cargo xtask cost [options]

Draws the tables and plots of docs/cost.md and README.md from docs/cost/figures.toml.

  --measure           measures all figures anew first; takes some minutes
  --only GROUP        of these: cortex-m3 (instructions), flash (of the driver alone), growth (of a
                      unit with more and more of them), boards (whole images), heap (what the bench's
                      clients allocate), host (the bench)
  --bars              prints what was set out to be reached, beside what is
  --check             changes nothing: an error where a table or plot is not that of the figures
";

/// The file of the figures, from the root of the repository.
const FIGURES: &str = "docs/cost/figures.toml";
/// Files with tables, each between a line `<!-- table NAME -->` and one `<!-- end -->`.
const PAGES: [&str; 2] = ["docs/cost.md", "README.md"];

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    measure: bool,
    only: Option<&'static str>,
    check: bool,
    bars: bool,
}

impl Options {
    /// Reads the arguments after `cost`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--measure" => options.measure = true,
                "--only" => {
                    let name = words.next().ok_or("--only which group?")?;
                    let group = measure::GROUPS.into_iter().find(|group| group == name);
                    let known = measure::GROUPS.join(", ");
                    options.only =
                        Some(group.ok_or(format!("no group {name}; there are: {known}"))?);
                }
                "--check" => options.check = true,
                "--bars" => options.bars = true,
                other => return Err(format!("unknown argument of cost: {other}")),
            }
        }
        Ok(options)
    }
}

pub fn run(options: &Options) -> Result<(), String> {
    if options.measure {
        write(FIGURES, &measure::all(&figures()?, options.only)?)?;
    }
    if options.bars {
        let figures = figures()?;
        let (met, all) = bars::count(&figures);
        println!("{}\n{met} of {all} are met", bars::table(&figures));
        return Ok(());
    }
    if options.check {
        return check()
            .map(|count| println!("{count} tables, plots and figures are as they must be"));
    }
    let figures = figures()?;
    for (path, text) in made(&figures)? {
        write(&path, &text)?;
    }
    Ok(())
}

/// Compares what is in the repository with the figures, and the figures with the budgets. How many
/// things were compared.
pub fn check() -> Result<u32, String> {
    let figures = figures()?;
    let mut wrong = String::new();
    let mut compared = 0;
    for (path, text) in made(&figures)? {
        compared += 1;
        if read(&path)? != text {
            wrong.push_str(&format!("{path} is not what the figures say: cargo xtask cost\n"));
        }
    }
    match prose::check(&figures, &read) {
        Ok(sentences) => compared += sentences,
        Err(error) => wrong.push_str(&error),
    }
    let budgets = Budgets::read()?;
    for section in measure::BUDGETED {
        for (name, limit) in budgets.section(section)? {
            compared += 1;
            match figures.get(section, name) {
                Some(value) if value <= limit => {}
                Some(value) => wrong.push_str(&format!(
                    "{FIGURES}: {section}.{name} is {value}, its budget {limit}: \
                     cargo xtask cost --measure\n"
                )),
                None => wrong.push_str(&format!("{FIGURES} has no {section}.{name}\n")),
            }
        }
    }
    if wrong.is_empty() { Ok(compared) } else { Err(wrong) }
}

fn figures() -> Result<Budgets, String> {
    Budgets::read_file(&provision::root().join(FIGURES))
}

/// All files that are made of the figures, by path from the root.
fn made(figures: &Budgets) -> Result<Vec<(String, String)>, String> {
    let mut files = plots::all(figures)?;
    for page in PAGES {
        let text =
            tables::fill(&read(page)?, figures).map_err(|error| format!("{page}: {error}"))?;
        files.push((page.to_string(), text));
    }
    Ok(files)
}

fn path(name: &str) -> PathBuf {
    provision::root().join(name)
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(path(name)).map_err(|error| format!("{name}: {error}"))
}

fn write(name: &str, text: &str) -> Result<(), String> {
    fs::write(path(name), text).map_err(|error| format!("{name}: {error}"))
}
