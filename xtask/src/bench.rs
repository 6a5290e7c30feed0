//! `cargo xtask bench`: the same works by barepg and its peers, in instructions of the client.
//!
//! Each program of `bench/` does each work under callgrind at two sizes, against one private
//! PostgreSQL; the slope between the two is what a unit costs. Start-up and login cancel out.

mod measure;
mod programs;
mod report;
mod server;
mod works;

use std::path::PathBuf;
use std::time::Instant;

use crate::budgets::Budgets;
use crate::setup;
use measure::{Costs, Halves, Plan};
pub use measure::{Heap, Heaps, IN_MEMORY, total};
pub use programs::Client;
use report::Musts;
pub use works::{GROWTH, Growth, SIZES, WORKS as ALL_WORKS};
use works::{SIZED, WORKS, Work};

/// The help, with the works and clients there are.
pub fn usage() -> String {
    let works: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
    let clients: Vec<&str> = Client::ALL.iter().map(|client| client.name()).collect();
    format!(
        "\
cargo xtask bench [options]

Instructions of barepg, a floor, libpq, rust-postgres, tokio-postgres and sqlx for the same works,
side by side; an error where barepg misses a must of budgets.toml.

  --quick             barepg and the floor, smaller sizes
  --only NAME         one work: {}
  --client NAME       one client: {}
  --memory            what a unit takes from the heap, and the most at once, in place of instructions
  --growth            barepg alone, with more and more of rows, columns, parameters, bytes of a value,
                      notifications: an error where the second half costs more a unit than the first
",
        works.join(", "),
        clients.join(", ")
    )
}

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    only: Option<String>,
    client: Option<Client>,
    quick: bool,
    growth: bool,
    memory: bool,
}

impl Options {
    /// Reads the arguments after `bench`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => options.quick = true,
                "--growth" => options.growth = true,
                "--memory" => options.memory = true,
                "--only" => {
                    let name = words.next().ok_or("--only which work?")?;
                    if !WORKS.iter().any(|work| work.name == *name) {
                        let names: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
                        return Err(format!("no work {name}; there are: {}", names.join(", ")));
                    }
                    options.only = Some(name.to_string());
                }
                "--client" => {
                    let name = words.next().ok_or("--client which program?")?;
                    options.client = Some(Client::find(name)?);
                }
                other => return Err(format!("unknown argument of bench: {other}")),
            }
        }
        Ok(options)
    }

    fn clients(&self) -> Vec<Client> {
        match self.client {
            Some(client) => vec![client],
            None if self.quick => vec![Client::Floor, Client::Barepg],
            None => Client::ALL.to_vec(),
        }
    }

    fn works(&self) -> Vec<&'static Work> {
        let wanted = |work: &&Work| self.only.as_deref().is_none_or(|name| name == work.name);
        WORKS.iter().filter(wanted).collect()
    }
}

/// As `cargo xtask bench --quick --client barepg`: what can be gated on every change. The number of
/// works that were compared.
pub fn barepg_alone() -> Result<u32, String> {
    let options = Options { client: Some(Client::Barepg), quick: true, ..Options::default() };
    let (costs, musts) = measured(&options)?;
    let compared = report::check(&costs, &musts)?;
    Ok(compared.try_into().unwrap_or(u32::MAX))
}

/// Every work with every client, and those of barepg with buffers of several sizes.
pub fn everything() -> Result<Costs, String> {
    let options = Options::default();
    let (clients, mut works) = (options.clients(), options.works());
    setup::bench(&clients)?;
    let programs = programs::build(&clients)?;
    let server = server::start()?;
    works.extend(SIZED);
    let plan = Plan { programs: &programs, works: &works, quick: false, server: &server };
    measure::instructions(&plan)
}

/// What every client takes from the heap.
pub fn memory() -> Result<Heaps, String> {
    memory_of(&Options::default())
}

fn memory_of(options: &Options) -> Result<Heaps, String> {
    let (clients, works) = (options.clients(), options.works());
    setup::bench(&clients)?;
    let programs = programs::build(&clients)?;
    let server = server::start()?;
    let plan = Plan { programs: &programs, works: &works, quick: true, server: &server };
    measure::heap(&plan)
}

/// The program that needs no server, built.
pub fn replay() -> Result<PathBuf, String> {
    setup::bench(&[Client::Barepg])?;
    programs::replay()
}

/// What grows, measured; an error where it is not linear.
pub fn growth() -> Result<Halves, String> {
    setup::bench(&[Client::Barepg])?;
    let halves = measure::growth(&programs::growth()?, &server::start()?)?;
    let (text, linear) = report::growth(&halves);
    print!("{text}");
    linear.map(|_| halves)
}

/// Builds the programs, measures, prints the table. An error when barepg misses a "must".
pub fn run(options: &Options) -> Result<(), String> {
    if options.growth {
        return growth().map(|halves| println!("all {} are linear", halves.len()));
    }
    if options.memory {
        print!("{}", report::memory(&options.clients(), &memory_of(options)?));
        return Ok(());
    }
    let begun = Instant::now();
    let (costs, musts) = measured(options)?;
    println!("\nall of it in {:.0} s", begun.elapsed().as_secs_f32());
    let compared = report::check(&costs, &musts)?;
    println!("barepg keeps within its must in {compared} works");
    Ok(())
}

fn measured(options: &Options) -> Result<(Costs, Musts), String> {
    let (clients, works) = (options.clients(), options.works());
    let musts = report::musts(&Budgets::read()?)?;
    setup::bench(&clients)?;
    let programs = programs::build(&clients)?;
    let server = server::start()?;
    let plan = Plan { programs: &programs, works: &works, quick: options.quick, server: &server };
    let costs = measure::instructions(&plan)?;
    print!("{}", report::table(&clients, &works, &costs, &musts));
    match measure::system_calls(&plan) {
        Ok(calls) => print!("{}", report::system_calls(&calls)),
        Err(error) => println!("\nsystem calls: strace does not work here: {error}"),
    }
    Ok((costs, musts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_or_refused() {
        let options = Options::parse(&["--only", "prepared", "--client", "libpq"]).unwrap();
        assert_eq!(options.clients(), [Client::Libpq]);
        assert_eq!(options.works().len(), 1);
        let quick = Options::parse(&["--quick"]).unwrap();
        assert_eq!(quick.clients(), [Client::Floor, Client::Barepg]);
        assert_eq!(quick.works().len(), WORKS.len());
        for wrong in [&["--only"][..], &["--only", "x"], &["--client", "x"], &["--fast"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
