//! What became of the work: every verb, ended in every way at every message of its answer, within
//! a transaction and outside of one. The rules are those of docs and `engine::outcome`, written
//! down here a second time; what the server really committed is looked up in its table.

use std::sync::OnceLock;

use barepg::{Error, ErrorKind, Outcome};

use super::model::{At, Damage, Facts, Server, error};
use super::peer::{End, Machine, show};
use super::play::Conn;
use super::verbs::{Calls, Ends, VERBS, Verb, Within, run, session};

const STATES: [&str; 6] = ["23505", "40001", "40003", "08006", "08P01", "57014"];

/// How the link ends after the last bytes.
const ENDS: [End; 3] = [End::Eof, End::Reset, End::Silence];

/// What may come in the place of a message.
fn damages() -> Vec<Damage> {
    let mut all: Vec<Damage> = STATES.into_iter().map(Damage::Error).collect();
    for end in ENDS {
        all.push(Damage::Last(Vec::new(), end));
        // ReadyForQuery never follows.
        all.push(Damage::Last(error("ERROR", "23505"), end));
        all.push(Damage::Last(error("FATAL", "57P01"), end));
        // What PgBouncer says when it loses its server.
        all.push(Damage::Last(error("FATAL", "08P01"), end));
        all.push(Damage::Last(error("PANIC", "XX000"), end));
    }
    all.push(Damage::Bytes(vec![b'y', 0, 0, 0, 4]));
    all.push(Damage::Bytes(vec![b'C', 0, 0, 0, 3]));
    all
}

fn is_error(bytes: &[u8]) -> bool {
    show(bytes).contains("VERROR")
}

/// One case of the table, and what it gave.
struct Case {
    verb: &'static Verb,
    within: Within,
    at: At,
    damage: Damage,
    calls: Calls,
    /// Whether the connection was usable after it.
    usable: bool,
    elapsed: u64,
    facts: Facts,
    pending: Vec<String>,
}

impl Case {
    fn new(verb: &'static Verb, within: Within, at: At, damage: Damage) -> Self {
        let machine = Machine::default();
        let server = Server::damaged(&machine, at, damage.clone());
        session(&server, &machine, |conn| {
            let before = machine.elapsed();
            let calls = run(verb, within, conn, &server);
            let elapsed = machine.elapsed() - before;
            let (usable, facts, pending) = (conn.is_usable(), server.facts(), server.pending());
            Self { verb, within, at, damage, calls, usable, elapsed, facts, pending }
        })
    }

    fn error(&self) -> Option<Error> {
        self.calls.error()
    }

    /// What the rules of the ledger say; two where both are right.
    fn expected(&self) -> &'static [Outcome] {
        const REFUSED: &[Outcome] = &[Outcome::Refused];
        const UNKNOWN: &[Outcome] = &[Outcome::Unknown];
        const BOTH: &[Outcome] = &[Outcome::Refused, Outcome::Unknown];
        let inside = self.within != Within::Nothing || self.verb.own;
        match &self.damage {
            // Only CopyDone keeps rows.
            Damage::Error("40003" | "08006" | "08P01") if self.is_copying() => BOTH,
            _ if self.is_copying() => REFUSED,
            Damage::Error("40003" | "08006" | "08P01") => UNKNOWN,
            // COMMIT was acknowledged before.
            Damage::Error(_) if self.verb.name == "commit" && self.at != At::Message(0) => UNKNOWN,
            Damage::Error(_) if self.verb.name == "reset" => BOTH,
            Damage::Error(_) => REFUSED,
            _ if inside && self.verb.ends == Ends::No => REFUSED,
            _ if inside && self.verb.ends == Ends::InDoubt => BOTH,
            _ => UNKNOWN,
        }
    }

    /// It ended while a COPY took data that were never completed.
    fn is_copying(&self) -> bool {
        let begun = self.at == At::CopyData || matches!(self.at, At::Message(n) if n > 0);
        self.verb.name.starts_with("copy_in") && begun && !self.facts.copy_done
    }

    fn kind_is_right(&self, error: Error) -> bool {
        match (&self.damage, error.kind()) {
            // An error is the right answer to CopyFail.
            (Damage::Last(bytes, _), kind) if self.is_aborted() && is_error(bytes) => {
                !matches!(kind, ErrorKind::Broken)
            }
            (Damage::Error(state), ErrorKind::Server(found)) => found.to_string() == *state,
            (Damage::Last(bytes, _), ErrorKind::Server(found)) => {
                show(bytes).contains(&format!("C{found}"))
            }
            (Damage::Last(bytes, End::Eof), ErrorKind::Closed) => bytes.is_empty(),
            (Damage::Last(bytes, End::Reset), ErrorKind::Transport(_)) => bytes.is_empty(),
            (Damage::Last(bytes, End::Silence), ErrorKind::TimedOut) => bytes.is_empty(),
            (Damage::Bytes(_), ErrorKind::Protocol(_)) => true,
            _ => false,
        }
    }

    fn is_aborted(&self) -> bool {
        self.verb.name == "copy_in, aborted"
    }

    /// Whether the work of the verb was committed.
    fn is_kept(&self) -> bool {
        let effect = self.verb.effect;
        let kept = self.facts.committed.iter().filter(|work| effect.contains(&work.as_str()));
        !effect.is_empty() && kept.count() >= effect.len()
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { verb, within, at, damage, .. } = self;
        write!(f, "{} within {within:?}, {damage:?} at {at:?}", verb.name)?;
        self.error().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// Every verb, damaged in every way at every message.
fn table() -> &'static [Case] {
    static TABLE: OnceLock<Vec<Case>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut all = Vec::new();
        for verb in VERBS {
            let within = [Within::Nothing, Within::Text, Within::Guard];
            let alone = verb.own || verb.name == "transaction";
            for within in within.into_iter().take(if alone { 1 } else { 3 }) {
                all.extend(cases(verb, within));
            }
        }
        all
    })
}

fn cases(verb: &'static Verb, within: Within) -> Vec<Case> {
    let clean = Case::new(verb, within, At::Never, Damage::Bytes(Vec::new()));
    assert!(clean.usable && clean.error().is_none(), "{clean}");
    let mut places: Vec<At> = (0..clean.facts.sent).map(At::Message).collect();
    let data = verb.name.starts_with("copy_in");
    places.extend(data.then_some(At::CopyData));
    let mut all = Vec::new();
    for damage in damages() {
        let strange = matches!(damage, Damage::Bytes(_));
        let places = places.iter().filter(|at| !strange || **at != At::CopyData);
        all.extend(places.map(|at| Case::new(verb, within, *at, damage.clone())));
    }
    all
}

/// What is wrong with the cases of the table: all of it in a few lines.
fn check(wrong: impl Fn(&Case) -> Option<String>) {
    let all = table();
    let found: Vec<String> =
        all.iter().filter_map(|case| wrong(case).map(|what| format!("{case}; {what}"))).collect();
    let lines = found.iter().step_by(found.len() / 16 + 1).cloned().collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} of {} cases are wrong:\n{lines}", found.len(), all.len());
}

#[test]
fn the_outcome_is_that_of_the_rules() {
    check(|case| {
        let expected = case.expected();
        let right = expected.contains(&case.error()?.outcome());
        (!right).then(|| format!("right: {expected:?}"))
    });
}

#[test]
fn no_verb_that_was_cut_says_ok() {
    check(|case| match case.error() {
        None if matches!(case.damage, Damage::Bytes(_)) => None,
        None if case.is_aborted() && matches!(case.damage, Damage::Error(_)) => None,
        None => Some("Ok".into()),
        Some(error) => (!case.kind_is_right(error)).then(|| "another error".into()),
    });
}

#[test]
fn refused_work_is_not_in_the_table_and_what_is_ok_is() {
    check(|case| {
        let kept = case.is_kept();
        match case.error().map(|error| error.outcome()) {
            Some(Outcome::Refused | Outcome::NotSent) => kept.then(|| "it is in the table".into()),
            Some(Outcome::Unknown | Outcome::Local) => None,
            None => (!case.verb.effect.is_empty() && !kept && case.pending.is_empty())
                .then(|| "it is not in the table".into()),
        }
    });
}

#[test]
fn guards_repeat_their_first_error() {
    check(|case| {
        let error = case.error()?;
        let mut after = case.calls.0.iter().skip_while(|(_, result)| result.is_ok());
        let other = after.find(|(_, result)| *result != Err(error))?;
        Some(format!("and then {other:?}"))
    });
}

#[test]
fn only_what_ends_the_session_ends_the_connection() {
    check(|case| {
        let error = case.error()?;
        let lives = matches!(case.damage, Damage::Error(_));
        (error.is_usable() != lives || case.usable != lives)
            .then(|| format!("usable: {}", case.usable))
    });
}

#[test]
fn an_error_that_ends_the_session_is_reported_at_once() {
    check(|case| {
        let Damage::Last(bytes, _) = &case.damage else { return None };
        // An ERROR is followed by ReadyForQuery, which may come late.
        let limit = if bytes.is_empty() || is_error(bytes) { 10_500 } else { 600 };
        (case.elapsed > limit).then(|| format!("after {} ms", case.elapsed))
    });
}

/// The link breaks while the verb is being sent, after every byte of it.
#[test]
fn a_link_that_breaks_while_sending() {
    let mut wrong = Vec::new();
    for verb in VERBS {
        let within = [Within::Nothing, Within::Text, Within::Guard];
        let alone = verb.own || verb.name == "transaction";
        for within in within.into_iter().take(if alone { 1 } else { 3 }) {
            let damage = Damage::Bytes(Vec::new());
            let whole = Case::new(verb, within, At::Never, damage.clone()).facts.received;
            for at in 0..whole {
                let case = Case::new(verb, within, At::Received(at), damage.clone());
                let Some(error) = case.error() else {
                    wrong.push(format!("{case}: Ok"));
                    continue;
                };
                let outcome = error.outcome();
                let inside = within != Within::Nothing || verb.own;
                let right = match outcome {
                    Outcome::NotSent => at == 0,
                    Outcome::Refused => at > 0 && !case.is_kept(),
                    Outcome::Unknown => at > 0 && !(inside && verb.ends == Ends::No),
                    Outcome::Local => false,
                };
                let repeated = case.calls.0.iter().skip_while(|(_, result)| result.is_ok());
                let repeated = repeated.into_iter().all(|(_, result)| *result == Err(error));
                if !right || !repeated || case.usable {
                    wrong.push(format!("{case}, {:?}", case.calls));
                }
            }
        }
    }
    let lines = wrong.iter().step_by(wrong.len() / 12 + 1).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} are wrong:\n{lines}", wrong.len());
}

/// A connection that lives goes on as if nothing had been: the next verbs give their own answers.
/// One that is dead says so, without sending anything.
#[test]
fn the_next_verb_gives_its_own_answer() {
    for case in table() {
        let again = |damage: &Damage| match damage {
            Damage::Error(state) => *state == "23505",
            Damage::Last(bytes, end) => bytes.is_empty() && *end != End::Reset,
            _ => false,
        };
        if !again(&case.damage) {
            continue;
        }
        let context = case.to_string();
        let machine = Machine::default();
        let server = Server::damaged(&machine, case.at, case.damage.clone());
        session(&server, &machine, |conn| {
            let _ = run(case.verb, case.within, conn, &server);
            match case.damage {
                Damage::Error(_) => works(conn, &context),
                _ => is_dead(conn, &server, &context),
            }
        });
    }
}

/// Brings the connection out of its transaction and takes two answers.
fn works(conn: &mut Conn<'_, '_>, context: &str) {
    conn.batch_execute("rollback").expect(context);
    conn.execute("insert", ()).expect(context);
    let rows = conn.query("select 3", ()).expect(context);
    assert_eq!(rows.finish(), Ok(3), "{context}");
    let row = conn.query_one("select 1", ()).expect(context);
    assert_eq!(row.get::<i32>(0), Ok(0), "{context}");
}

fn is_dead(conn: &mut Conn<'_, '_>, server: &Server, context: &str) {
    let before = server.facts().received;
    let error = conn.execute("insert", ()).expect_err(context);
    let right = (ErrorKind::Broken, Outcome::NotSent, false);
    assert_eq!((error.kind(), error.outcome(), error.is_usable()), right, "{context}");
    assert_eq!(server.facts().received, before, "{context}");
}
