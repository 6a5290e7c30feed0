//! The stage that counts what the driver's verbs cost on a Cortex-M3: instructions per statement,
//! row or login, by the program in `boards/counted`.

use std::time::Duration;

use super::{Checked, Context};
use crate::bare::Compiler;
use crate::boards::{self, COUNTED};
use crate::budgets::Budgets;
use crate::plugin::Counts;
use crate::qemu::{self, Request};

/// The name of the figures in `budgets.toml`.
const THING: &str = "thumbv7m";

/// The longest that the program may run; it takes a second.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds, lints and runs the program, and compares its figures with the budgets.
pub fn instructions(context: &Context) -> Checked {
    let mut clippy = context.compiler.cargo();
    clippy.args(["clippy", "--release", "--package", COUNTED.package]);
    clippy.args(COUNTED.target.iter().flat_map(|target| ["--target", target]));
    clippy.args(["--", "-D", "warnings"]);
    boards::workspace(&mut clippy);
    context.run(&mut clippy)?;
    let figures = figures(&context.compiler)?;
    let shown: Vec<String> = figures.iter().map(|(name, cost)| format!("{name} {cost}")).collect();
    println!("        {}", shown.join(", "));
    let figures: Vec<(&str, u64)> =
        figures.iter().map(|(name, cost)| (name.as_str(), *cost)).collect();
    Budgets::read()?.compare(THING, &figures)
}

/// Builds and runs the program: instructions a unit of each work.
pub fn figures(compiler: &Compiler) -> Result<Vec<(String, u64)>, String> {
    let image = COUNTED.build(compiler, &[], false)?;
    let request = Request {
        board: &COUNTED,
        image: &image,
        arguments: &[],
        uart_port: 0,
        limit: LIMIT,
        count: true,
        more: &[],
    };
    let outcome = qemu::run(&request, &mut |_| ())?;
    outcome.check().map_err(|error| format!("{}: {error}", COUNTED.name))?;
    let counts = outcome.counts.as_ref().ok_or("nothing was counted")?;
    let figures = slopes(&outcome.lines, counts)?;
    Ok(figures.into_iter().map(|(name, cost)| (name.to_string(), cost)).collect())
}

/// Instructions per unit, rounded up, by the program's lines `@slope NAME FEW MANY`: each is about
/// the next two passages of the marks, the first with few units and the second with many.
fn slopes<'l>(lines: &'l [String], counts: &Counts) -> Result<Vec<(&'l str, u64)>, String> {
    let mut figures = Vec::new();
    let (spans, rest) = counts.spans.as_chunks::<2>();
    let mut spans = spans.iter();
    for line in lines.iter().filter_map(|line| line.strip_prefix("@slope ")) {
        let wrong = || format!("@slope {line}");
        let [name, few, many] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let units = number(many)?.checked_sub(number(few)?).filter(|units| *units > 0);
        let [first, second] = spans.next().ok_or(format!("{}: not counted", wrong()))?;
        let more = second.checked_sub(*first).ok_or_else(wrong)?;
        figures.push((name, more.div_ceil(units.ok_or_else(wrong)?)));
    }
    if spans.next().is_some() || !rest.is_empty() {
        return Err(format!("more was counted than is reported: {:?}", counts.spans));
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slopes_of(lines: &[&str], spans: &[u64]) -> Result<Vec<(String, u64)>, String> {
        let lines: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
        let counts = Counts { total: 1, spans: spans.to_vec() };
        let figures = slopes(&lines, &counts)?;
        Ok(figures.into_iter().map(|(name, cost)| (name.to_string(), cost)).collect())
    }

    #[test]
    fn a_figure_is_the_difference_of_two_runs() {
        let lines = ["hello", "@slope row 10 30", "@slope trip 1 2", "@done ok"];
        let figures = slopes_of(&lines, &[100, 141, 7, 9]).unwrap();
        assert_eq!(figures, [("row".to_string(), 3), ("trip".to_string(), 2)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let line = ["@slope row 10 30"];
        assert!(slopes_of(&line, &[100]).is_err());
        assert!(slopes_of(&line, &[100, 90]).is_err());
        assert!(slopes_of(&line, &[100, 200, 300, 400]).is_err());
        assert!(slopes_of(&["@slope row 10"], &[100, 200]).is_err());
        assert!(slopes_of(&["@slope row 10 10"], &[100, 200]).is_err());
    }
}
