//! `cargo xtask`: everything that is done with this repository and is not `cargo build`.

mod bare;
mod bench;
mod boards;
mod budgets;
mod cuts;
mod demo;
mod elf;
mod elsewhere;
mod layers;
mod measure;
mod plugin;
mod proxy;
mod qemu;
mod setup;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  demo    run a board against a real PostgreSQL and show what it costs
          --board NAME        one of boards/ (qemu-lm3s6965)
          --server CONNINFO   an existing server instead of a private one, keyword=value;
                              nothing stays there
          --tls               over TLS, the server's certificate verified
          --opengauss         an openGauss front before the private server
          --keys              with login keys instead of a password (openGauss)
  test    run every check and test
          --quick             those for daily work
          --only STAGE        those whose name has this in it
          --verbose           show all output
          --list              the names of the stages
  layers  check which modules of the driver import which
  bench   instructions of barepg, a floor, libpq, rust-postgres and tokio-postgres for the same
          works, side by side; an error where barepg misses a must of budgets.toml
          --quick             barepg and the floor, smaller sizes
          --only NAME         one work
          --client NAME       one client
  cuts    cut links at random bytes, and compare what the driver says with the table
          --links N           how many (1000)
          --seed S            of the random numbers (1)
  setup   install what the other commands need (they do it themselves)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo", rest @ ..] => demo::Options::parse(rest).and_then(|options| demo::run(&options)),
        ["layers"] => layers::check().map(|count| println!("{count} imports, all downwards")),
        ["bench", rest @ ..] => {
            bench::Options::parse(rest).and_then(|options| bench::run(&options))
        }
        ["setup"] => setup::everything(),
        ["cuts", rest @ ..] => cuts::Options::parse(rest).and_then(|options| cuts::run(&options)),
        ["test", rest @ ..] => test::Options::parse(rest).and_then(|options| test::run(&options)),
        ["help" | "--help" | "-h"] | [] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(format!("unknown command: {}\n\n{USAGE}", words.join(" "))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
