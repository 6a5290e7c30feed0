//! The client programs of `bench/`, and how they are built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use barepg_testkit::provision::{self, run};

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// Bytes made beforehand, answers cut into messages: what cannot be undercut.
    Floor,
    /// The driver.
    Barepg,
    /// PostgreSQL's own library.
    Libpq,
    /// rust-postgres.
    Postgres,
    /// tokio-postgres.
    Tokio,
    /// sqlx.
    Sqlx,
}

impl Client {
    /// All of them, in the order of the table.
    pub const ALL: [Client; 6] = [
        Client::Floor,
        Client::Barepg,
        Client::Libpq,
        Client::Postgres,
        Client::Tokio,
        Client::Sqlx,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Client::Floor => "floor",
            Client::Barepg => "barepg",
            Client::Libpq => "libpq",
            Client::Postgres => "postgres",
            Client::Tokio => "tokio",
            Client::Sqlx => "sqlx",
        }
    }

    /// The client of that name.
    pub fn find(name: &str) -> Result<Client, String> {
        Client::ALL.into_iter().find(|client| client.name() == name).ok_or_else(|| {
            let names = Client::ALL.map(Client::name);
            format!("no client {name}; there are: {}", names.join(", "))
        })
    }

    /// The package and the program in the workspace; libpq's is no Rust.
    const fn package(self) -> Option<(&'static str, &'static str)> {
        match self {
            Client::Floor => Some(("bench-floor", "bench-floor")),
            Client::Barepg => Some(("bench-barepg", "bench-barepg")),
            Client::Libpq => None,
            Client::Postgres => Some(("bench-peers", "postgres")),
            Client::Tokio => Some(("bench-peers", "tokio")),
            Client::Sqlx => Some(("bench-sqlx", "bench-sqlx")),
        }
    }
}

/// A program, ready to run.
pub struct Program {
    pub client: Client,
    pub path: PathBuf,
}

/// The directory for programs and for what callgrind writes.
pub fn target() -> PathBuf {
    workspace().join("target")
}

/// Builds the programs. Each package alone: together they would share the features of their
/// dependencies.
pub fn build(clients: &[Client]) -> Result<Vec<Program>, String> {
    clients
        .iter()
        .map(|&client| {
            let path = match client.package() {
                Some((package, program)) => cargo(package, program)?,
                None => libpq()?,
            };
            Ok(Program { client, path })
        })
        .collect()
}

/// barepg's program for works that grow.
pub fn growth() -> Result<Program, String> {
    Ok(Program { client: Client::Barepg, path: cargo("bench-barepg", "bench-growth")? })
}

/// The works of `boards/counted` on this machine.
pub fn replay() -> Result<PathBuf, String> {
    cargo("bench-replay", "bench-replay")
}

fn workspace() -> PathBuf {
    provision::root().join("bench")
}

fn cargo(package: &str, program: &str) -> Result<PathBuf, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["build", "--release", "--quiet", "--package", package, "--bin", program]);
    command.current_dir(workspace()).env("CARGO_TARGET_DIR", target());
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    run(&mut command)?;
    Ok(target().join("release").join(program))
}

fn libpq() -> Result<PathBuf, String> {
    let from_config = |what: &str| run(Command::new("pg_config").arg(what));
    let (include, lib) = (from_config("--includedir")?, from_config("--libdir")?);
    let program = target().join("libpq");
    fs::create_dir_all(target()).map_err(|error| format!("{}: {error}", target().display()))?;
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-I", include.trim()]);
    cc.arg(workspace().join("libpq/libpq.c")).arg("-L").arg(Path::new(lib.trim()));
    cc.args(["-lpq", "-o"]).arg(&program);
    run(&mut cc)?;
    Ok(program)
}
