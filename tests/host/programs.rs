//! The examples as programs.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// One of the examples, built before its first use.
pub fn example(name: &str) -> Command {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--examples", "--all-features"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(command.status().expect("cargo runs").success(), "the examples do not build");
        // This test lies in target/<profile>/deps, the examples in target/<profile>/examples.
        let this = std::env::current_exe().expect("the path of this test");
        this.ancestors().nth(2).expect("a profile's directory").join("examples")
    });
    let mut command = Command::new(directory.join(name));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Exit status, standard output, standard error.
pub fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs to the end.
pub fn run(command: &mut Command) -> (Option<i32>, String, String) {
    outcome(&command.output().expect("the example runs"))
}
