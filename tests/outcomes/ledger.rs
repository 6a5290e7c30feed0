//! What the driver said became of the work, to be held against what is in the table.

use barepg::{Error, ErrorKind, Outcome, Result};
use barepg_testkit::random::Random;

/// All claims of a run, and whatever else it did wrong.
pub struct Ledger {
    /// Chooses between variants of a verb.
    pub random: Random,
    pub claims: Vec<Claim>,
    /// Promises broken that need no look at the table.
    pub faults: Vec<String>,
    /// The first error of the current work.
    pub first: Option<Error>,
    /// The last one.
    pub last: Option<Error>,
    context: String,
    key: i64,
}

/// The driver said this of the rows with one key.
pub struct Claim {
    pub key: i64,
    pub rows: i64,
    pub said: Said,
    /// What said it, for a reader.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// `NotSent`, `Refused`, or work that was never asked to be committed.
    Absent,
    /// `Ok`.
    Present,
    /// `Unknown`: all of the rows or none.
    Either,
}

impl Ledger {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            claims: Vec::new(),
            faults: Vec::new(),
            first: None,
            last: None,
            context: String::new(),
            key: 0,
        }
    }

    /// A piece of work begins; `context` says which, for a reader.
    pub fn begin(&mut self, context: String) {
        (self.context, self.first, self.last) = (context, None, None);
    }

    /// A key that no rows have yet.
    pub fn key(&mut self) -> i64 {
        self.key += 1;
        self.key
    }

    /// A verb that puts `rows` rows with the key into the table ended like this.
    pub fn says<T>(&mut self, key: i64, rows: i64, result: &Result<T>) {
        if let Err(error) = result {
            // Only ERROR and then ReadyForQuery says so, and then the session goes on.
            let dead = matches!(error.kind(), ErrorKind::Server(_)) && !error.is_usable();
            if dead && error.outcome() == Outcome::Refused {
                self.fault(format!("the session ended, yet: {error}"));
            }
        }
        self.copied(key, rows, result);
    }

    /// As [`says`](Self::says), for COPY: until its end was sent, a session that ends keeps
    /// nothing.
    pub fn copied<T>(&mut self, key: i64, rows: i64, result: &Result<T>) {
        let (said, what) = match result {
            Ok(_) => (Said::Present, "Ok".to_string()),
            Err(error) => {
                self.note(*error);
                let said = match error.outcome() {
                    Outcome::NotSent | Outcome::Refused => Said::Absent,
                    Outcome::Unknown => Said::Either,
                    outcome => {
                        self.fault(format!("{error} says nothing about the rows: {outcome:?}"));
                        Said::Either
                    }
                };
                (said, error.to_string())
            }
        };
        self.claim(key, rows, said, what);
    }

    /// As [`says`](Self::says), for an error.
    pub fn failed(&mut self, key: i64, rows: i64, error: Error) {
        self.says(key, rows, &Err::<(), _>(error));
    }

    /// A statement failed within a transaction whose COMMIT was not sent. A lost link is then as
    /// good as a refusal; only of a peer that breaks the protocol nothing is known.
    pub fn inside(&mut self, key: i64, error: Error) {
        let strange = matches!(error.kind(), ErrorKind::Protocol(_));
        if !matches!(error.outcome(), Outcome::NotSent | Outcome::Refused) && !strange {
            self.fault(format!("COMMIT was not sent, yet: {error}"));
        }
        self.never(key, error);
    }

    /// The rows were never to stay: what failed came before them, or took them back.
    pub fn never(&mut self, key: i64, error: Error) {
        self.note(error);
        self.claim(key, 0, Said::Absent, error.to_string());
    }

    /// The rows were taken back.
    pub fn undone(&mut self, key: i64) {
        self.claim(key, 0, Said::Absent, "rolled back".to_string());
    }

    /// Nothing is known of the rows, and no one said anything of them.
    pub fn unsaid(&mut self, key: i64, rows: i64) {
        self.claim(key, rows, Said::Either, "not asked for".to_string());
    }

    /// A guard that has failed was asked again.
    pub fn again<T>(&mut self, call: &str, first: Error, again: Result<T>) {
        match again {
            Err(again) if again == first => {}
            Err(again) => self.fault(format!("{call} after {first}: {again}")),
            Ok(_) => self.fault(format!("{call} after {first}: Ok")),
        }
    }

    /// A promise was broken.
    pub fn fault(&mut self, fault: String) {
        self.faults.push(format!("{}: {fault}", self.context));
    }

    /// Claims that do not hold; `found` counts the rows with a key.
    pub fn lies(&self, found: impl Fn(i64) -> i64) -> Vec<String> {
        let lie = |claim: &Claim| {
            let Claim { key, rows, said, what } = claim;
            let count = found(*key);
            let holds = match said {
                Said::Absent => count == 0,
                Said::Present => count == *rows,
                Said::Either => count == 0 || count == *rows,
            };
            (!holds).then(|| format!("{what}; but {count} of {rows} rows are there"))
        };
        self.claims.iter().filter_map(lie).collect()
    }

    fn note(&mut self, error: Error) {
        self.first.get_or_insert(error);
        self.last = Some(error);
    }

    fn claim(&mut self, key: i64, rows: i64, said: Said, what: String) {
        let what = format!("{}: {what}", self.context);
        self.claims.push(Claim { key, rows, said, what });
    }
}
