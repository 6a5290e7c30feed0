//! `cargo xtask`: everything that is done with this repository and is not `cargo build`.

mod bare;
mod bench;
mod bill;
mod boards;
mod budgets;
mod copy;
mod cost;
mod cuts;
mod demo;
mod documents;
mod elf;
mod existing;
mod fleet;
mod layers;
mod measure;
mod pico;
mod plugin;
mod plugs;
mod provisioning;
mod proxy;
mod qemu;
mod regressions;
mod setup;
mod shows;
mod test;

use std::process::ExitCode;

/// One command of `cargo xtask`.
struct Command {
    name: &'static str,
    /// What it does, for the list of commands.
    about: &'static str,
    usage: fn() -> String,
    /// Whether it would take these arguments.
    check: fn(&[&str]) -> Result<(), String>,
    run: fn(&[&str]) -> Result<(), String>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        about: "run a board against a real PostgreSQL and show what it costs",
        usage: demo::usage,
        check: |words| demo::Options::parse(words).map(|_| ()),
        run: |words| demo::run(&demo::Options::parse(words)?),
    },
    Command {
        name: "test",
        about: "run every check and test",
        usage: test::usage,
        check: |words| test::Options::parse(words).map(|_| ()),
        run: |words| test::run(&test::Options::parse(words)?),
    },
    Command {
        name: "layers",
        about: "check which modules of the driver import which",
        usage: || "cargo xtask layers\n\nChecks which modules of the driver import which.\n".into(),
        check: |words| none("layers", words),
        run: |words| {
            none("layers", words)?;
            layers::check().map(|count| println!("{count} imports, all downwards"))
        },
    },
    Command {
        name: "bench",
        about: "instructions of barepg beside libpq, rust-postgres, tokio-postgres, sqlx",
        usage: bench::usage,
        check: |words| bench::Options::parse(words).map(|_| ()),
        run: |words| bench::run(&bench::Options::parse(words)?),
    },
    Command {
        name: "bill",
        about: "what is in a firmware image, yours too, and what grew",
        usage: || bill::USAGE.into(),
        check: |words| bill::Options::parse(words).map(|_| ()),
        run: |words| bill::run(&bill::Options::parse(words)?),
    },
    Command {
        name: "cost",
        about: "draw the tables and plots of docs/cost.md, after measuring",
        usage: || cost::USAGE.into(),
        check: |words| cost::Options::parse(words).map(|_| ()),
        run: |words| cost::run(&cost::Options::parse(words)?),
    },
    Command {
        name: "regressions",
        about: "make the driver worse on purpose, and see that the budgets notice",
        usage: || regressions::USAGE.into(),
        check: |words| regressions::Options::parse(words).map(|_| ()),
        run: |words| regressions::run_all(&regressions::Options::parse(words)?),
    },
    Command {
        name: "cuts",
        about: "cut links at random bytes, and compare what the driver says with the table",
        usage: || cuts::USAGE.into(),
        check: |words| cuts::Options::parse(words).map(|_| ()),
        run: |words| cuts::run(&cuts::Options::parse(words)?),
    },
    Command {
        name: "plugs",
        about: "pull the plug of emulated boards at random moments while they log readings",
        usage: || plugs::USAGE.into(),
        check: |words| plugs::Options::parse(words).map(|_| ()),
        run: |words| plugs::run(&plugs::Options::parse(words)?),
    },
    Command {
        name: "pico",
        about: "run the Raspberry Pi Pico's firmware image in an emulator of its chip",
        usage: || pico::USAGE.into(),
        check: |words| none("pico", words),
        run: |words| {
            none("pico", words)?;
            pico::run()
        },
    },
    Command {
        name: "fleet",
        about: "many simulated devices, real servers, and what happens to them",
        usage: fleet::usage,
        check: |words| fleet::Options::parse(words).map(|_| ()),
        run: |words| fleet::run(&fleet::Options::parse(words)?),
    },
    Command {
        name: "pairs",
        about: "compile every pair of features alone, here and for a bare target",
        usage: || {
            "cargo xtask pairs\n\nCompiles every feature and every pair of features alone, which takes many minutes.\n".into()
        },
        check: |words| none("pairs", words),
        run: |words| {
            none("pairs", words)?;
            test::every_pair()
        },
    },
    Command {
        name: "provision",
        about: "make what gives devices their server, user, login keys and root certificate",
        usage: || provisioning::USAGE.into(),
        check: |words| provisioning::Options::parse(words).map(|_| ()),
        run: |words| provisioning::run(&provisioning::Options::parse(words)?),
    },
    Command {
        name: "setup",
        about: "install what the other commands need (they do it themselves)",
        usage: || "cargo xtask setup\n\nInstalls what the other commands need.\n".into(),
        check: |words| none("setup", words),
        run: |words| {
            none("setup", words)?;
            setup::everything()
        },
    },
];

fn none(command: &str, words: &[&str]) -> Result<(), String> {
    words.first().map_or(Ok(()), |word| Err(format!("unknown argument of {command}: {word}")))
}

/// The number after `word`.
fn number(word: &str, words: &mut std::slice::Iter<'_, &str>) -> Result<u64, String> {
    let value = words.next().ok_or(format!("{word} what?"))?;
    value.parse().map_err(|_| format!("{word}: {value} is no number"))
}

fn usage() -> String {
    let mut text = "cargo xtask <command>\n\n".to_string();
    for command in COMMANDS {
        text.push_str(&format!("  {:13}{}\n", command.name, command.about));
    }
    text.push_str("\ncargo xtask <command> --help shows its options\n");
    text
}

fn is_help(word: &str) -> bool {
    matches!(word, "--help" | "-h" | "help")
}

/// The help that the words ask for, if they do.
fn help(words: &[&str]) -> Option<String> {
    let command = |name: &str| COMMANDS.iter().find(|command| command.name == name);
    match words {
        [] => Some(usage()),
        [word] if is_help(word) => Some(usage()),
        [word, name] if is_help(word) => command(name).map(|command| (command.usage)()),
        [name, rest @ ..] if rest.iter().any(|word| matches!(*word, "--help" | "-h")) => {
            command(name).map(|command| (command.usage)())
        }
        _ => None,
    }
}

/// Whether `cargo xtask` would take these words.
fn takes(words: &[&str]) -> Result<(), String> {
    if help(words).is_some() {
        return Ok(());
    }
    let (name, rest) = words.split_first().ok_or("nothing")?;
    let command = COMMANDS.iter().find(|command| command.name == *name);
    (command.ok_or(format!("no command {name}"))?.check)(rest)
}

fn run(words: &[&str]) -> Result<(), String> {
    if let Some(text) = help(words) {
        print!("{text}");
        return Ok(());
    }
    let (name, rest) = words.split_first().map_or(("", words), |(name, rest)| (*name, rest));
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(format!("unknown command: {}\n\n{}", words.join(" "), usage()));
    };
    (command.run)(rest)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_help() {
        for command in COMMANDS {
            for words in [[command.name, "--help"], [command.name, "-h"], ["help", command.name]] {
                let text = help(&words).unwrap_or_default();
                let line = format!("cargo xtask {}", command.name);
                assert!(text.starts_with(&line) && text.ends_with('\n'), "{words:?}: {text}");
            }
            assert!(usage().contains(command.about));
        }
        assert_eq!(help(&["test", "--quick"]), None);
        assert_eq!(help(&["tset", "--help"]), None);
        assert!(run(&["layers", "--now"]).unwrap_err().contains("--now"));
        assert!(run(&["tset"]).unwrap_err().contains("  demo "));
    }

    /// These folders are workspaces of their own, without a package named xtask.
    #[test]
    fn runs_from_the_folders_that_are_worked_in() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for folder in ["boards", "bench", "fuzz", "xtask", "src/types"] {
            let mut cargo = std::process::Command::new(env!("CARGO"));
            let output = cargo.args(["xtask", "help"]).current_dir(root.join(folder)).output();
            let output = output.expect("cargo runs");
            assert!(output.stdout.starts_with(b"cargo xtask <command>"), "{folder}: {output:?}");
        }
    }
}
