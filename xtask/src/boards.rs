//! The boards: what each is emulated as, and how its firmware is built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use barepg_testkit::provision;

use crate::bare::Compiler;

/// A crate below `boards/`.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// The name of its directory.
    pub name: &'static str,
    /// The name of its package and program.
    pub package: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The target triple; `None` builds for this machine.
    pub target: Option<&'static str>,
    /// How it reaches the server.
    pub link: Link,
    /// The QEMU program and the arguments that make the machine.
    pub qemu: &'static [&'static str],
    /// Whether QEMU logs accesses outside the machine's memory, so that the log must be empty.
    pub guest_errors: bool,
    /// Bytes of flash and of RAM of the machine, where it is small.
    pub memory: Option<(u32, u32)>,
    /// Where its flash is while it is off.
    pub flash: Flash,
    /// Features that other boards have, and why this one has not.
    pub cannot: &'static [(&'static str, &'static str)],
}

/// How a board reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A network card; the host's loopback is 10.0.2.2.
    Ethernet,
    /// A serial line that QEMU connects to the server.
    Uart,
    /// It is a program of this machine.
    Host,
    /// It does not: the server is in its memory.
    None,
}

/// Where a board's flash is while it is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flash {
    /// It cannot be written.
    ReadOnly,
    /// In a file that QEMU writes.
    Pflash,
    /// It is the program's own. QEMU forgets it, so it is copied in the moment of the reset, and the
    /// copy is the next image.
    Copied,
    /// In a file that the program writes.
    File,
}

const LM3S6965: Board = Board {
    name: "qemu-lm3s6965",
    package: "qemu-lm3s6965",
    about: "Cortex-M3, 256 KB flash, 64 KB RAM, Stellaris Ethernet",
    target: Some("thumbv7m-none-eabi"),
    link: Link::Ethernet,
    qemu: &["qemu-system-arm", "-machine", "lm3s6965evb", "-nic", "user,model=stellaris"],
    guest_errors: true,
    memory: Some((256 * 1024, 64 * 1024)),
    flash: Flash::ReadOnly,
    cannot: &[("survive", "QEMU's model of its flash cannot be written")],
};

/// All boards, the one that `demo` takes first.
pub const BOARDS: &[Board] = &[
    LM3S6965,
    Board {
        name: "qemu-riscv32-virt",
        package: "qemu-riscv32-virt",
        about: "RISC-V RV32IMAC, virtio network card and entropy device",
        target: Some("riscv32imac-unknown-none-elf"),
        link: Link::Ethernet,
        qemu: &[
            "qemu-system-riscv32",
            "-machine",
            "virt",
            "-bios",
            "none",
            "-netdev",
            "user,id=n0",
            "-device",
            "virtio-net-device,netdev=n0",
            "-device",
            "virtio-rng-device",
        ],
        guest_errors: false,
        memory: None,
        flash: Flash::Pflash,
        cannot: &[],
    },
    Board {
        name: "qemu-microbit-uart",
        package: "qemu-microbit-uart",
        about: "Cortex-M0, 256 KB flash, 16 KB RAM, a serial line to the server",
        target: Some("thumbv6m-none-eabi"),
        link: Link::Uart,
        qemu: &["qemu-system-arm", "-machine", "microbit"],
        guest_errors: false,
        memory: Some((256 * 1024, 16 * 1024)),
        flash: Flash::Copied,
        cannot: &[
            ("tls", "TLS takes more RAM than its 16 KB"),
            ("faults", "its serial line reaches one server, once"),
            ("hosts", "its serial line reaches one server, once"),
            (
                "survive",
                "its serial line cannot be cut and mended; cargo xtask plugs pulls its plug",
            ),
            ("verbs", "a serial line takes minutes for that much data"),
        ],
    },
    Board {
        name: "host",
        package: "barepg-host-board",
        about: "this machine, over TCP",
        target: None,
        link: Link::Host,
        qemu: &[],
        guest_errors: false,
        memory: None,
        flash: Flash::File,
        cannot: &[],
    },
];

/// The firmware whose instructions are counted, with no server outside of it. (The machine has a network
/// card, and QEMU complains of one without a network.)
pub static COUNTED: Board = Board {
    name: "counted",
    package: "barepg-counted",
    about: "Cortex-M3 with a server in memory",
    link: Link::None,
    cannot: &[],
    ..LM3S6965
};

/// What smoltcp alone takes to move bytes, on the board with 64 KB.
pub static BARE_SMOLTCP: Board = Board {
    name: "bare-smoltcp",
    package: "barepg-bare-smoltcp",
    about: "Cortex-M3, smoltcp without the driver",
    cannot: &[],
    ..LM3S6965
};

/// The board of that name.
pub fn find(name: &str) -> Result<&'static Board, String> {
    if name == "pico-w5500" {
        return Err("pico-w5500 has an emulator of its own: cargo xtask pico".to_string());
    }
    BOARDS.iter().find(|board| board.name == name).ok_or_else(|| {
        let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
        format!("no board {name}; there are {}", names.join(", "))
    })
}

impl Board {
    /// An error, in words, when the board cannot have a feature; `what` is what needs it.
    pub fn check(&self, feature: &str, what: &str) -> Result<(), String> {
        match self.cannot.iter().find(|(name, _)| *name == feature) {
            Some((_, reason)) => Err(format!("{} cannot do {what}: {reason}", self.name)),
            None => Ok(()),
        }
    }

    /// The features of its crate, from the manifest.
    #[cfg(test)]
    pub fn features(&self) -> Result<Vec<String>, String> {
        let manifest = provision::root().join("boards").join(self.name).join("Cargo.toml");
        crate::test::rules::features_of(&manifest)
    }

    /// Builds the firmware and returns its image. With `show`, cargo's progress is visible.
    ///
    /// An image with TLS is one for one server: no connection string parser, no program but the
    /// common operations, no login method that the server does not ask for, unless `features`
    /// names them.
    pub fn build(
        &self,
        compiler: &Compiler,
        features: &[&str],
        show: bool,
    ) -> Result<PathBuf, String> {
        self.build_with(compiler, features, !features.contains(&"tls"), show)
    }

    /// The image of a board with TLS, but without it: what TLS costs is the difference.
    pub fn build_without_tls(
        &self,
        compiler: &Compiler,
        features: &[&str],
    ) -> Result<PathBuf, String> {
        let rest: Vec<&str> = features.iter().copied().filter(|name| *name != "tls").collect();
        self.build_with(compiler, &rest, false, false)
    }

    fn build_with(
        &self,
        compiler: &Compiler,
        features: &[&str],
        default_features: bool,
        show: bool,
    ) -> Result<PathBuf, String> {
        let mut command = compiler.cargo();
        command.args(["build", "--release", "--package", self.package]);
        if let Some(target) = self.target {
            command.args(["--target", target]);
        }
        if !default_features {
            command.arg("--no-default-features");
        }
        if !features.is_empty() {
            command.arg("--features").arg(features.join(","));
        }
        workspace(&mut command);
        command.stderr(if show { Stdio::inherit() } else { Stdio::piped() });
        built(&mut command, self.package).map_err(|error| format!("{}: {error}", self.name))
    }
}

/// Runs a cargo command that builds a program of this name, and returns where it is.
pub fn built(command: &mut Command, name: &str) -> Result<PathBuf, String> {
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null());
    let messages = provision::run(command)?;
    executable(&messages, name).ok_or(format!("cargo names no program {name}"))
}

/// The target that the driver alone is measured on.
pub const BARE: &str = "thumbv7m-none-eabi";

/// A cargo command that builds the programs of `boards/bare`, in the sources at `root`.
pub fn bare(compiler: &Compiler, root: &Path, target: &Path, features: &str) -> Command {
    let mut build = in_copy(compiler, root, target, "barepg-bare");
    build.args(["--features", features]);
    build
}

/// A cargo command that builds a package of the boards for [`BARE`], in the sources at `root`.
pub fn in_copy(compiler: &Compiler, root: &Path, target: &Path, package: &str) -> Command {
    let mut build = compiler.cargo();
    build.args(["build", "--release", "--package", package, "--target", BARE]);
    workspace(&mut build);
    build.current_dir(root.join("boards")).env("CARGO_TARGET_DIR", target);
    build
}

/// Where the programs of `boards/bare` are then.
pub fn bare_programs(target: &Path) -> PathBuf {
    target.join(BARE).join("release")
}

/// The target directory of the boards.
pub fn target() -> PathBuf {
    provision::root().join("boards").join("target")
}

/// Makes a cargo command work in the workspace of the boards, with a target directory of its own,
/// none of the settings that the outer cargo handed on, and no debug information: an image has none
/// of it in flash, and it takes more than half of the time of a build.
pub fn workspace(command: &mut Command) {
    command.current_dir(provision::root().join("boards")).env("CARGO_TARGET_DIR", target());
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
}

/// Finds the program in cargo's messages: `{"reason":"compiler-artifact",…,"executable":"…"}`.
fn executable(messages: &str, package: &str) -> Option<PathBuf> {
    let name = format!("\"name\":\"{package}\"");
    messages
        .lines()
        .filter(|line| line.contains(&name))
        .filter_map(|line| line.split("\"executable\":\"").nth(1)?.split('"').next())
        .next_back()
        .map(|path| Path::new(path).to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_program_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"smoltcp"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"qemu-x"},"executable":"/a/b/qemu-x","fresh":true}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "qemu-x"), Some(PathBuf::from("/a/b/qemu-x")));
        assert_eq!(executable(messages, "smoltcp"), None);
    }

    #[test]
    fn the_names_are_unique() {
        for board in BOARDS {
            assert_eq!(find(board.name).unwrap().about, board.about);
        }
        assert!(find("nowhere").unwrap_err().contains("qemu-lm3s6965"));
    }
}
