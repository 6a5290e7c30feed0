//! What the server does with messages and SQL.

use super::{At, Damage, Model, Refusal, string};

impl Model {
    pub(super) fn handle(&mut self, tag: u8, body: &[u8]) {
        match tag {
            b'Q' => {
                let text = string(body, 0).to_lowercase();
                self.rest = text.split(';').map(|text| text.trim().to_string()).collect();
                self.rest.retain(|text| !text.is_empty());
                let empty = if self.rest.is_empty() { self.say("I") } else { Ok(()) };
                empty.unwrap_or_else(|state| self.fail(state));
                self.run_rest();
            }
            // While it copies, it drops what is no part of a COPY.
            b'S' if !self.copying => self.ready_for_query(),
            b'd' if self.copying => match self.take_damage(At::CopyData) {
                Some(Damage::Error(state)) => {
                    self.fail_copy(state);
                }
                Some(Damage::Last(bytes, end)) => {
                    self.push(&bytes);
                    self.over = Some(end);
                }
                _ => {}
            },
            b'c' if self.copying => {
                self.copying = false;
                self.facts.copy_done = true;
                self.pending.push("copy".into());
                match self.say("C \"COPY 2\"") {
                    Ok(()) if self.bound => {}
                    Ok(()) => self.run_rest(),
                    Err(state) => self.fail_copy(state),
                }
            }
            b'f' if self.copying => self.fail_copy("57014"),
            b'P' | b'B' | b'D' | b'E' | b'C' if !self.skipping => {
                if let Err(state) = self.extended(tag, body) {
                    self.fail(state);
                    self.skipping = true;
                }
            }
            _ => {}
        }
    }

    fn fail_copy(&mut self, state: Refusal) {
        self.fail(state);
        self.skipping = self.bound;
        if !self.bound {
            self.ready_for_query();
        }
    }

    fn run_rest(&mut self) {
        while let Some(text) = self.rest.pop_front() {
            match self.run(&text, None) {
                Ok(()) if self.copying => return,
                Ok(()) => {}
                Err(state) => self.fail(state),
            }
        }
        self.ready_for_query();
    }

    fn extended(&mut self, tag: u8, body: &[u8]) -> Result<(), Refusal> {
        let (first, second) = (string(body, 0), string(body, 1));
        match (tag, first.split_at_checked(1)) {
            (b'P', _) => {
                if !first.is_empty() && self.statements.contains_key(&first) {
                    return Err("42P05");
                }
                self.facts.names.push(first.clone());
                self.statements.insert(first, second);
                self.say("1")
            }
            (b'B', _) => {
                if !first.is_empty() && self.portals.contains_key(&first) {
                    return Err("42P03");
                }
                let text = self.statements.get(&second).ok_or("26000")?.clone();
                self.portals.insert(first, (text, 0));
                self.say("2")
            }
            (b'D', Some(("S", name))) => {
                let text = self.statements.get(name).ok_or("26000")?.clone();
                self.say("t 0s")?;
                self.describe(&text, 0)
            }
            (b'D', Some((_, name))) => {
                let text = self.portals.get(name).ok_or("34000")?.0.clone();
                self.describe(&text, 1)
            }
            (b'C', Some((kind, name))) => {
                if kind == "S" {
                    self.statements.remove(name);
                } else {
                    self.portals.remove(name);
                }
                self.say("3")
            }
            (b'E', _) => {
                let most = body.get(first.len() + 1..).and_then(|rest| rest.try_into().ok());
                let most = u32::from_be_bytes(most.unwrap_or_default());
                let (text, from) = self.portals.get(&first).ok_or("34000")?.clone();
                let all = rows(&text);
                if most > 0 && most < all - from.min(all) {
                    self.portals.insert(first, (text, from + most));
                    self.rows(from..from + most, 1)?;
                    return self.say("s");
                }
                self.run(&text, Some(from))
            }
            _ => Err("08P01"),
        }
    }

    fn describe(&mut self, text: &str, format: u8) -> Result<(), Refusal> {
        match rows(text) > 0 || text.starts_with("select") {
            true => self.say(&format!("T 1s \"id\" 0 0s 23 4s -1 {format}s")),
            false => self.say("n"),
        }
    }

    fn rows(&mut self, range: std::ops::Range<u32>, format: u8) -> Result<(), Refusal> {
        for row in range {
            match format {
                0 => self.say(&format!("D 1s ['{row}']"))?,
                _ => self.say(&format!("D 1s [{row}]"))?,
            }
        }
        Ok(())
    }

    /// Runs a statement; `bound`: of the extended protocol, from that row on.
    fn run(&mut self, text: &str, bound: Option<u32>) -> Result<(), Refusal> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let second = words.get(1).copied().unwrap_or("");
        let (all, format) = (rows(text), u8::from(bound.is_some()));
        let first = words.first().copied().unwrap_or("");
        if self.status == b'E' && !["commit", "end", "rollback", "abort"].contains(&first) {
            return Err("25P02");
        }
        if format == 0 && all > 0 {
            self.describe(text, 0)?;
        }
        self.rows(bound.unwrap_or(0)..all, format)?;
        match first {
            "select" => self.say(&format!("C \"SELECT {all}\"")),
            "insert" => {
                self.pending.push(text.into());
                self.say("C \"INSERT 0 1\"")
            }
            "copy" if text.contains("from") => {
                self.say("G 0b 1s 0s")?;
                (self.copying, self.bound) = (true, bound.is_some());
                Ok(())
            }
            "copy" => {
                for line in ["H 0b 1s 0s", "d '1\\n'", "d '2\\n'", "c", "C \"COPY 2\""] {
                    self.say(line)?;
                }
                Ok(())
            }
            "fail" => Err(FAILURES.iter().find(|state| **state == second).expect("a SQLSTATE")),
            _ => self.control(text, &words),
        }
    }

    /// Commands without rows.
    fn control(&mut self, text: &str, words: &[&str]) -> Result<(), Refusal> {
        let known = words.iter().take_while(|word| WORDS.contains(word));
        let mut tag = known.copied().collect::<Vec<_>>().join(" ").to_uppercase();
        let last = words.last().copied().unwrap_or("").to_string();
        let (failed, second) = (self.status == b'E', words.get(1).copied().unwrap_or(""));
        let at = match (words[0], second) {
            ("release", _) | ("rollback", "to") => {
                let at = self.savepoints.iter().rposition(|(name, _)| *name == last);
                at.ok_or("3B001")?
            }
            _ => 0,
        };
        match words[0] {
            "commit" | "end" if second != "prepared" => {
                tag = if failed { "ROLLBACK" } else { "COMMIT" }.into();
            }
            "rollback" | "abort" if second != "prepared" => tag = "ROLLBACK".into(),
            _ => {}
        }
        self.say(&format!("C \"{tag}\"")).inspect_err(|_| {
            if tag == "COMMIT" {
                self.roll_back();
            }
        })?;
        match (words[0], second) {
            ("begin" | "start", _) => self.status = b'T',
            ("commit" | "rollback", "prepared") => self.commit(),
            ("rollback", "to") => {
                self.pending.truncate(self.savepoints[at].1);
                self.savepoints.truncate(at + 1);
                self.status = b'T';
            }
            ("commit" | "end" | "rollback" | "abort", _) => {
                if tag == "COMMIT" {
                    self.commit();
                }
                self.roll_back();
            }
            ("prepare", "transaction") => {
                self.commit();
                self.roll_back();
            }
            ("discard" | "deallocate", "all") => self.statements.clear(),
            ("savepoint", _) => self.savepoints.push((last, self.pending.len())),
            ("release", _) => self.savepoints.truncate(at),
            _ if self.status == b'I' && COMMITTING.iter().any(|sql| text.starts_with(sql)) => {
                self.pending.push(text.into());
                self.commit();
            }
            _ => self.pending.push(text.into()),
        }
        if text.ends_with("and chain") {
            self.status = b'T';
        }
        Ok(())
    }

    fn roll_back(&mut self) {
        self.pending.clear();
        self.portals.clear();
        self.savepoints.clear();
        self.status = b'I';
    }
}

/// Words of command tags.
const WORDS: &[&str] = &[
    "abort",
    "alter",
    "analyze",
    "begin",
    "call",
    "cluster",
    "comment",
    "commit",
    "create",
    "database",
    "deallocate",
    "discard",
    "do",
    "drop",
    "index",
    "listen",
    "lock",
    "prepare",
    "prepared",
    "reindex",
    "release",
    "rollback",
    "role",
    "savepoint",
    "set",
    "start",
    "subscription",
    "system",
    "table",
    "tablespace",
    "transaction",
    "truncate",
    "vacuum",
    "all",
];

/// Commands that commit by themselves, outside of a transaction block.
pub const COMMITTING: &[&str] = &[
    "alter database",
    "alter system",
    "analyze",
    "call",
    "cluster",
    "create database",
    "create index concurrently",
    "create subscription",
    "create tablespace",
    "do",
    "drop database",
    "drop index concurrently",
    "drop subscription",
    "drop tablespace",
    "reindex",
    "vacuum",
];

/// What `fail` can fail with.
const FAILURES: &[&str] = &["23505", "40001", "40003", "08006", "26000", "0A000"];

/// How many rows a statement gives.
fn rows(text: &str) -> u32 {
    if text.starts_with("select") {
        return text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    }
    u32::from(text.contains("returning"))
}
