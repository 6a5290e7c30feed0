//! The stages that see the crates as their users do: with the oldest compiler they promise, and
//! from a project outside the repository.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use barepg_testkit::provision::{root, run, which};
use barepg_testkit::scratch::Scratch;

use super::rules::read;
use super::{Checked, Context, gateway};
use crate::bare::Compiler;
use crate::boards;
use crate::budgets::Budgets;
use crate::copy::copy;
use crate::elf::Image;

/// The crates that are published, and their manifests.
const PUBLISHED: &[(&str, &str)] = &[
    ("barepg-derive", "derive/Cargo.toml"),
    ("barepg", "Cargo.toml"),
    ("barepg-transport-tests", "transports/tests/Cargo.toml"),
    ("barepg-smoltcp", "transports/smoltcp/Cargo.toml"),
    ("barepg-w5500", "transports/w5500/Cargo.toml"),
];

/// A project to copy.
struct Project {
    /// Its folder, below `boards`.
    folder: &'static str,
    /// Its program, and the section of `budgets.toml`.
    program: &'static str,
    budget: &'static str,
    target: &'static str,
    /// Arguments of cargo: which of several programs or chips.
    arguments: &'static [&'static str],
}

const PROJECTS: &[Project] = &[
    Project::new("template", "my-board", "thumbv7m-none-eabi"),
    Project::new("pico-w5500", "pico-w5500", "thumbv6m-none-eabi"),
    Project {
        budget: "pico-w5500-without-tls",
        arguments: &["--no-default-features", "--features", "pico"],
        ..Project::new("pico-w5500", "pico-w5500", "thumbv6m-none-eabi")
    },
    Project {
        budget: "pico2-w5500",
        arguments: &["--no-default-features", "--features", "pico2,tls"],
        ..Project::new("pico-w5500", "pico-w5500", "thumbv8m.main-none-eabihf")
    },
    Project::new("nucleo-h743", "nucleo-h743", "thumbv7em-none-eabihf"),
    Project {
        budget: "nucleo-h743-rtic",
        arguments: &["--no-default-features", "--features", "rtic"],
        ..Project::new("nucleo-h743", "nucleo-h743-rtic", "thumbv7em-none-eabihf")
    },
    Project::new("nucleo-h743-serial", "nucleo-h743-serial", "thumbv7em-none-eabihf"),
    Project {
        budget: "nucleo-h743-modem",
        arguments: &["--features", "modem"],
        ..Project::new("nucleo-h743-serial", "nucleo-h743-serial", "thumbv7em-none-eabihf")
    },
    Project::new("nucleo-h743-embassy", "nucleo-h743-embassy", "thumbv7em-none-eabihf"),
    Project::new("esp32c3-wifi", "esp32c3-wifi", "riscv32imc-unknown-none-elf"),
    Project::new("gateway", "gateway", "aarch64-unknown-linux-musl"),
];

/// The folders of the projects to copy, below the repository's root.
pub fn folders() -> impl Iterator<Item = String> {
    let first = PROJECTS.iter().filter(|project| project.arguments.is_empty());
    first.map(|project| format!("boards/{}", project.folder))
}

impl Project {
    const fn new(folder: &'static str, program: &'static str, target: &'static str) -> Self {
        Self { folder, program, budget: folder, target, arguments: &[] }
    }
}

/// Every crate that is published compiles, with all features, on the Rust version its manifest
/// promises. That compiler comes from rustup; where rustup cannot get it, the stage says so, and checks
/// that no dependency promises less.
pub fn oldest_compiler(context: &Context) -> Checked {
    let mut checked = 0;
    for (name, manifest) in PUBLISHED {
        let text = read(&root().join(manifest))?;
        let version = promised(&text).ok_or(format!("{manifest} promises no Rust version"))?;
        let toolchain = format!("{version}.0");
        if let Err(error) = obtain(context, &toolchain) {
            println!("        {name}: Rust {version} is not available here: {error}");
            checked += dependencies(context, name, version)?;
            continue;
        }
        // Not through a cargo of another version: rustup chooses both by the first word.
        let mut command = Command::new("cargo");
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").current_dir(root());
        command.env("CARGO_TARGET_DIR", root().join("target").join(format!("rust-{version}")));
        command.args([&format!("+{toolchain}"), "check", "--lib", "--all-features"]);
        context.run(command.args(["--package", name]))?;
        checked += 1;
    }
    Ok(checked)
}

/// Gets a toolchain, if it is not there.
fn obtain(context: &Context, toolchain: &str) -> Result<(), String> {
    let rustup = which("rustup").ok_or("rustup is not installed")?;
    let installed = context.run(Command::new(&rustup).args(["toolchain", "list"]))?;
    if installed.lines().any(|line| line.starts_with(&format!("{toolchain}-"))) {
        return Ok(());
    }
    println!("        installing Rust {toolchain}");
    let install = ["toolchain", "install", "--profile", "minimal", toolchain];
    let result = context.run(Command::new(&rustup).args(install));
    result.map(|_| ()).map_err(|error| error.lines().next().unwrap_or("").to_string())
}

/// `rust-version` of a manifest.
fn promised(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""))?;
    line.strip_suffix('"')
}

/// No dependency needs a newer Rust than is promised; how many say what they need.
fn dependencies(context: &Context, name: &str, version: &str) -> Checked {
    let list = ["tree", "--package", name, "--all-features", "--edges", "normal"];
    let mut command = context.cargo(&list);
    command.args(["--prefix", "none", "--format", "{p} needs {rust-version}", "--target", "all"]);
    newest(&context.run(&mut command)?, version)
}

fn newest(tree: &str, version: &str) -> Checked {
    let number = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??))
    };
    let most = number(version).ok_or(format!("not a version: {version}"))?;
    let mut checked = 0;
    for line in tree.lines() {
        let Some((package, needs)) = line.split_once(" needs ") else { continue };
        let Some(needs) = number(needs) else { continue };
        if needs > most {
            return Err(format!("{package} needs Rust {}.{}, not {version}", needs.0, needs.1));
        }
        checked += 1;
    }
    Ok(checked)
}

/// The projects to copy, in a directory outside the repository: they build there, their flash and RAM are
/// within budget, and the gateway runs.
pub fn projects(context: &Context) -> Checked {
    let budgets = Budgets::read()?;
    let mut checked = 0;
    let mut over = String::new();
    for project in PROJECTS {
        context.compiler.obtain(project.target)?;
        let image = Image::read(&project.build(&context.compiler, project.target)?)?;
        let figures =
            [("flash", u64::from(image.flash())), ("static_ram", u64::from(image.static_ram()))];
        let [(_, flash), (_, ram)] = figures;
        println!("        {}: flash {flash}, static RAM {ram}", project.budget);
        match budgets.compare(project.budget, &figures) {
            Ok(count) => checked += 1 + count,
            Err(error) => over.push_str(&error),
        }
    }
    if !over.is_empty() {
        return Err(over);
    }
    let host = context.host()?;
    let gateway = PROJECTS.iter().find(|project| project.folder == "gateway");
    let program = gateway.ok_or("no gateway")?.build(&context.compiler, &host)?;
    Ok(checked + gateway::run(&program)?)
}

/// The image of a project to copy, by the name of its budget.
pub fn image(compiler: &Compiler, budget: &str) -> Result<PathBuf, String> {
    let project = PROJECTS.iter().find(|project| project.budget == budget);
    let project = project.ok_or(format!("no project {budget}"))?;
    compiler.obtain(project.target)?;
    project.build(compiler, project.target)
}

impl Project {
    /// Does what the project's comments tell a user to do, but with the crates of this repository.
    fn build(&self, compiler: &Compiler, target: &str) -> Result<PathBuf, String> {
        let scratch = Scratch::new("barepg-project", "").map_err(|e| format!("scratch: {e}"))?;
        copy(&root().join("boards").join(self.folder), scratch.path())?;
        let path = scratch.path().join("Cargo.toml");
        let here = format!("path = \"{}", root().display());
        let manifest = read(&path)?.replace("path = \"../..", &here);
        fs::write(&path, manifest).map_err(|error| format!("{}: {error}", path.display()))?;
        let directory = root().join("boards").join("target").join("template");
        let mut command = compiler.cargo();
        command.args(["build", "--release", "--target", target, "--bin", self.program]);
        command.args(self.arguments);
        boards::workspace(&mut command);
        command.current_dir(scratch.path()).env("CARGO_TARGET_DIR", &directory);
        run(&mut command)?;
        Ok(directory.join(target).join("release").join(self.program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_crate_promises_a_compiler() {
        for (name, manifest) in PUBLISHED {
            let text = read(&root().join(manifest)).unwrap();
            assert!(text.contains(&format!("name = \"{name}\"")), "{manifest}");
            assert!(promised(&text).is_some(), "{manifest}");
        }
    }

    /// What the boards do is one program, in a file of each folder.
    #[test]
    fn the_logger_is_the_same_in_every_folder() {
        let mut loggers = PROJECTS.iter().filter_map(|project| {
            let path = root().join("boards").join(project.folder).join("src/logger.rs");
            fs::read_to_string(path).ok().map(|text| (project.folder, text))
        });
        let (_, first) = loggers.next().unwrap();
        for (folder, text) in loggers {
            assert!(text == first, "boards/{folder}/src/logger.rs differs");
        }
    }

    /// A folder that no stage builds rots.
    #[test]
    fn every_folder_to_copy_is_built() {
        let workspace = read(&root().join("boards/Cargo.toml")).unwrap();
        let (_, rest) = workspace.split_once("exclude = [").unwrap();
        let (list, _) = rest.split_once(']').unwrap();
        for folder in list.split('"').skip(1).step_by(2) {
            assert!(PROJECTS.iter().any(|project| project.folder == folder), "{folder}");
        }
    }

    #[test]
    fn a_dependency_may_not_need_more() {
        let tree = "barepg v0.1.0 (/x) needs 1.88\nsha2 v0.10.9 needs 1.72\nsubtle v2.6.1 needs \n";
        assert_eq!(newest(tree, "1.88"), Ok(2));
        assert!(newest(tree, "1.87").unwrap_err().contains("barepg v0.1.0"));
    }
}
