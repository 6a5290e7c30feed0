//! Transactions and savepoints, with steps in them.

use barepg::{Connection, Error, ErrorKind, Outcome, Result, Savepoint, Transaction, UsageError};

use crate::program::{End, Step};
use crate::run::{Ended, Run, Undo};
use crate::server::{Op, Together};
use crate::verbs::{On, steps};

pub fn transaction(run: &mut Run, c: &mut Connection, inner: &[Step], end: End) {
    run.start();
    let open = run.server.open().is_some();
    let error = match c.transaction() {
        Ok(mut tx) => {
            run.call(&mut tx, "transaction()".into(), &[Op::Begin], Together::Alone, |_, _| {
                Ok(Ended::Complete)
            });
            if open {
                run.fault("a transaction was open");
            }
            let number = run.server.open().unwrap_or(0);
            steps(run, &mut On::Transaction(&mut tx), inner);
            return end_transaction(run, tx, number, end);
        }
        Err(error) => error,
    };
    let in_transaction = error.kind() == ErrorKind::Usage(UsageError::InTransaction);
    if open && in_transaction {
        run.log.push("transaction() -> InTransaction".into());
        if std::mem::take(&mut run.earlier) {
            run.fault("an earlier statement has failed, and no verb says so");
        }
    } else {
        run.call(c, "transaction()".into(), &[Op::Begin], Together::Alone, |_, _| Err(error));
    }
}

fn end_transaction(run: &mut Run, tx: Transaction, number: u32, end: End) {
    if run.has_ended() {
        return;
    }
    let what = format!("{end:?} of the transaction");
    if end == End::Forget {
        std::mem::forget(tx);
        run.log.push(what);
        return;
    }
    if end == End::Drop {
        drop(tx);
        run.undo = Some(Undo::All);
        run.log.push(what);
        return;
    }
    run.start();
    let same = run.server.open() == Some(number);
    let kept = run.server.has_kept_since(number);
    let commit = end == End::Commit;
    let result = if commit { tx.commit() } else { tx.rollback() };
    run.log.push(format!("{what} -> {result:?}"));
    run.guard_ended(result, same, kept, number, commit);
}

pub fn savepoint(run: &mut Run, on: &mut On, inner: &[Step], end: End) {
    run.start();
    run.savepoints += 1;
    let name = run.savepoints;
    let within = match on {
        On::Connection(_) => return,
        On::Transaction(tx) => within(run, tx.savepoint(), inner, end, name),
        On::Savepoint(savepoint) => within(run, savepoint.savepoint(), inner, end, name),
    };
    let op = [Op::Savepoint(name)];
    match within {
        Within::NotBegun(error) => {
            run.call(on.c(), "savepoint()".into(), &op, Together::Alone, |_, _| Err(error));
        }
        Within::Ended(result, number) => {
            run.log.push(format!("{end:?} of the savepoint -> {result:?}"));
            run.savepoint_ended(on.c(), result, name, number, end == End::Commit);
        }
        Within::Left => {}
    }
}

/// What became of a savepoint.
enum Within {
    NotBegun(Error),
    Ended(Result<()>, u32),
    Left,
}

fn within(
    run: &mut Run,
    savepoint: Result<Savepoint>,
    inner: &[Step],
    end: End,
    name: u32,
) -> Within {
    let mut savepoint = match savepoint {
        Ok(savepoint) => savepoint,
        Err(error) => return Within::NotBegun(error),
    };
    let op = [Op::Savepoint(name)];
    run.call(&mut savepoint, "savepoint()".into(), &op, Together::Alone, |_, _| {
        Ok(Ended::Complete)
    });
    let number = run.server.open().unwrap_or(0);
    steps(run, &mut On::Savepoint(&mut savepoint), inner);
    if run.has_ended() {
        return Within::Left;
    }
    if end == End::Forget {
        std::mem::forget(savepoint);
        run.log.push("Forget of the savepoint".into());
        return Within::Left;
    }
    if end == End::Drop {
        drop(savepoint);
        if run.server.open() == Some(number) {
            run.undo = Some(Undo::To(name));
        }
        run.log.push("Drop of the savepoint".into());
        return Within::Left;
    }
    run.start();
    let commit = end == End::Commit;
    Within::Ended(if commit { savepoint.commit() } else { savepoint.rollback() }, number)
}

/// How guards end.
impl Run<'_> {
    pub fn guard_ended(
        &mut self,
        result: barepg::Result<()>,
        same: bool,
        kept: bool,
        number: u32,
        commit: bool,
    ) {
        let op = if commit { Op::Commit } else { Op::Rollback };
        match result {
            Err(error) if self.is_earlier(error) => self.undo = Some(Undo::All),
            Err(error) if !error.is_usable() => {
                self.left_by(error, commit || !same);
            }
            Err(error) if !same => {
                self.not_in_transaction(error, number);
                self.undo = Some(Undo::All);
            }
            Err(error) => {
                if std::mem::take(&mut self.earlier) {
                    self.fault("an earlier statement has failed, and no verb says so");
                }
                let done = self.server.run(&[op], Together::Alone);
                if !commit || (done.ok && !done.rolled_back) || error.outcome() != Outcome::Refused
                {
                    self.fault("a guard that should have ended in another way");
                }
            }
            Ok(()) => {
                if std::mem::take(&mut self.earlier) {
                    self.fault("an earlier statement has failed, and no verb says so");
                }
                let done = self.server.run(&[op], Together::Alone);
                if !same && (commit || kept) || !done.ok || done.rolled_back {
                    self.fault("Ok");
                }
            }
        }
    }

    pub fn savepoint_ended(
        &mut self,
        c: &mut Connection,
        result: barepg::Result<()>,
        name: u32,
        number: u32,
        commit: bool,
    ) {
        let same = self.server.open() == Some(number);
        let alone = &[Op::Release(name)][..];
        let both = &[Op::RollbackTo(name), Op::Release(name)][..];
        match result {
            Err(error) if self.is_earlier(error) => {
                if same {
                    self.undo = Some(Undo::To(name));
                }
            }
            Err(error) if !error.is_usable() => self.die(c, error, &[]),
            Err(error) if !same => self.not_in_transaction(error, number),
            result => {
                if std::mem::take(&mut self.earlier) {
                    self.fault("an earlier statement has failed, and no verb says so");
                }
                let done = self.server.run(if commit { alone } else { both }, Together::Batch);
                if done.ok != result.is_ok() || !same {
                    self.fault(&format!("the server: {done:?}"));
                }
                if let Err(error) = result {
                    if error.outcome() != Outcome::Refused {
                        self.fault("not Refused");
                    }
                    if commit {
                        self.undo = Some(Undo::To(name));
                    }
                }
            }
        }
    }

    fn left_by(&mut self, error: Error, commit: bool) {
        if !self.cut {
            self.fault("the connection is dead");
        }
        if !commit && error.outcome() == Outcome::Unknown {
            self.fault("rollback() that is Unknown");
        }
        self.leave(error, &[]);
    }

    /// A guard of a transaction that text has ended.
    pub fn not_in_transaction(&mut self, error: Error, number: u32) {
        if error.kind() != ErrorKind::Usage(UsageError::NotInTransaction) {
            self.fault("NotInTransaction is due");
        }
        let due =
            if self.server.has_kept_since(number) { Outcome::Unknown } else { Outcome::Refused };
        // In doubt about what commits by itself.
        if error.outcome() != due
            && (due == Outcome::Unknown || !self.server.is_doubtful_since(number))
        {
            self.fault(&format!("{:?}, and it is {due:?}", error.outcome()));
        }
        if std::mem::take(&mut self.earlier) {
            self.log.push("(what had failed earlier is not said)".into());
        }
    }
}
