//! The stage that runs the Raspberry Pi Pico's image, as its users build it, in an emulator of its chip.

use super::{Checked, Context, outside};
use crate::budgets::Budgets;
use crate::pico;

/// The image does what it is there for, and its stack is within budget.
pub fn emulated(context: &Context) -> Checked {
    let image = outside::image(&context.compiler, "pico-w5500")?;
    let totals = pico::round(&image, &mut |_| ())?;
    let figures = [("stack", totals.get("stack"))];
    println!("        stack {}, {} instructions", figures[0].1, totals.get("instructions"));
    Budgets::read()?.compare("pico-w5500-emulated", &figures).map(|count| 7 + count)
}
