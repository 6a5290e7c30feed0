//! What a device said was safe, beside what the server has.

/// A reading by its key, and which sample of its start it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    key: i64,
    sample: i64,
}

impl Reading {
    /// Two numbers with this between them.
    pub fn parse(text: &str, between: char) -> Option<Reading> {
        let (key, sample) = text.split_once(between)?;
        Some(Reading { key: key.parse().ok()?, sample: sample.parse().ok()? })
    }
}

/// What was said from one start to the next.
#[derive(Debug, Default)]
struct Start {
    safe: Vec<Reading>,
    /// A line in which the device reports that something is wrong.
    wrong: Option<String>,
}

/// Everything that a device said.
#[derive(Debug, Default)]
pub struct Account(Vec<Start>);

impl Account {
    /// It has power, again.
    pub fn power_on(&mut self) {
        self.0.push(Start::default());
    }

    /// It says a line.
    pub fn hear(&mut self, line: &str) {
        let Some(start) = self.0.last_mut() else { return };
        match line.strip_prefix("@safe ").and_then(|text| Reading::parse(text, ' ')) {
            Some(reading) => start.safe.push(reading),
            None if line.contains("not safe") || line.starts_with("@done fault") => {
                start.wrong = Some(line.to_string());
            }
            None => {}
        }
    }

    /// Compares it with what the server has, in the order of arrival: what was safe is there once, in
    /// order, and nothing else but the reading of each start that the plug did not let it speak of.
    /// Returns the sum in words.
    pub fn compare(&self, table: &[Reading]) -> Result<String, String> {
        if let Some(wrong) = self.0.iter().find_map(|start| start.wrong.as_ref()) {
            return Err(wrong.clone());
        }
        for (a, b) in table.iter().zip(table.iter().skip(1)) {
            if a.key >= b.key {
                return Err(format!("{b:?} arrived after {a:?}"));
            }
        }
        let (mut said, mut lost, mut unsaid, mut rest) = (0_usize, 0_usize, 0, table);
        let mut trouble = String::new();
        // The plug may be pulled between a reading and the word of it: one for each start.
        let mut may_be_unsaid = 0;
        for start in &self.0 {
            for (index, reading) in start.safe.iter().enumerate() {
                let before = rest.iter().take_while(|found| found.key < reading.key).count();
                let may_be = if index == 0 { may_be_unsaid } else { 0 };
                if before > may_be {
                    return Err(format!("{before} readings before {reading:?} were not pushed"));
                }
                if index == 0 {
                    may_be_unsaid = 0;
                }
                unsaid += before;
                rest = rest.get(before..).unwrap_or(&[]);
                let found = rest.first();
                if found != Some(reading) {
                    lost += 1;
                    trouble.push_str(&format!("\n{reading:?} is not there, but {found:?}"));
                }
                if found.is_some_and(|found| found.key == reading.key) {
                    rest = rest.get(1..).unwrap_or(&[]);
                }
                said += 1;
            }
            may_be_unsaid += 1;
        }
        unsaid += rest.len();
        if rest.len() > may_be_unsaid {
            return Err(format!("{} readings at the end were not pushed", rest.len()));
        }
        if lost > 0 {
            let some: String = trouble.lines().take(5).collect::<Vec<_>>().join("\n");
            return Err(format!("{lost} of {said} readings are lost:{some}"));
        }
        if said == 0 {
            return Err("no reading was safe".to_string());
        }
        Ok(format!(
            "{said} readings were safe, {} are there: 0 lost, 0 doubled, in order; {unsaid} of them safe \
             before the device could say so",
            table.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(starts: &[&[i64]]) -> Account {
        let mut account = Account::default();
        for start in starts {
            account.power_on();
            account.hear("@waiting 3");
            start.iter().for_each(|key| account.hear(&format!("@safe {key} 1")));
        }
        account
    }

    fn table(keys: &[i64]) -> Vec<Reading> {
        keys.iter().map(|&key| Reading { key, sample: 1 }).collect()
    }

    #[test]
    fn what_was_safe_is_there() {
        let account = account(&[&[1, 2], &[5, 6], &[]]);
        assert!(account.compare(&table(&[1, 2, 5, 6])).unwrap().starts_with("4 readings"));
        // Not said any more.
        assert!(account.compare(&table(&[1, 2, 3, 5, 6, 9])).unwrap().contains("2 of them"));
    }

    #[test]
    fn what_is_wrong_is_found() {
        let account = account(&[&[1, 2, 3], &[6, 7]]);
        for (keys, words) in [
            (&[1, 2, 6, 7][..], "1 of 5 readings are lost"),
            (&[], "5 of 5 readings are lost"),
            (&[1, 3, 2, 6, 7], "arrived after"),
            (&[1, 2, 2, 3, 6, 7], "arrived after"),
            (&[1, 2, 3, 4, 5, 6, 7], "were not pushed"),
            (&[0, 1, 2, 3, 6, 7], "were not pushed"),
            (&[1, 2, 3, 6, 7, 8, 9], "at the end were not pushed"),
        ] {
            let error = account.compare(&table(keys)).unwrap_err();
            assert!(error.contains(words), "{keys:?}: {error}");
        }
        let mut other = table(&[1, 2, 3, 6, 7]);
        other[1].sample = 2;
        assert!(account.compare(&other).unwrap_err().contains("1 of 5"));
        let mut wrong = account;
        wrong.hear("a reading is not safe: worn");
        assert!(wrong.compare(&table(&[1, 2, 3, 6, 7])).unwrap_err().contains("worn"));
        assert!(Account::default().compare(&[]).is_err());
    }
}
