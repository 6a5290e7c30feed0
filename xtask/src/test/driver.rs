//! The stage about the driver alone, in programs that are linked and never run.

use barepg_testkit::provision::{self, root};

use super::{Checked, Context};
use crate::bare::Compiler;
use crate::bill;
use crate::boards;
use crate::budgets::Budgets;
use crate::elf::Image;

/// The programs of `boards/bare` that the driver alone is measured with.
const PROGRAMS: &[&str] = &[
    "login", "hardware", "dial", "conninfo", "query", "copy", "stream", "notify", "guards", "set",
    "full", "words", "types",
];

/// What a device on its own uses, in a build with what it needs; `dial`, `batch` and `conninfo` are the
/// same without.
const SURVIVE: &[&str] = &["dial", "supervised", "batch", "outbox", "conninfo", "provisioned"];

/// The driver alone on a Cortex-M3. It links only if no panic can be reached in it, and its flash
/// is that of a program less that of the empty one.
pub fn alone(context: &Context) -> Checked {
    let budgets = Budgets::read()?;
    let mut checked = 0;
    let mut over = String::new();
    // `--quick`: the first two.
    let kinds = if context.quick { 2 } else { DRIVER_KINDS.len() };
    for (features, suffix, names) in DRIVER_KINDS.into_iter().take(kinds) {
        let figures = driver_flash(&context.compiler, features, names)?;
        let costs: Vec<String> =
            figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
        println!("        flash{suffix}: {}", costs.join(", "));
        match budgets.compare(&format!("driver{suffix}"), &figures) {
            Ok(count) => checked += count,
            Err(error) => {
                over.push_str(&error);
                over.push_str(&grown(context, features, &error));
            }
        }
    }
    if over.is_empty() { Ok(checked) } else { Err(over) }
}

/// Features that the driver alone is measured with, what that is called in `budgets.toml` after
/// `driver`, and the programs.
pub const DRIVER_KINDS: [(&str, &str, &[&str]); 4] = [
    ("small-sha256", "_small", PROGRAMS),
    ("outbox,provision,small-sha256", "_survive", SURVIVE),
    ("", "", PROGRAMS),
    ("opengauss,sm3", "_opengauss", PROGRAMS),
];

/// Flash of the driver in each program of `boards/bare`.
pub fn driver_flash(
    compiler: &Compiler,
    features: &str,
    names: &[&'static str],
) -> Result<Vec<(&'static str, u64)>, String> {
    let target = boards::target();
    provision::run(&mut boards::bare(compiler, &root(), &target, features))?;
    let programs = boards::bare_programs(&target);
    let flash = |name: &str| Image::read(&programs.join(name)).map(|image| image.flash());
    let nothing = flash("empty")?;
    let of = |name: &&'static str| {
        flash(name).map(|flash| (*name, u64::from(flash.saturating_sub(nothing))))
    };
    names.iter().map(of).collect()
}

/// What grew in the first program that is over its budget, by symbol.
fn grown(context: &Context, features: &str, error: &str) -> String {
    let over = |name: &&&str| error.contains(&format!(": {name} is "));
    let Some(program) = PROGRAMS.iter().chain(SURVIVE).find(over) else { return String::new() };
    let grown = bill::since_budgets(&context.compiler, features, program);
    grown.unwrap_or_else(|error| format!("what grew is not known: {error}\n"))
}
