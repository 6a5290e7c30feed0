//! What came of a scenario: figures, and bars that were kept or missed.

use super::devices::Series;

/// Figures by name, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures(Vec<(String, u64)>);

impl Figures {
    /// Adds one.
    pub fn push(&mut self, name: impl Into<String>, value: u64) {
        self.0.push((name.into(), value));
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(figure, _)| figure == name).map(|(_, value)| *value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl<const N: usize> From<[(&str, u64); N]> for Figures {
    fn from(figures: [(&str, u64); N]) -> Figures {
        Figures(figures.map(|(name, value)| (name.to_string(), value)).into())
    }
}

/// What came of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub figures: Figures,
    pub series: Series,
    /// How many bars were looked at, and those that were missed.
    pub bars: u32,
    pub missed: Vec<String>,
}

impl Outcome {
    /// Something that must hold.
    pub fn bar(&mut self, holds: Result<(), String>) {
        self.bars += 1;
        self.missed.extend(holds.err());
    }

    /// A figure that must not be above the bar.
    pub fn at_most(&mut self, name: &str, bar: u64) {
        self.bar(match self.figures.get(name) {
            Some(value) if value <= bar => Ok(()),
            Some(value) => Err(format!("{name} is {value}, more than {bar}")),
            None => Err(format!("{name} was not measured")),
        });
    }

    /// Nothing is lost, and nothing is there twice.
    pub fn all_there(&mut self) {
        self.at_most("lost", 0);
        self.at_most("doubled", 0);
        self.at_most("dropped", 0);
        self.at_most("waiting", 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_kept_or_missed_by_name() {
        let figures = Figures::from([("lost", 0), ("attempts", 7)]);
        let mut outcome = Outcome { figures, ..Outcome::default() };
        outcome.at_most("lost", 0);
        outcome.at_most("attempts", 7);
        assert_eq!((outcome.bars, outcome.missed.len()), (2, 0));
        outcome.at_most("attempts", 6);
        outcome.at_most("doubled", 0);
        outcome.bar(Err("not back".to_string()));
        assert_eq!(outcome.bars, 5);
        let missed = ["attempts is 7, more than 6", "doubled was not measured", "not back"];
        assert_eq!(outcome.missed, missed);
    }
}
