//! The stage about devices on their own: one round with its golden output, and plugs that are pulled at
//! random moments.

use barepg_testkit::pg::{self, Cluster};

use super::boards::{compare, lint};
use super::{Checked, Context};
use crate::boards::{BOARDS, Flash};
use crate::budgets::Budgets;
use crate::measure::Costs;
use crate::plugs;
use crate::shows;

/// What every board does that has the feature.
const FEATURES: &[&str] = &["survive"];

/// How often a plug is pulled; `cargo xtask plugs` does it more often.
const PULLS: [(&str, u64); 2] = [("qemu-riscv32-virt", 10), ("qemu-microbit-uart", 4)];

/// One round on every board that can, and some plugs.
pub fn pulled(context: &Context) -> Checked {
    let (show, budgets) = (shows::find("survive")?, Budgets::read()?);
    // It is stopped in each round, and shared by nothing else.
    let cluster = &Cluster::try_start(pg::Options::default())?;
    let (mut checked, mut over) = (0, String::new());
    for board in BOARDS.iter().filter(|board| board.flash != Flash::ReadOnly) {
        let image = board.build(&context.compiler, FEATURES, false)?;
        lint(context, board, &["--features", "survive"])?;
        checked += 2;
        let mut costs = Costs::of_image(board, &image)?;
        if show.check(board).is_ok() {
            let said = plugs::round(board, &image, cluster, &mut |_| ())?;
            compare(board, &said.text(), show.name)?;
            costs.stack = said.number("stack");
            checked += 1;
        }
        if let Some((_, count)) = PULLS.iter().find(|(name, _)| *name == board.name) {
            let pulled = plugs::pull(board, &image, cluster, *count, 1)?;
            println!("          {}", pulled.words);
            costs.stack = costs.stack.max(pulled.stack);
            checked += u32::try_from(*count).unwrap_or(0);
        }
        let figures = costs.figures();
        if !figures.is_empty() {
            match budgets.compare(&format!("{}-survive", board.name), &figures) {
                Ok(count) => checked += count,
                Err(error) => over.push_str(&error),
            }
        }
    }
    if over.is_empty() { Ok(checked) } else { Err(over) }
}
