//! openGauss clients written by others, from PyPI: `py-opengauss` and `async-gaussdb`. They
//! prove the front faithful. Installed once into a virtual environment below `target`, at pinned
//! versions; afterwards no network is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::provision::{self, Lock, run};

/// The clients, pinned.
const PACKAGES: &[&str] = &["py-opengauss==1.3.11", "async-gaussdb==0.30.4"];

/// The Python of an environment in which the clients can be imported.
pub fn python() -> Result<PathBuf, String> {
    let wanted = PACKAGES.join("\n");
    let _lock = Lock::take("gauss-clients")?;
    let home = provision::cache()?.join("gauss-clients");
    let python = home.join("bin").join("python3");
    let mark = home.join("complete");
    if fs::read_to_string(&mark).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&home);
    let system = provision::program("python3", "python3")?;
    if let Err(error) = environment(&system, &home) {
        // Debian keeps the module apart.
        provision::apt("Python's venv", &["python3-venv"])
            .map_err(|apt| format!("{error}\n{apt}"))?;
        let _ = fs::remove_dir_all(&home);
        environment(&system, &home)?;
    }
    eprintln!("getting {} from PyPI", PACKAGES.join(" and "));
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
    run(&mut pip)?;
    fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))?;
    Ok(python)
}

/// Runs a Python program with the clients at hand and returns what it printed. Panics with all
/// that it said if it fails.
pub fn run_python(program: &str, arguments: &[&str]) -> String {
    let python = python().unwrap_or_else(|error| panic!("Python clients: {error}"));
    let mut command = Command::new(python);
    // -I: no user packages, no PYTHON* variables.
    command.args(["-I", "-c", program]).args(arguments);
    command.env_remove("PGPASSWORD").env_remove("PGHOST").env_remove("PGPORT");
    run(&mut command).unwrap_or_else(|error| panic!("{error}"))
}

fn environment(system: &Path, home: &Path) -> Result<(), String> {
    run(Command::new(system).args(["-m", "venv"]).arg(home)).map(|_| ())
}
