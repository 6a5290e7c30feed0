//! The budgets in `budgets.toml`: the most that a thing may cost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use barepg_testkit::provision;

/// Limits by the name of the thing and of the figure.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Budgets(BTreeMap<String, BTreeMap<String, u64>>);

impl Budgets {
    /// Reads the file at the root of the repository.
    pub fn read() -> Result<Budgets, String> {
        Self::read_file(&provision::root().join("budgets.toml"))
    }

    /// Reads another file of the same form.
    pub fn read_file(path: &Path) -> Result<Budgets, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads their text.
    pub fn parse(text: &str) -> Result<Budgets, String> {
        parse(text)
    }

    /// One value.
    pub fn get(&self, section: &str, name: &str) -> Option<u64> {
        self.0.get(section)?.get(name).copied()
    }

    /// The lines of a section.
    pub fn section(&self, name: &str) -> Result<impl Iterator<Item = (&String, u64)>, String> {
        let lines = self.0.get(name).ok_or(format!("budgets.toml has no [{name}]"))?;
        Ok(lines.iter().map(|(name, value)| (name, *value)))
    }

    /// Prints the figures of a thing and compares them.
    pub fn print_and_compare(
        &self,
        thing: &str,
        figures: &[(impl AsRef<str>, u64)],
    ) -> Result<u32, String> {
        let figures: Vec<(&str, u64)> =
            figures.iter().map(|(name, cost)| (name.as_ref(), *cost)).collect();
        let shown: Vec<String> =
            figures.iter().map(|(name, cost)| format!("{name} {cost}")).collect();
        println!("        {}", shown.join(", "));
        self.compare(thing, &figures)
    }

    /// Compares all figures of a thing. Every figure needs a budget, and every budget a figure.
    pub fn compare(&self, thing: &str, figures: &[(&str, u64)]) -> Result<u32, String> {
        let limits =
            self.0.get(thing).ok_or(format!("budgets.toml has no [{thing}]: {figures:?}\n"))?;
        let mut wrong = String::new();
        for (name, limit) in limits {
            let found = figures.iter().find(|(figure, _)| figure == name);
            match found {
                None => wrong.push_str(&format!("{thing}: {name} was not measured\n")),
                Some((_, value)) if value > limit => wrong.push_str(&format!(
                    "{thing}: {name} is {value}, {} over its budget of {limit}\n",
                    value - limit
                )),
                Some(_) => {}
            }
        }
        for (name, value) in figures.iter().filter(|(name, _)| !limits.contains_key(*name)) {
            wrong.push_str(&format!("{thing}: {name} = {value} has no budget\n"));
        }
        if wrong.is_empty() { Ok(figures.len().try_into().unwrap_or(0)) } else { Err(wrong) }
    }
}

/// The part of TOML that the file needs: `[section]`, `name = 1_000`, and comments.
fn parse(text: &str) -> Result<Budgets, String> {
    let mut budgets = Budgets::default();
    let mut section = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        let wrong = || format!("line {}: {line}", index + 1);
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or_else(wrong)?;
            section = Some(budgets.0.entry(name.to_string()).or_default());
            continue;
        }
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        let value = value.trim().replace('_', "").parse().map_err(|_| wrong())?;
        section.as_mut().ok_or_else(wrong)?.insert(name.trim().to_string(), value);
    }
    Ok(budgets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_budget_and_every_budget_a_figure() {
        let budgets = parse("# x\n[board]\nflash = 1_000 # bytes\nstack = 10\n").unwrap();
        assert_eq!(budgets.compare("board", &[("flash", 1000), ("stack", 9)]), Ok(2));
        let over = budgets.compare("board", &[("flash", 1001), ("stack", 9)]).unwrap_err();
        assert!(over.contains("flash is 1001, 1 over"), "{over}");
        assert!(budgets.compare("board", &[("flash", 1)]).unwrap_err().contains("not measured"));
        let more = [("flash", 1), ("stack", 1), ("heap", 1)];
        assert!(budgets.compare("board", &more).unwrap_err().contains("heap = 1 has no budget"));
        assert!(budgets.compare("other", &[]).is_err());
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        assert!(parse("flash = 1").is_err());
        assert!(parse("[a]\nflash").is_err());
        assert!(parse("[a]\nflash = lots").is_err());
        assert!(parse("[a\n").is_err());
    }
}
