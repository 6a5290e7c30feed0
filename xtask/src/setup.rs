//! Installs what is missing and says so; silent and offline when all is there.

use std::path::{Path, PathBuf};

use barepg_testkit::provision;

use crate::bare::{self, Compiler};
use crate::bench::Client;

/// A program, and the Debian package that carries it.
const PROGRAMS: &[(&str, &str)] = &[
    ("qemu-system-arm", "qemu-system-arm"),
    ("qemu-system-riscv32", "qemu-system-misc"),
    ("cc", "gcc"),
    ("c++", "g++"),
    ("openssl", "openssl"),
    ("setpriv", "util-linux"),
    ("tar", "tar"),
];

/// Everything that the boards need: programs of the system, and `core` for the bare targets.
pub fn all() -> Result<Compiler, String> {
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| provision::which(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if !Path::new("/usr/lib/postgresql").exists() {
        packages.push("postgresql");
    }
    if !packages.is_empty() {
        let _lock = provision::Lock::take("apt")?;
        provision::apt("what the boards need", &packages)?;
    }
    provision::postgres(provision::USUAL_MAJOR)?;
    bare::compiler()
}

/// What `cargo xtask bench` needs for these clients.
pub fn bench(clients: &[Client]) -> Result<(), String> {
    provision::program("valgrind", "valgrind")?;
    provision::program("strace", "strace")?;
    if clients.contains(&Client::Libpq) {
        provision::program("cc", "gcc")?;
        provision::program("pg_config", "libpq-dev")?;
    }
    provision::postgres(provision::USUAL_MAJOR).map(|_| ())
}

/// What `cargo xtask fleet` needs.
pub fn fleet() -> Result<(), String> {
    provision::program("pgbouncer", "pgbouncer")?;
    provision::postgres(provision::USUAL_MAJOR).map(|_| ())
}

/// What `cargo xtask pico` needs besides: a JavaScript engine and the emulator, which is a package of npm's.
pub fn pico() -> Result<(PathBuf, PathBuf), String> {
    Ok((provision::program("node", "nodejs")?, provision::rp2040js()?))
}

/// What any command needs.
pub fn everything() -> Result<(), String> {
    all()?;
    pico()?;
    fleet()?;
    bench(&Client::ALL)
}
