//! Runs a program, and compares at each step what the driver says with what the server does.

use std::collections::BTreeSet;

use barepg::{Connection, Error, ErrorKind, Outcome, Statement, TransactionStatus, UsageError};

use crate::rows::{Reader, Values};
use crate::server::{Done, Op, Server, Together};

/// How a call ended.
pub enum Ended {
    /// All of its answer was read.
    Complete,
    /// The rest of the answer is left to the next call.
    Dropped,
    /// A COPY that was made to fail, which is not told.
    Aborted,
}

/// What the guard of a transaction left to the next call.
#[derive(Clone, Copy, Debug)]
pub enum Undo {
    All,
    To(u32),
}

/// What may be in the table once the session is gone.
struct Left {
    must: BTreeSet<i64>,
    may: BTreeSet<i64>,
}

pub struct Run<'r> {
    pub server: Server,
    pub faults: Vec<String>,
    /// Each call, and what was said.
    pub log: Vec<String>,
    /// Outcomes that are `Unknown` though nothing was committed.
    pub excess: u32,
    pub undo: Option<Undo>,
    pub prepared: [Option<Statement<'static>>; 2],
    pub savepoints: u32,
    /// A statement whose rows were dropped has failed.
    pub earlier: bool,
    /// Keys of statements whose answers were not read.
    owed: Vec<i64>,
    left: Option<Left>,
    reader: &'r mut Reader,
    /// All keys of the program are above.
    first: i64,
    /// Whether the link may end on its own.
    pub cut: bool,
    /// Notifications come that nothing has sent.
    pub notifies: bool,
    /// A pooler is between: its session is not this one's.
    pooled: bool,
    pid: u32,
}

impl<'r> Run<'r> {
    pub fn new(reader: &'r mut Reader, first: i64, cut: bool, pooled: bool, pid: u32) -> Self {
        Self {
            server: Server::default(),
            faults: Vec::new(),
            log: Vec::new(),
            excess: 0,
            undo: None,
            prepared: [None, None],
            savepoints: 10,
            earlier: false,
            owed: Vec::new(),
            left: None,
            reader,
            first,
            cut,
            notifies: false,
            pooled,
            pid,
        }
    }

    pub fn fault(&mut self, what: &str) {
        let last = self.log.last().cloned().unwrap_or_default();
        self.faults.push(format!("{what}, after {last}"));
    }

    pub fn has_ended(&self) -> bool {
        self.left.is_some() || self.faults.len() > 3
    }

    /// What dropped guards left, which the next call does first.
    pub fn start(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        if self.server.open().is_none() {
            return;
        }
        self.earlier = false;
        let done = match undo {
            Undo::All => self.server.run(&[Op::Rollback], Together::Batch),
            Undo::To(n) => self.server.run(&[Op::RollbackTo(n), Op::Release(n)], Together::Batch),
        };
        self.earlier = !done.ok;
    }

    /// A call of one or several statements, by `f`.
    pub fn call(
        &mut self,
        c: &mut Connection,
        what: String,
        ops: &[Op],
        together: Together,
        f: impl FnOnce(&mut Connection, &mut Vec<String>) -> Result<Ended, Error>,
    ) -> bool {
        if self.has_ended() {
            return false;
        }
        self.start();
        let mut found = Vec::new();
        let result = f(c, &mut found);
        self.log.push(format!("{what} -> {}", said(&result)));
        // A pooler that loses its server writes its error into the row that it was sending.
        if !(self.cut && self.pooled) {
            found.iter().for_each(|fault| self.fault(fault));
        }
        self.judge(c, ops, together, result)
    }

    /// Whether the call was carried out without an error.
    fn judge(
        &mut self,
        c: &mut Connection,
        ops: &[Op],
        together: Together,
        result: Result<Ended, Error>,
    ) -> bool {
        if let Err(error) = result {
            if self.is_earlier(error) {
                return false;
            }
            if !error.is_usable() {
                let done = self.server.clone().run(ops, together);
                if !self.cut && !done.ended {
                    self.fault("the connection is dead");
                }
                self.die(c, error, ops);
                return false;
            }
        }
        if std::mem::take(&mut self.earlier) {
            self.fault("an earlier statement has failed, and no verb says so");
        }
        self.owed.clear();
        let before = self.server.clone();
        if let Err(error) = result
            && matches!(error.kind(), ErrorKind::Server(state) if state.as_str() == "26000")
            && before.open().is_some()
        {
            self.server.fail();
            self.look(c);
            return false;
        }
        let done = self.server.run(ops, together);
        match result {
            Ok(Ended::Complete) => {
                if !done.ok || done.rolled_back {
                    self.fault(&format!("Ok, and the server: {done:?}"));
                }
            }
            Ok(Ended::Aborted) => {
                self.server = before;
                self.server.fail();
                return true;
            }
            Ok(Ended::Dropped) => {
                self.owed.extend(ops.iter().filter_map(|op| op.key()));
                self.earlier = !done.ok || done.rolled_back;
                self.cut |= done.ended;
                return true;
            }
            // Made to fail: it is not said again.
            Err(error) if error.kind() == ErrorKind::Usage(UsageError::Copy) => {
                self.failed(error, &before, ops, done);
                return false;
            }
            Err(error) if error.outcome() == Outcome::Local => {
                self.owed.extend(ops.iter().filter_map(|op| op.key()));
                self.earlier = !done.ok;
                return true;
            }
            Err(error) => self.failed(error, &before, ops, done),
        }
        self.look(c);
        result.is_ok()
    }

    /// EarlierStatement: this call was not carried out.
    pub fn is_earlier(&mut self, error: Error) -> bool {
        if !matches!(error.kind(), ErrorKind::EarlierStatement(_)) {
            return false;
        }
        if !std::mem::take(&mut self.earlier) {
            self.fault("no earlier statement has failed");
        }
        if error.outcome() != Outcome::NotSent || !error.is_usable() {
            self.fault("EarlierStatement is NotSent, usable");
        }
        self.owed.clear();
        true
    }

    fn failed(&mut self, error: Error, before: &Server, ops: &[Op], done: Done) {
        let keys = ops.iter().filter_map(|op| op.key()).chain(before.undecided());
        let kept = keys.filter(|key| self.server.committed.contains(key)).count();
        if done.ok && !done.rolled_back {
            self.fault("an error, and the server has none");
        }
        if done.ended {
            self.fault("usable, and the session has ended");
        }
        match error.outcome() {
            Outcome::Unknown if !done.committed => {
                self.excess += 1;
                if !ops.iter().any(|op| op.may_commit())
                    && !done.rolled_back
                    && !ops.contains(&Op::Commit)
                {
                    self.fault("Unknown, and nothing was committed");
                }
            }
            Outcome::Unknown => {}
            outcome if kept > 0 => self.fault(&format!("{outcome:?}, and {kept} rows are kept")),
            Outcome::NotSent => self.fault("NotSent"),
            _ => {}
        }
    }

    /// The connection has ended in a call with these statements.
    pub fn die(&mut self, c: &mut Connection, error: Error, ops: &[Op]) {
        self.leave(error, ops);
        match c.ping() {
            Err(error) if error.kind() == ErrorKind::Broken => {}
            other => self.fault(&format!("dead, and then {other:?}")),
        }
    }

    /// What the error says of the statements, and of an open transaction, is to be found in the table.
    pub fn leave(&mut self, error: Error, ops: &[Op]) {
        let mut must = self.server.committed.clone();
        must.retain(|key| !self.owed.contains(key));
        let mut may = self.server.committed.clone();
        if error.outcome() == Outcome::Unknown {
            may.extend(self.server.undecided());
            may.extend(ops.iter().filter_map(|op| op.key()));
        }
        // What was owed in an open transaction is gone with it.
        self.left = Some(Left { must, may });
    }

    /// Compares the transaction's status with the server's, and both with the model.
    pub fn look(&mut self, c: &Connection) {
        if self.has_ended() {
            return;
        }
        let said = match c.transaction_status() {
            TransactionStatus::Idle => "idle",
            TransactionStatus::InTransaction => "idle in transaction",
            TransactionStatus::Failed => "idle in transaction (aborted)",
        };
        if said != self.server.state() {
            self.fault(&format!("the driver: {said}, the model: {}", self.server.state()));
        }
        if !self.pooled {
            let mut state = None;
            // ReadyForQuery comes before the server says so elsewhere.
            for _ in 0..100 {
                state = self.reader.state(self.pid);
                if state.as_deref() == Some(said) {
                    break;
                }
            }
            if state.as_deref() != Some(said) && !(self.cut && state.is_none()) {
                self.fault(&format!("the driver: {said}, the server: {state:?}"));
            }
        }
        self.compare();
    }

    fn compare(&mut self) {
        let expected: Vec<String> =
            self.server.committed.iter().map(|key| Values::of(*key).shown()).collect();
        let found = self.reader.rows(self.first);
        if found != expected {
            let keys = |rows: &[String]| {
                rows.iter().map(|r| r.split('|').next().unwrap().to_string()).collect::<Vec<_>>()
            };
            let (found, expected) = (keys(&found), keys(&expected));
            self.fault(&format!("in the table {found:?}, in the model {expected:?}"));
        }
    }

    /// The session is gone: what is in the table now stays.
    pub fn settle(&mut self) {
        let Some(left) = self.left.take() else {
            if self.faults.is_empty() && self.owed.is_empty() {
                self.compare();
            }
            return;
        };
        for row in self.reader.rows(self.first) {
            let key: i64 = row.split('|').next().unwrap().parse().unwrap();
            if !left.may.contains(&key) {
                self.fault(&format!("{key} is there"));
            }
            if row != Values::of(key).shown() {
                self.fault(&format!("{key} has other values"));
            }
            self.server.committed.remove(&key);
        }
        let missing: Vec<i64> = left.must.intersection(&self.server.committed).copied().collect();
        if !missing.is_empty() {
            self.fault(&format!("{missing:?} are missing"));
        }
    }

    /// Whether the server is at work for no other client.
    pub fn is_gone(&mut self) -> bool {
        let others = "select from pg_stat_activity where datname = current_database() \
            and pid <> pg_backend_pid() and state <> 'idle'";
        let gone = self.reader.ask(&format!("select not exists ({others})"));
        gone == ["t"] && (self.pooled || self.reader.state(self.pid).is_none())
    }
}

fn said(result: &Result<Ended, Error>) -> String {
    match result {
        Ok(Ended::Complete) => "Ok".into(),
        Ok(Ended::Dropped) => "dropped".into(),
        Ok(Ended::Aborted) => "aborted".into(),
        Err(error) => error.to_string(),
    }
}
