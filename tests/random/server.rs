//! What a server makes of statements: a model of its transactions, independent of the driver.

use std::collections::BTreeSet;

/// One statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A row with this key.
    Insert(i64),
    /// The same, and a deferred constraint fails.
    Deferred(i64),
    Select(u32),
    /// Fails when it runs.
    Fail,
    /// Fails when it is planned.
    NoTable,
    /// Fails as if it were cancelled.
    Cancel,
    /// Ends the session with a FATAL error.
    Terminate,
    Notice,
    Set,
    Define,
    DeallocateAll,
    DiscardAll,
    Begin,
    Commit,
    CommitAndChain,
    Rollback,
    RollbackAndChain,
    Savepoint(u32),
    RollbackTo(u32),
    Release(u32),
    /// Always under the same name.
    PrepareTransaction,
}

impl Op {
    pub fn key(self) -> Option<i64> {
        match self {
            Op::Insert(key) | Op::Deferred(key) => Some(key),
            _ => None,
        }
    }
}

impl Op {
    /// By itself, in the eyes of a client that knows its command tag.
    pub fn may_commit(self) -> bool {
        matches!(self, Op::Notice | Op::Define | Op::DiscardAll)
    }
}

/// How statements come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// One statement.
    Alone,
    /// Several in one text, or a pipeline: outside of a transaction they are one.
    Batch,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// All statements succeeded.
    pub ok: bool,
    /// Statements that succeeded.
    pub statements: usize,
    /// Some transaction was committed by it.
    pub committed: bool,
    /// The session has ended.
    pub ended: bool,
    /// A COMMIT of a failed transaction: ROLLBACK is what the server says.
    pub rolled_back: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Server {
    pub committed: BTreeSet<i64>,
    tx: Option<Tx>,
    /// How many transaction blocks were begun: the last one's number.
    begun: u32,
    /// Which of those were committed.
    kept: Vec<u32>,
    /// Whether the server keeps prepared transactions, and has the one.
    pub keeps_prepared: bool,
    prepared: bool,
    /// After which of them something came that may commit by itself.
    doubtful: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Tx {
    frames: Vec<Frame>,
    failed: bool,
    /// No BEGIN: it ends with the batch.
    implicit: bool,
}

#[derive(Clone, Debug, Default)]
struct Frame {
    savepoint: u32,
    keys: Vec<i64>,
    deferred: bool,
}

impl Server {
    /// The number of the open transaction block.
    pub fn open(&self) -> Option<u32> {
        self.tx.as_ref().map(|_| self.begun)
    }

    pub fn is_failed(&self) -> bool {
        self.tx.as_ref().is_some_and(|tx| tx.failed)
    }

    /// In pg_stat_activity.
    pub fn state(&self) -> &'static str {
        match &self.tx {
            None => "idle",
            Some(tx) if tx.failed => "idle in transaction (aborted)",
            Some(_) => "idle in transaction",
        }
    }

    /// Whether a transaction from this one on was committed.
    pub fn has_kept_since(&self, number: u32) -> bool {
        self.kept.iter().any(|kept| *kept >= number)
    }

    /// Whether a statement from this transaction on may have committed by itself.
    pub fn is_doubtful_since(&self, number: u32) -> bool {
        self.doubtful.iter().any(|doubtful| *doubtful >= number)
    }

    /// A statement that commits by itself has run.
    pub fn doubt(&mut self) {
        self.doubtful.push(self.begun);
    }

    /// Rows of the open transaction.
    pub fn undecided(&self) -> Vec<i64> {
        let frames = self.tx.iter().flat_map(|tx| &tx.frames);
        frames.flat_map(|frame| frame.keys.iter().copied()).collect()
    }

    /// Runs statements up to the first that fails.
    pub fn run(&mut self, ops: &[Op], together: Together) -> Done {
        let mut done = Done { ok: true, ..Done::default() };
        for &op in ops {
            if op == Op::Terminate && !self.is_failed() {
                self.tx = None;
                return Done { ok: false, ended: true, ..done };
            }
            if self.step(op, together, &mut done).is_err() {
                self.fail();
                done.ok = false;
                return done;
            }
            done.statements += 1;
        }
        if self.tx.as_ref().is_some_and(|tx| tx.implicit) {
            done.ok = self.commit(&mut done).is_ok();
        }
        done
    }

    /// A statement failed, or a batch was abandoned.
    pub fn fail(&mut self) {
        match &mut self.tx {
            Some(tx) if !tx.implicit => tx.failed = true,
            _ => self.tx = None,
        }
    }

    fn step(&mut self, op: Op, together: Together, done: &mut Done) -> Result<(), ()> {
        let block = self.tx.as_ref().is_some_and(|tx| !tx.implicit);
        if self.is_failed() {
            return self.step_failed(op, done);
        }
        if op.may_commit() || op == Op::Commit && self.tx.is_none() {
            self.doubt();
        }
        match op {
            Op::Insert(_) | Op::Deferred(_) => return self.insert(op, together, done),
            Op::Fail | Op::NoTable | Op::Cancel => return Err(()),
            Op::Terminate | Op::Select(_) | Op::Notice | Op::Set | Op::Define => {}
            Op::DeallocateAll => {}
            Op::DiscardAll if block || together == Together::Batch => return Err(()),
            Op::DiscardAll => {}
            Op::Begin if block => {}
            Op::Begin => {
                let implicit = self.tx.take();
                self.begin();
                if let (Some(tx), Some(before)) = (&mut self.tx, implicit) {
                    tx.frames = before.frames;
                }
            }
            Op::Commit if self.tx.is_some() => return self.commit(done),
            Op::Rollback => self.tx = None,
            Op::Commit => {}
            Op::PrepareTransaction if !block && together == Together::Alone => {}
            Op::PrepareTransaction => {
                let tx = self.tx.take();
                let deferred = tx.is_some_and(|tx| tx.frames.iter().any(|frame| frame.deferred));
                if deferred || !self.keeps_prepared || self.prepared {
                    return Err(());
                }
                self.prepared = true;
                done.committed = true;
                (if block { &mut self.kept } else { &mut self.doubtful }).push(self.begun);
            }
            _ if !block => return Err(()),
            Op::CommitAndChain => {
                self.commit(done)?;
                self.begin();
            }
            Op::RollbackAndChain => self.begin(),
            Op::Savepoint(savepoint) => {
                self.frames().push(Frame { savepoint, ..Frame::default() });
            }
            Op::RollbackTo(savepoint) => return self.rollback_to(savepoint),
            Op::Release(savepoint) => {
                let at = self.find(savepoint)?;
                let inner: Vec<Frame> = self.frames().drain(at..).collect();
                let outer = self.frames().last_mut().unwrap();
                for frame in inner {
                    outer.keys.extend(frame.keys);
                    outer.deferred |= frame.deferred;
                }
            }
        }
        Ok(())
    }

    /// In a transaction that has failed.
    fn step_failed(&mut self, op: Op, done: &mut Done) -> Result<(), ()> {
        match op {
            Op::Commit | Op::PrepareTransaction => {
                self.tx = None;
                done.rolled_back = true;
            }
            Op::Rollback => self.tx = None,
            Op::CommitAndChain => {
                self.begin();
                done.rolled_back = true;
            }
            Op::RollbackAndChain => self.begin(),
            Op::RollbackTo(savepoint) => return self.rollback_to(savepoint),
            _ => return Err(()),
        }
        Ok(())
    }

    fn insert(&mut self, op: Op, together: Together, done: &mut Done) -> Result<(), ()> {
        if self.tx.is_none() && together == Together::Batch {
            self.tx = Some(Tx { frames: vec![Frame::default()], failed: false, implicit: true });
        }
        let deferred = matches!(op, Op::Deferred(_));
        if let Some(tx) = &mut self.tx {
            let frame = tx.frames.last_mut().unwrap();
            frame.keys.extend(op.key());
            frame.deferred |= deferred;
        } else if deferred {
            return Err(());
        } else {
            self.committed.extend(op.key());
            done.committed = true;
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.begun += 1;
        self.tx = Some(Tx { frames: vec![Frame::default()], failed: false, implicit: false });
    }

    fn commit(&mut self, done: &mut Done) -> Result<(), ()> {
        let Some(tx) = self.tx.take() else { return Ok(()) };
        if tx.frames.iter().any(|frame| frame.deferred) {
            return Err(());
        }
        self.committed.extend(tx.frames.into_iter().flat_map(|frame| frame.keys));
        (if tx.implicit { &mut self.doubtful } else { &mut self.kept }).push(self.begun);
        done.committed = true;
        Ok(())
    }

    fn rollback_to(&mut self, savepoint: u32) -> Result<(), ()> {
        let at = self.find(savepoint)?;
        self.frames().truncate(at);
        self.frames().push(Frame { savepoint, ..Frame::default() });
        self.tx.as_mut().unwrap().failed = false;
        Ok(())
    }

    fn find(&self, savepoint: u32) -> Result<usize, ()> {
        let frames = &self.tx.as_ref().ok_or(())?.frames;
        frames
            .iter()
            .skip(1)
            .rposition(|frame| frame.savepoint == savepoint)
            .map(|at| at + 1)
            .ok_or(())
    }

    fn frames(&mut self) -> &mut Vec<Frame> {
        &mut self.tx.as_mut().unwrap().frames
    }
}
