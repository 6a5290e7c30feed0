//! Programs of random verbs, from a seed.

use barepg_testkit::random::Random;

use crate::server::Op;

/// What the driver is to do. `u64`: the seed of what is left to chance within.
#[derive(Clone, Debug)]
pub enum Step {
    /// `batch_execute`.
    Batch(Vec<Op>),
    /// `simple_query`, of which so many results and rows are read.
    Simple(Vec<Op>, Reading),
    Execute(Op, Way),
    Query(Op, Way, Reading),
    QueryOne(Op, Way),
    /// `execute_many`; the last item may fail.
    Many(Vec<i64>, bool),
    Pipeline(Vec<Op>, Reading),
    CopyIn(Vec<i64>, CopyEnd),
    CopyOut(u32, Reading),
    /// A value of so many bytes, of which so many are read.
    Stream(usize, usize),
    Portal(u32, u32),
    /// A verb that is not the right one, or a value that cannot be sent; with a key.
    Odd(Odd, i64),
    Ping,
    Reset,
    Notify,
    Transaction(Vec<Step>, End),
    Savepoint(Vec<Step>, End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    Empty,
    TooManyRows,
    /// `query_one` of an INSERT that returns nothing.
    NoRows,
    /// A COPY from here, by `execute` and amid a text.
    CopyIn,
    CopyInText,
    CopyOut,
    /// `copy_in` and `copy_out` of an INSERT.
    NotCopy,
    NotCopyOut,
    Nul,
    NulInMany,
    NulInPipeline,
    NulInCopy,
    /// A source that ends too early.
    Source,
    SourceInCopy,
    /// More than a pipeline's window, with a row in it that is there already.
    ManyRefused,
    /// A COPY that the server refuses at its first row, of many.
    CopyRefused,
    /// A procedure that commits.
    Call,
    /// LISTEN and NOTIFY, with rows between that are dropped.
    Notify,
    Deadline,
}

pub const ODD: &[Odd] = &[
    Odd::Empty,
    Odd::TooManyRows,
    Odd::NoRows,
    Odd::CopyIn,
    Odd::CopyInText,
    Odd::CopyOut,
    Odd::NotCopy,
    Odd::NotCopyOut,
    Odd::Nul,
    Odd::NulInMany,
    Odd::NulInPipeline,
    Odd::NulInCopy,
    Odd::Source,
    Odd::SourceInCopy,
    Odd::ManyRefused,
    Odd::CopyRefused,
    Odd::Call,
    Odd::Notify,
    Odd::Deadline,
];

/// How an answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// `finish()`.
    Finish,
    /// Row by row.
    All,
    /// So many rows, then dropped.
    Some(u8),
}

/// How the statement is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Text,
    Prepared,
    Flash,
    Streamed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEnd {
    Finish,
    Abort,
    Drop,
    /// A row that the server refuses, then `finish()`.
    Refused,
}

/// How a guard ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Commit,
    Rollback,
    Drop,
    /// By `mem::forget`.
    Forget,
}

/// What a program may hold.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Statements that leave something in the session, as a pooler in transaction mode has none.
    pub session: bool,
    /// COMMIT AND CHAIN; savepoints in a text of several statements: PostgreSQL 12 and later.
    pub chain: bool,
    /// PREPARE TRANSACTION succeeds: its locks stay.
    pub prepared: bool,
}

pub struct Generator {
    random: Random,
    allowed: Allowed,
    key: i64,
}

impl Generator {
    /// `first`: the first key.
    pub fn new(seed: u64, first: i64, allowed: Allowed) -> Self {
        Self { random: Random(seed), allowed, key: first }
    }

    pub fn program(&mut self) -> Vec<Step> {
        let most = self.random.pick(&[9, 9, 9, 60]);
        let steps = 2 + self.random.below(most);
        self.steps(steps, 0)
    }

    fn steps(&mut self, count: u64, depth: u64) -> Vec<Step> {
        (0..count).map(|_| self.step(depth)).collect()
    }

    fn step(&mut self, depth: u64) -> Step {
        match self.random.below(if depth < 4 { 27 } else { 22 }) {
            0 | 1 => Step::Batch(self.ops()),
            2 | 3 => Step::Simple(self.ops(), self.reading()),
            4..=6 => Step::Execute(self.op(), self.way()),
            7..=9 => Step::Query(self.op(), self.way(), self.reading()),
            10 | 11 => Step::QueryOne(self.row(), self.way()),
            12 => Step::Many(self.keys(), self.random.below(4) == 0),
            13 | 14 => Step::Pipeline(self.pipeline_ops(), self.reading()),
            15 => {
                let ends = [CopyEnd::Finish, CopyEnd::Abort, CopyEnd::Drop, CopyEnd::Refused];
                Step::CopyIn(self.keys(), self.random.pick(&ends))
            }
            16 => Step::CopyOut(1 + self.random.below(60) as u32, self.reading()),
            17 => {
                let length = self.random.below(3000) as usize;
                Step::Stream(length, self.random.below(length as u64 + 1) as usize)
            }
            18 => Step::Portal(self.random.below(30) as u32, 1 + self.random.below(12) as u32),
            19 | 20 => {
                let odd = self.random.pick(ODD);
                // Those that end the session are rarer.
                let ends = matches!(odd, Odd::Source | Odd::Deadline);
                let never = odd == Odd::Call && !self.allowed.chain
                    || odd == Odd::Notify && !self.allowed.session;
                let odd = if never || ends && self.random.below(4) != 0 { Odd::Empty } else { odd };
                Step::Odd(odd, self.key())
            }
            21 => match self.random.below(if self.allowed.session { 3 } else { 1 }) {
                0 => Step::Ping,
                1 => Step::Reset,
                _ => Step::Notify,
            },
            n => {
                let count = self.random.below(6);
                let steps = self.steps(count, depth + 1);
                let end = self.random.pick(&[
                    End::Commit,
                    End::Commit,
                    End::Rollback,
                    End::Drop,
                    End::Forget,
                ]);
                if depth == 0 || n == 22 {
                    Step::Transaction(steps, end)
                } else {
                    Step::Savepoint(steps, end)
                }
            }
        }
    }

    fn reading(&mut self) -> Reading {
        match self.random.below(4) {
            0 => Reading::Finish,
            1 => Reading::All,
            _ => Reading::Some(self.random.below(4) as u8),
        }
    }

    fn way(&mut self) -> Way {
        self.random.pick(&[Way::Text, Way::Prepared, Way::Flash, Way::Streamed])
    }

    fn keys(&mut self) -> Vec<i64> {
        (0..1 + self.random.below(12)).map(|_| self.key()).collect()
    }

    fn key(&mut self) -> i64 {
        self.key += 1;
        self.key
    }

    fn ops(&mut self) -> Vec<Op> {
        let mut ops: Vec<Op> = (0..1 + self.random.below(5)).map(|_| self.op()).collect();
        if !self.allowed.chain {
            ops.retain(|op| !is_of_a_block(*op));
        }
        // ROLLBACK TO and a BEGIN that does nothing have the tags of ROLLBACK and BEGIN.
        if ops.iter().any(|op| matches!(op, Op::RollbackTo(_))) {
            ops.retain(|op| *op != Op::Begin);
        }
        ops
    }

    /// In a pipeline savepoints outside of a transaction depend on the server's version.
    fn pipeline_ops(&mut self) -> Vec<Op> {
        let mut ops = self.ops();
        ops.retain(|op| !is_of_a_block(*op) && *op != Op::DiscardAll);
        ops
    }

    fn row(&mut self) -> Op {
        match self.random.below(8) {
            0 => Op::Deferred(self.key()),
            1 => Op::Select(self.random.below(1 << 30) as u32),
            _ => Op::Insert(self.key()),
        }
    }

    fn op(&mut self) -> Op {
        let savepoint = self.random.below(2) as u32;
        let ends = self.random.below(if self.allowed.chain { 4 } else { 2 });
        match self.random.below(32) {
            0..=13 => self.row(),
            14 => Op::Fail,
            15 => Op::NoTable,
            16 => Op::Cancel,
            17 => Op::Notice,
            18 if self.allowed.session => Op::Set,
            19 if !self.allowed.prepared => Op::Define,
            19 => Op::PrepareTransaction,
            20 if self.allowed.session => Op::DeallocateAll,
            21 if self.allowed.session => Op::DiscardAll,
            22 | 23 => Op::Begin,
            24..=26 => match ends {
                0 => Op::Commit,
                1 => Op::Rollback,
                2 => Op::CommitAndChain,
                _ => Op::RollbackAndChain,
            },
            27 => Op::Savepoint(savepoint),
            28 => Op::RollbackTo(savepoint),
            29 => Op::Release(savepoint),
            30 => Op::PrepareTransaction,
            31 if self.random.below(8) == 0 => Op::Terminate,
            _ => Op::Select(self.random.below(1 << 30) as u32),
        }
    }
}

/// What a transaction block is needed for.
fn is_of_a_block(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        Savepoint(_)
            | RollbackTo(_)
            | Release(_)
            | CommitAndChain
            | RollbackAndChain
            | PrepareTransaction
    )
}

/// The smallest program, made by leaving out, of which `fails` still says yes.
pub fn shrink(mut program: Vec<Step>, mut fails: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    loop {
        let smaller = smaller(&program).into_iter().find(|program| fails(program));
        match smaller {
            Some(smaller) => program = smaller,
            None => return program,
        }
    }
}

/// Every program with one thing less.
fn smaller(program: &[Step]) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    for at in 0..program.len() {
        let mut with = |steps: Vec<Step>| {
            let mut all = program.to_vec();
            all.splice(at..=at, steps);
            found.push(all);
        };
        with(Vec::new());
        match &program[at] {
            Step::Transaction(steps, end) => {
                smaller(steps).into_iter().for_each(|s| with(vec![Step::Transaction(s, *end)]));
            }
            Step::Savepoint(steps, end) => {
                with(steps.clone());
                smaller(steps).into_iter().for_each(|s| with(vec![Step::Savepoint(s, *end)]));
            }
            Step::Batch(ops) => without_one(ops, |ops| with(vec![Step::Batch(ops)])),
            Step::Simple(ops, r) => without_one(ops, |ops| with(vec![Step::Simple(ops, *r)])),
            Step::Pipeline(ops, r) => without_one(ops, |ops| with(vec![Step::Pipeline(ops, *r)])),
            Step::Many(keys, bad) => without_one(keys, |keys| with(vec![Step::Many(keys, *bad)])),
            Step::CopyIn(keys, end) => {
                without_one(keys, |keys| with(vec![Step::CopyIn(keys, *end)]))
            }
            _ => {}
        }
    }
    found
}

fn without_one<T: Clone>(list: &[T], mut f: impl FnMut(Vec<T>)) {
    for at in 0..list.len() {
        let mut less = list.to_vec();
        less.remove(at);
        if !less.is_empty() {
            f(less);
        }
    }
}
