//! NIST's Public Key Interoperability Test Suite, as the package `cryptography-vectors` of PyPI
//! carries it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::provision::{self, Lock};

const VERSION: &str = "45.0.7";
/// SHA-256 of the archive.
const ARCHIVE: &str = "b05f4529ce874caf45ce12ad349eac0a2ea57f74d44997aef4d8c3dbc3d5621d";

/// The directory with the certificates, in DER. Gets them if they are not there.
pub fn certificates() -> Result<PathBuf, String> {
    let _lock = Lock::take("pkits")?;
    let home = provision::cache()?.join(format!("cryptography-vectors-{VERSION}"));
    let certificates = home.join("cryptography_vectors/x509/PKITS_data/certs");
    if home.join("complete").exists() {
        return Ok(certificates);
    }
    let pip = provision::program("pip3", "python3-pip")?;
    eprintln!("getting PKITS from PyPI: cryptography-vectors {VERSION}");
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let package = format!("cryptography-vectors=={VERSION}");
    provision::run(Command::new(pip).current_dir(&home).args([
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        &package,
    ]))?;
    let wheel = format!("cryptography_vectors-{VERSION}-py2.py3-none-any.whl");
    let sum = provision::run(Command::new("sha256sum").current_dir(&home).arg(&wheel))?;
    if !sum.starts_with(ARCHIVE) {
        return Err(format!("{package} is not the archive that the tests are pinned to: {sum}"));
    }
    let unzip = provision::program("unzip", "unzip")?;
    let what = "cryptography_vectors/x509/PKITS_data/*";
    provision::run(Command::new(unzip).current_dir(&home).args(["-q", &wheel, what]))?;
    let _ = fs::remove_file(home.join(wheel));
    fs::write(home.join("complete"), ARCHIVE)
        .map_err(|error| format!("{}: {error}", home.display()))?;
    Ok(certificates)
}
