//! A cancel request or a deadline of the server's that comes too late can hit the end of a transaction, or of a
//! part of one. That is open then, and no call is to be done in it.

use barepg::{Client, Config, Connection, Outcome, Storage, TransactionStatus};

use super::peer::{Delivery, Machine, Peer};
use super::startup::CONFIG;
use super::transcript::read;

/// The answer to what was cancelled in a transaction.
const CANCELLED: &str =
    "<<< E 'SERROR' #00 'VERROR' #00 'C57014' #00 'Mcancelled' #00 #00\n<<< Z 'E'";

/// Runs `f` on a session with a server that says this.
fn session(text: &str, f: impl FnOnce(&mut Connection)) {
    session_of(&CONFIG, text, f);
}

fn session_of(config: &Config<'_>, text: &str, f: impl FnOnce(&mut Connection)) {
    let machine = Machine::default();
    let peer = Peer::new(&read(text, &[]), Delivery::WHOLE, &machine);
    let mut storage = Storage::<512, 128>::new();
    let mut client = Client::new(storage.buffers(), config, &machine);
    f(&mut client.connect(peer.transport()).expect("a login"));
}

#[test]
fn a_transaction_whose_end_was_cancelled_is_rolled_back_by_the_next_call() {
    for (end, dropped) in [("COMMIT", false), ("ROLLBACK", false), ("ROLLBACK", true)] {
        let text = format!(
            "@login\n>>> Q \"BEGIN\"\n<<< C \"BEGIN\"\n<<< Z 'T'\n>>> Q \"{end}\"\n{CANCELLED}
>>> Q \"ROLLBACK\"\n<<< C \"ROLLBACK\"\n<<< Z 'I'\n>>> Q \"\"\n<<< I\n<<< Z 'I'
>>> Q \"BEGIN\"\n<<< C \"BEGIN\"\n<<< Z 'T'\n>>> Q \"\"\n<<< I\n<<< Z 'T'"
        );
        session(&text, |conn| {
            let tx = conn.transaction().expect("a transaction");
            let (ended, outcome) = match end {
                "COMMIT" => (tx.commit(), Outcome::Refused),
                _ if !dropped => (tx.rollback(), Outcome::Refused),
                _ => {
                    drop(tx);
                    (conn.ping(), Outcome::NotSent)
                }
            };
            let error = ended.expect_err("cancelled");
            assert_eq!((error.outcome(), error.is_usable()), (outcome, true), "{end} {dropped}");
            assert_eq!(conn.ping(), Ok(()), "{end} {dropped}");
            assert_eq!(conn.transaction_status(), TransactionStatus::Idle, "{end} {dropped}");
            // And the one that is begun next is nobody's to roll back.
            assert_eq!(conn.batch_execute("BEGIN"), Ok(()), "{end} {dropped}");
            assert_eq!(conn.ping(), Ok(()), "{end} {dropped}");
            let open = TransactionStatus::InTransaction;
            assert_eq!(conn.transaction_status(), open, "{end} {dropped}");
        });
    }
}

/// The transaction goes on then.
#[test]
fn a_savepoint_whose_end_was_cancelled_is_rolled_back_to_by_the_next_call() {
    let back = "ROLLBACK TO _barepg1;RELEASE _barepg1";
    for (end, dropped) in [("RELEASE _barepg1", false), (back, false), (back, true)] {
        let text = format!(
            "@login\n>>> Q \"BEGIN\"\n<<< C \"BEGIN\"\n<<< Z 'T'\n>>> Q \"SAVEPOINT _barepg1\"
<<< C \"SAVEPOINT\"\n<<< Z 'T'\n>>> Q \"{end}\"\n{CANCELLED}
>>> Q \"{back}\"\n<<< C \"ROLLBACK\"\n<<< C \"RELEASE\"\n<<< Z 'T'\n>>> Q \"\"\n<<< I\n<<< Z 'T'
>>> Q \"COMMIT\"\n<<< C \"COMMIT\"\n<<< Z 'I'"
        );
        session(&text, |conn| {
            let mut tx = conn.transaction().expect("a transaction");
            let savepoint = tx.savepoint().expect("a savepoint");
            let (ended, outcome) = match (end == back, dropped) {
                (false, _) => (savepoint.commit(), Outcome::Refused),
                (_, false) => (savepoint.rollback(), Outcome::Refused),
                (_, true) => {
                    drop(savepoint);
                    (tx.ping(), Outcome::NotSent)
                }
            };
            let error = ended.expect_err("cancelled");
            assert_eq!((error.outcome(), error.is_usable()), (outcome, true), "{end} {dropped}");
            assert_eq!(tx.ping(), Ok(()), "{end} {dropped}");
            assert_eq!(tx.commit(), Ok(()), "{end} {dropped}");
        });
    }
}

/// openGauss is asked for the types of parameters of bytes before they are sent.
#[cfg(feature = "opengauss")]
#[test]
fn a_question_that_was_cancelled_is_not_answered() {
    use barepg::{Dialect, Remedy};

    let text = format!(
        "@login\n>>> P \"\" \"insert\" 1s 0\n>>> D 'S' \"\"\n>>> S\n{}\n>>> Q \"\"\n<<< I\n<<< Z 'I'",
        CANCELLED.replace("'E'", "'I'")
    );
    session_of(&CONFIG.dialect(Dialect::OpenGauss), &text, |conn| {
        let error = conn.execute("insert", (b"ab".as_slice(),)).expect_err("cancelled");
        assert_eq!((error.outcome(), error.remedy()), (Outcome::Refused, Remedy::Retry));
        assert_eq!(conn.ping(), Ok(()));
    });
}
