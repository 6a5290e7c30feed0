//! The compiler for the bare targets.
//!
//! First choice: the usual toolchain with `rustup target add`. Where rustup has nothing to fetch
//! from, Debian's compiler and library sources make a private sysroot with `core` once, below
//! `target`, and a wrapper that uses it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use barepg_testkit::provision::{self, run};

/// The targets that the boards are built for.
pub const TARGETS: &[&str] =
    &["thumbv6m-none-eabi", "thumbv7m-none-eabi", "riscv32imac-unknown-none-elf"];

/// Targets that only the projects to copy are built for: see [`Compiler::obtain`].
const MORE_TARGETS: &[&str] = &[
    "aarch64-unknown-linux-musl",
    "riscv32imc-unknown-none-elf",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
];

/// How to compile for the bare targets.
#[derive(Debug, Clone, Default)]
pub struct Compiler {
    rustc: Option<PathBuf>,
}

impl Compiler {
    /// A cargo command that compiles with this compiler.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        command
    }

    /// Gets the library of a target that only a project to copy is built for. Rustup alone has them: a
    /// library made here would lack `alloc` and `std`, which a radio and a gateway need.
    pub fn obtain(&self, target: &'static str) -> Result<(), String> {
        let rustc = self.rustc.as_deref().unwrap_or(Path::new("rustc"));
        if TARGETS.contains(&target) || has_core(rustc, target) {
            return Ok(());
        }
        let by_hand = format!("by hand: rustup target add {}", MORE_TARGETS.join(" "));
        if self.rustc.is_some() {
            return Err(format!("{} has no library for {target}; {by_hand}", rustc.display()));
        }
        let _lock = provision::Lock::take("rust")?;
        rustup(MORE_TARGETS).map_err(|error| format!("{error}\n{by_hand}"))?;
        if has_core(rustc, target) { Ok(()) } else { Err(format!("no {target}; {by_hand}")) }
    }
}

/// Finds a compiler with `core` for all targets, or gets one.
///
/// The environment variable `BAREPG_RUSTC` names a compiler with library sources to use instead.
pub fn compiler() -> Result<Compiler, String> {
    if let Some(rustc) = std::env::var_os("BAREPG_RUSTC") {
        let _lock = provision::Lock::take("rust")?;
        return private_sysroot(Path::new(&rustc));
    }
    let missing = missing("rustc");
    if missing.is_empty() {
        return Ok(Compiler::default());
    }
    let _lock = provision::Lock::take("rust")?;
    let refused = match rustup(&missing) {
        Ok(()) if self::missing("rustc").is_empty() => return Ok(Compiler::default()),
        Ok(()) => "rustup added the targets, but rustc does not see them".to_string(),
        Err(error) => error,
    };
    debian().and_then(|rustc| private_sysroot(&rustc)).map_err(|error| {
        format!(
            "no `core` for {}:\n{refused}\n{error}\nby hand: rustup target add {}",
            missing.join(", "),
            missing.join(" ")
        )
    })
}

fn missing(rustc: &str) -> Vec<&'static str> {
    TARGETS.iter().copied().filter(|target| !has_core(Path::new(rustc), target)).collect()
}

fn has_core(rustc: &Path, target: &str) -> bool {
    let output = run(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    let Ok(dir) = output else { return false };
    let Ok(entries) = fs::read_dir(dir.trim()) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

fn rustup(targets: &[&str]) -> Result<(), String> {
    let rustup = provision::which("rustup").ok_or("rustup is not installed")?;
    eprintln!("installing Rust targets: rustup target add {}", targets.join(" "));
    run(Command::new(rustup).args(["target", "add"]).args(targets)).map(|_| ())
}

/// Debian's compiler, whose library sources are a package.
fn debian() -> Result<PathBuf, String> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    let has_sources = |root: PathBuf| root.join("lib/rustlib/src/rust/library/core").exists();
    let usable = || rustc.exists() && sysroot_of(&rustc).is_ok_and(has_sources);
    if !usable() {
        provision::apt("a compiler with its library's sources", &["rustc-web", "rust-web-src"])?;
    }
    if usable() { Ok(rustc) } else { Err("the installed compiler has no library sources".into()) }
}

fn sysroot_of(rustc: &Path) -> Result<PathBuf, String> {
    run(Command::new(rustc).args(["--print", "sysroot"])).map(|path| path.trim().into())
}

/// Builds `core` for the targets with a compiler that has its sources, and a `rustc` that finds
/// it. Made once for each compiler version.
fn private_sysroot(rustc: &Path) -> Result<Compiler, String> {
    let version = run(Command::new(rustc).arg("-vV"))?;
    let host = field(&version, "host: ").ok_or("rustc -vV names no host")?;
    let release = field(&version, "release: ").ok_or("rustc -vV names no release")?;
    let home = provision::cache()?.join(format!("sysroot-{release}"));
    let wrapper = home.join("rustc");
    let compiler = Compiler { rustc: Some(wrapper.clone()) };
    if home.join("complete").exists() {
        return Ok(compiler);
    }
    eprintln!("building `core` for the bare targets with rustc {release}, once (minutes)");
    let _ = fs::remove_dir_all(&home);
    let failed = |error: std::io::Error| format!("{}: {error}", home.display());
    let sysroot = home.join("sysroot");
    let rustlib = sysroot.join("lib/rustlib");
    let original = sysroot_of(rustc)?.join("lib/rustlib");
    fs::create_dir_all(rustlib.join(host).join("bin")).map_err(failed)?;
    symlink(original.join(host).join("lib"), rustlib.join(host).join("lib")).map_err(failed)?;
    symlink(linker()?, rustlib.join(host).join("bin/rust-lld")).map_err(failed)?;
    let dummy = home.join("dummy");
    fs::create_dir_all(dummy.join("src")).map_err(failed)?;
    fs::write(dummy.join("src/lib.rs"), "#![no_std]\n").map_err(failed)?;
    fs::write(dummy.join("Cargo.toml"), DUMMY).map_err(failed)?;
    for target in TARGETS {
        let mut cargo = Compiler { rustc: Some(rustc.into()) }.cargo();
        cargo.args(["build", "--release", "-Zbuild-std=core", "--target", target]);
        cargo.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS").current_dir(&dummy);
        cargo.env("CARGO_TARGET_DIR", dummy.join("target"));
        run(&mut cargo)?;
        let lib = rustlib.join(target).join("lib");
        fs::create_dir_all(&lib).map_err(failed)?;
        let built = dummy.join("target").join(target).join("release/deps");
        for entry in fs::read_dir(built).map_err(failed)?.flatten() {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let wanted = text.starts_with("libcore-") || text.starts_with("libcompiler_builtins-");
            if wanted && text.ends_with(".rlib") {
                fs::copy(entry.path(), lib.join(&name)).map_err(failed)?;
            }
        }
    }
    let script =
        format!("#!/bin/sh\nexec '{}' --sysroot '{}' \"$@\"\n", rustc.display(), sysroot.display());
    fs::write(&wrapper, script).map_err(failed)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::write(home.join("complete"), &version).map_err(failed)?;
    Ok(compiler)
}

const DUMMY: &str = "\
[package]
name = \"dummy\"
version = \"0.0.0\"
edition = \"2021\"

[workspace]
";

/// A linker for all targets: the toolchain's own, else the system's. It must be linked to, not
/// copied: it finds its libraries beside itself.
fn linker() -> Result<PathBuf, String> {
    if let Some(rustc) = provision::which("rustc")
        && let Ok(sysroot) = sysroot_of(&rustc)
        && let Ok(version) = run(Command::new(&rustc).arg("-vV"))
        && let Some(host) = field(&version, "host: ")
    {
        let bundled = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
        if bundled.exists() {
            return Ok(bundled);
        }
    }
    provision::program("ld.lld", "lld")
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}
