//! The stage that counts what the driver's verbs cost on a Cortex-M3: instructions per statement,
//! row or login, by the program in `boards/counted`.

use std::path::Path;
use std::time::Duration;

use super::boards::lint;
use super::{Checked, Context};
use crate::bare::Compiler;
use crate::boards::COUNTED;
use crate::budgets::Budgets;
use crate::plugin::Counts;
use crate::qemu::{self, Request};

/// The names of the figures in `budgets.toml`.
pub const SECTIONS: [&str; 4] = ["thumbv7m", "thumbv7m_stack", "thumbv7m_wire", "thumbv7m_ram"];

/// The longest that the program may run; it takes a second.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds, lints and runs the program, and compares its figures with the budgets.
pub fn instructions(context: &Context) -> Checked {
    lint(context, &COUNTED, &[])?;
    let counted = figures(&context.compiler)?;
    let shown = |figures: &Figures| -> Vec<String> {
        figures.iter().map(|(name, cost)| format!("{name} {cost}")).collect()
    };
    println!("        {}", shown(&counted.instructions).join(", "));
    println!("        stack: {}", shown(&counted.stack).join(", "));
    compare(&counted)
}

/// Compares all figures with the budgets.
pub fn compare(counted: &Counted) -> Checked {
    let budgets = Budgets::read()?;
    let (mut compared, mut over) = (0, String::new());
    for (section, figures) in SECTIONS.iter().zip(counted.sections()) {
        let figures: Vec<(&str, u64)> =
            figures.iter().map(|(name, cost)| (name.as_str(), *cost)).collect();
        match budgets.compare(section, &figures) {
            Ok(count) => compared += count,
            Err(error) => over.push_str(&error),
        }
    }
    if over.is_empty() { Ok(compared) } else { Err(over) }
}

/// Figures by name.
pub type Figures = Vec<(String, u64)>;

/// What the program was seen to cost.
pub struct Counted {
    /// A unit of each work.
    pub instructions: Figures,
    /// Bytes of stack of each work, its transport included; 0 is too few to be seen.
    pub stack: Figures,
    /// Round trips, bytes sent and received, and writes of a unit, rounded up.
    pub wire: Figures,
    /// Bytes of RAM of what firmware holds.
    pub ram: Figures,
}

impl Counted {
    /// In the order of [`SECTIONS`].
    pub fn sections(&self) -> [&Figures; 4] {
        [&self.instructions, &self.stack, &self.wire, &self.ram]
    }
}

/// Builds and runs the program.
pub fn figures(compiler: &Compiler) -> Result<Counted, String> {
    figures_of(&COUNTED.build(compiler, &[], false)?)
}

/// Runs the program.
pub fn figures_of(image: &Path) -> Result<Counted, String> {
    let request = Request {
        board: &COUNTED,
        image,
        arguments: &[],
        uart_port: 0,
        limit: LIMIT,
        count: true,
        more: &[],
    };
    let outcome = qemu::run(&request, &mut |_| ())?;
    outcome.check().map_err(|error| format!("{}: {error}", COUNTED.name))?;
    let counts = outcome.counts.as_ref().ok_or("nothing was counted")?;
    let instructions = slopes(&outcome.lines, counts)?;
    let instructions = instructions.into_iter().map(|(name, cost)| (name.to_string(), cost));
    let (stack, wire) = depths(&outcome.lines).ok_or("@stack or @wire is not as expected")?;
    let ram = sizes(&outcome.lines);
    Ok(Counted { instructions: instructions.collect(), stack, wire, ram })
}

/// The lines `@size NAME BYTES`.
fn sizes(lines: &[String]) -> Figures {
    let of = |line: &String| {
        let (name, bytes) = line.strip_prefix("@size ")?.split_once(' ')?;
        Some((name.to_string(), bytes.parse().ok()?))
    };
    lines.iter().filter_map(of).collect()
}

/// The lines `@stack NAME BYTES`, and `@wire NAME TRIPS SENT RECEIVED WRITES` over the units of the
/// line `@slope` before.
fn depths(lines: &[String]) -> Option<(Figures, Figures)> {
    let (mut stack, mut wire) = (Figures::new(), Figures::new());
    let mut units = 0;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            // The driver is not in it.
            [_, name, ..] if name.starts_with("floor_") => {}
            ["@slope", _, few, many] => {
                units = many.parse::<u64>().ok()?.checked_sub(few.parse().ok()?)?;
            }
            ["@stack", name, bytes] => stack.push((name.to_string(), bytes.parse().ok()?)),
            ["@wire", name, ref counts @ ..] => {
                for (what, count) in ["trips", "sent", "received", "writes"].iter().zip(counts) {
                    let count = count.parse::<u64>().ok()?;
                    wire.push((format!("{name}_{what}"), count.div_ceil(units.max(1))));
                }
            }
            _ => {}
        }
    }
    (wire.len() == 4 * stack.len()).then_some((stack, wire))
}

/// Instructions per unit, rounded up, by the program's lines `@slope NAME FEW MANY`: each is about
/// the next two passages of the marks, the first with few units and the second with many.
pub fn slopes<'l>(lines: &'l [String], counts: &Counts) -> Result<Vec<(&'l str, u64)>, String> {
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
        let counts = Counts { total: 1, spans: spans.to_vec(), ..Counts::default() };
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
    fn stack_and_wire_are_those_of_a_unit() {
        let lines = ["@slope floor_x 1 2", "@stack floor_x 3", "@wire floor_x 1 1 1 1"];
        let more = ["@slope row 10 30", "@stack row 300", "@wire row 0 0 1481 40"];
        let lines: Vec<String> = lines.iter().chain(&more).map(|line| line.to_string()).collect();
        let (stack, wire) = depths(&lines).unwrap();
        assert_eq!(stack, [("row".to_string(), 300)]);
        let wire: Vec<u64> = wire.iter().map(|(_, value)| *value).collect();
        assert_eq!(wire, [0, 0, 75, 2]);
        assert!(depths(&lines[..5]).is_none());
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
