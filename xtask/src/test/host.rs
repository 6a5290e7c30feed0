//! The stages that need no board: format, lints, documentation, tests.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use barepg_testkit::provision::root;

use super::{Checked, Context, outside};
use crate::bare::TARGETS;

/// Features that need `std`, and so do not build for a bare target.
pub const HOST_ONLY: &[&str] = &["saslprep", "sslpassword", "std"];

/// Features that need an atomic compare-and-swap. ARMv6-M has none; there the firmware chooses a
/// substitute for it (features of the crate `portable-atomic`), which a library may not.
const ATOMIC: &[&str] = &["with-jiff"];

/// The crates below `transports`.
const TRANSPORTS: &[&str] = &["barepg-smoltcp", "barepg-transport-tests", "barepg-w5500"];

/// The crates that are published, in the order in which each finds those it needs.
const PUBLISHED: &[&str] =
    &["barepg-derive", "barepg", "barepg-smoltcp", "barepg-w5500", "barepg-transport-tests"];

/// The version that all of them have; a package of another name is missed where its size is asked.
const VERSION: &str = "0.1.0";

/// The most that a package may hold, compressed and in bytes.
const PACKAGE: u64 = 480_000;

/// Features of smoltcp that another crate of the firmware may turn on.
const FOREIGN: &[&[&str]] = &[
    &["--features", "smoltcp/proto-ipv6"],
    &["--no-default-features", "--features", "smoltcp/iface-max-addr-count-1"],
    &["--features", "smoltcp/medium-ip,smoltcp/medium-ieee802154,smoltcp/proto-ipv6-slaac"],
    &["--features", "ipv6,smoltcp/socket-mdns,smoltcp/multicast,smoltcp/segmentation-offload"],
];

/// `cargo fmt --check`.
pub fn format(context: &Context) -> Checked {
    let mut checked = 0;
    let workspaces = ["", "bench", "boards", "fuzz"].map(String::from).into_iter();
    for directory in workspaces.chain(outside::folders()) {
        // Without `--all`, which would look at the driver again.
        let all = !directory.starts_with("boards/");
        let mut command = context.cargo(&["fmt", "--check"]);
        command.args(all.then_some("--all")).current_dir(root().join(directory));
        context.run(&mut command)?;
        checked += 1;
    }
    Ok(checked)
}

/// `cargo clippy` with warnings denied: all targets of the workspace with all features, and the
/// driver with the default ones and without any. Stage "features in pairs" has the sets between.
pub fn clippy(context: &Context) -> Checked {
    let strict = ["--", "-D", "warnings"];
    let mut checked = 0;
    let mut run = |arguments: &[&str]| {
        checked += 1;
        context.run(context.cargo(&["clippy"]).args(arguments).args(strict)).map(|_| ())
    };
    run(&["--workspace", "--all-targets", "--all-features"])?;
    run(&["--package", "barepg", "--all-targets"])?;
    run(&["--package", "barepg", "--lib", "--no-default-features"])?;
    Ok(checked)
}

/// `cargo doc` with warnings denied, private items too: their links must hold as well.
pub fn documentation(context: &Context) -> Checked {
    let names: Vec<&str> = PUBLISHED.iter().flat_map(|name| ["--package", name]).collect();
    for private in [&[] as &[&str], &["--document-private-items"]] {
        let mut command = context.cargo(&["doc", "--no-deps", "--all-features"]);
        command.args(&names).args(private).env("RUSTDOCFLAGS", "-D warnings");
        context.run(&mut command)?;
    }
    Ok(2)
}

/// The driver for every bare target, where `std` is absent and only `core` is available. That it
/// links there too is for the boards to show.
pub fn bare_targets(context: &Context) -> Checked {
    for target in TARGETS {
        let builds = |feature: &&str| {
            let no_atomics = target.starts_with("thumbv6m");
            !(HOST_ONLY.contains(feature) || no_atomics && ATOMIC.contains(feature))
        };
        let features: Vec<&str> =
            context.features.iter().map(String::as_str).filter(builds).collect();
        for features in ["", &features.join(",")] {
            let mut command = context.compiler.cargo();
            command.arg("check").arg("--no-default-features");
            command.current_dir(root());
            command.args(["--package", "barepg", "--lib"]);
            command.args(["--target", target, "--features", features]);
            context.run(&mut command)?;
        }
        let mut command = context.compiler.cargo();
        command.args(["check", "--package", "barepg-w5500", "--features", "ipv6"]);
        command.current_dir(root()).args(["--target", target]);
        context.run(&mut command)?;
    }
    Ok(3 * u32::try_from(TARGETS.len()).unwrap_or(0))
}

/// Every crate that is published builds from its package alone, which holds its licences, its README and
/// sources, and nothing else.
pub fn packages(context: &Context) -> Checked {
    let names: Vec<&str> = PUBLISHED.iter().flat_map(|name| ["--package", name]).collect();
    // cargo takes what it has once unpacked or built of a version for what the version holds, and
    // here that changes with every commit: all of it goes first.
    let target = root().join("target/packages");
    remove(&target)?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    remove_unpacked(&home.ok_or("neither CARGO_HOME nor HOME is set")?)?;
    let mut command = context.cargo(&["package", "--allow-dirty", "--target-dir"]);
    context.run(command.arg(&target).args(&names))?;
    let mut checked = 0;
    for name in PUBLISHED {
        let list = ["package", "--list", "--allow-dirty", "--package", name];
        packaged(name, &context.run(&mut context.cargo(&list))?)?;
        let path = target.join("package").join(format!("{name}-{VERSION}.crate"));
        let size = std::fs::metadata(&path).map_err(|e| format!("{}: {e}", path.display()))?.len();
        if size > PACKAGE {
            return Err(format!("{name}: its package has {size} bytes; {PACKAGE} are allowed"));
        }
        checked += 1;
    }
    Ok(checked)
}

/// Removes the published crates that cargo has unpacked from the registry it makes in a folder to
/// check packages: `registry/src/-HASH/NAME-VERSION`, with the hash of the folder's path and no
/// host before it. A clone in the place of an earlier one would find that one's sources there.
fn remove_unpacked(cargo_home: &Path) -> Result<(), String> {
    let Ok(registries) = std::fs::read_dir(cargo_home.join("registry/src")) else { return Ok(()) };
    for registry in registries.flatten() {
        if registry.file_name().to_string_lossy().starts_with('-') {
            for name in PUBLISHED {
                remove(&registry.path().join(format!("{name}-{VERSION}")))?;
            }
        }
    }
    Ok(())
}

/// Removes a folder, if there is one.
fn remove(folder: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Looks at the files of one package.
fn packaged(name: &str, list: &str) -> Result<(), String> {
    // cargo's own messages have spaces.
    let files: Vec<&str> = list.lines().filter(|line| !line.contains(' ')).collect();
    for needed in ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"] {
        if !files.contains(&needed) {
            return Err(format!("the package of {name} lacks {needed}"));
        }
    }
    let known = |file: &str| {
        let plain = ["Cargo.toml", "Cargo.toml.orig", "Cargo.lock", ".cargo_vcs_info.json"];
        let text = ["README.md", "LICENSE-APACHE", "LICENSE-MIT"];
        plain.contains(&file)
            || text.contains(&file)
            || file.starts_with("src/")
            || file.starts_with("examples/")
    };
    match files.into_iter().find(|file| !known(file)) {
        Some(file) => Err(format!("the package of {name} holds {file}")),
        None => Ok(()),
    }
}

/// Every test with the default features, and those of TLS that are about what a build without its other
/// features lacks.
pub fn tests_default(context: &Context) -> Checked {
    let lean = ["--package", "barepg", "--features", "tls", "--test", "signatures"];
    Ok(tests(context, &["--package", "barepg"])? + tests(context, &lean)?)
}

/// Every test with all features, those of the testkit and of xtask among them. `--quick` runs the
/// driver's own, those on scripted peers and those of work on a real server.
pub fn tests_all(context: &Context) -> Checked {
    if context.quick {
        let kinds = ["api", "scripted", "live", "outcomes", "outbox", "guide"];
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("--test={kind}")).collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let whole = ["--package", "barepg", "--all-features", "--lib"];
        return tests(context, &[&whole[..], &kinds[..]].concat());
    }
    let rest: Vec<&str> = TRANSPORTS.iter().flat_map(|name| ["--exclude", name]).collect();
    tests(context, &[&["--workspace", "--all-features"], &rest[..]].concat())
}

/// The tests of the transport crates, in simulated time, and with IPv6. And the
/// crate over smoltcp builds whatever features of smoltcp's others turn on.
pub fn transports(context: &Context) -> Checked {
    let packages: Vec<&str> = TRANSPORTS.iter().flat_map(|name| ["--package", name]).collect();
    let mut passed = tests(context, &packages)?;
    if !context.quick {
        let rest = ["--all-features", "--test=ipv6", "--test=rules", "--test=stack"];
        passed += tests(context, &[&["--package", "barepg-smoltcp"], &rest[..]].concat())?;
    }
    for features in FOREIGN {
        let mut command = context.cargo(&["check", "--package", "barepg-smoltcp"]);
        context.run(command.args(*features))?;
        passed += 1;
    }
    Ok(passed)
}

/// The tests of work on a real server, with PgBouncer between; `tests/live/pooled.rs` lists those
/// that cannot do with it.
pub fn tests_pooled(context: &Context) -> Checked {
    let mut command = context.cargo(&["test", "--package", "barepg", "--test", "live"]);
    // Not one: then a test has no thread of its name.
    command.args(["--", "--test-threads=4"]).env("BAREPG_POOLER", "1");
    count(&context.run(&mut command)?)
}

/// What a unit of each work of the bench costs on this machine, in instructions, against
/// `budgets.toml`. The peers are in `cargo xtask bench` alone.
pub fn instructions(_: &Context) -> Checked {
    crate::bench::barepg_alone()
}

fn tests(context: &Context, arguments: &[&str]) -> Checked {
    let output = context.run(context.cargo(&["test", "--no-fail-fast"]).args(arguments))?;
    count(&output)
}

/// Adds up the lines `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
pub fn count(output: &str) -> Checked {
    let mut passed = 0;
    for line in output.lines().filter(|line| line.starts_with("test result: ")) {
        let number = |what: &str| -> u32 {
            let before =
                line.split(what).next().and_then(|text| text.trim_end().rsplit(' ').next());
            before.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        if number(" ignored") > 0 {
            return Err(format!("a test is ignored; it must run or go: {line}"));
        }
        passed += number(" passed");
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_hold_what_users_need() {
        let good = "Cargo.toml\nLICENSE-APACHE\nLICENSE-MIT\nREADME.md\nsrc/lib.rs\n";
        packaged("x", good).unwrap();
        assert!(packaged("x", &format!("{good}tests/a.rs\n")).unwrap_err().contains("tests/a.rs"));
        assert!(packaged("x", &good.replace("LICENSE-MIT\n", "")).unwrap_err().contains("lacks"));
    }

    #[test]
    fn what_cargo_has_unpacked_of_earlier_packages_is_removed() {
        let home = std::env::temp_dir().join(format!("barepg-unpacked-{}", std::process::id()));
        let of = |registry: &str, name: &str| {
            let folder = home.join("registry/src").join(registry).join(name);
            std::fs::create_dir_all(folder.join("src")).unwrap();
            folder
        };
        let ours = of("-0123456789abcdef", &format!("barepg-{VERSION}"));
        let others = [of("-0123456789abcdef", "other-0.1.0"), of("host-01", "barepg-0.0.9")];
        remove_unpacked(&home).unwrap();
        assert!(!ours.exists());
        assert!(others.iter().all(|folder| folder.exists()));
        std::fs::remove_dir_all(&home).unwrap();
        remove_unpacked(&home).unwrap();
    }

    #[test]
    fn adds_up_what_cargo_reports() {
        let output = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n\
            test result: ok. 11 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(count(output), Ok(13));
        assert_eq!(count("nothing"), Ok(0));
        assert!(count("test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured").is_err());
    }
}
