//! `cargo xtask`: everything that is done with this repository and is not `cargo build`.

mod bare;
mod setup;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  test    run every check and test; --quick: those for daily work; --verbose: show all output
  setup   install what the other commands need (they do it themselves)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["setup"] => setup::all().map(|_| ()),
        ["test", flags @ ..] if known(flags, &["--quick", "--verbose"]) => {
            test::run(flags.contains(&"--quick"), flags.contains(&"--verbose"))
        }
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

fn known(flags: &[&str], allowed: &[&str]) -> bool {
    flags.iter().all(|flag| allowed.contains(flag))
}
