//! How openGauss turns a client away, ends a session, or sends something unsolicited: and what the driver
//! makes of it.

use std::thread;
use std::time::Duration;

use barepg::{Client, Config, Error, ErrorKind, Outcome, SqlState, Storage};
use barepg_testkit::gauss::{Front, Trouble};
use embedded_io::ErrorKind as IoKind;

use crate::common::{Host, tcp, with_session};
use crate::{front, front_with, refused, user};

fn in_trouble(trouble: Trouble) -> Front {
    front_with(|options| options.trouble = Some(trouble))
}

/// The configuration of a user who logs in quickly, of which the family is known: nothing is tried
/// twice.
fn known() -> Config<'static> {
    user("sha256_2048_user").dialect(barepg::Dialect::OpenGauss)
}

/// An address that is in no line of `pg_hba.conf` sees the end of the stream, or a reset.
#[test]
fn addresses_that_are_not_listed() {
    let (error, _) = refused(in_trouble(Trouble::SilentEof).port(), known());
    assert_eq!(error.kind(), ErrorKind::HungUp);
    let (error, _) = refused(in_trouble(Trouble::Reset).port(), known());
    let reset = ErrorKind::Transport(IoKind::ConnectionReset);
    assert!(error.kind() == reset || error.kind() == ErrorKind::HungUp, "{error}");
}

/// All slots are taken: that is said after the password was found to be right.
#[test]
fn slots_that_are_taken() {
    let (error, message) = refused(in_trouble(Trouble::SlotsTaken).port(), known());
    assert_eq!(error.sqlstate(), Some(SqlState::TOO_MANY_CONNECTIONS));
    assert_eq!(message, "Too many clients already, current: 60, max_connections/reserved: 60/3.");
}

/// With a thread pool a session whose time is over ends without a message. It has ended before the
/// next verb, so nothing of that was sent.
#[test]
fn a_session_that_a_thread_pool_ended() {
    let front = front_with(|options| {
        options.thread_pool = true;
        options.session_timeout = Duration::from_millis(1000);
    });
    let config = known();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut c = client.connect(tcp(front.port())).unwrap();
    thread::sleep(Duration::from_millis(1800));
    let error: Error = c.execute("select 1", ()).unwrap_err();
    assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, false));
    assert_eq!(error.kind(), ErrorKind::Closed);
    drop(c);
    client.connect(tcp(front.port())).unwrap().ping().unwrap();
}

/// What is sent unsolicited in the middle of a verb does not disturb it.
#[test]
fn an_index_that_is_made_is_noticed() {
    let front = front();
    let notices = std::cell::RefCell::new(Vec::new());
    let handler = |event: barepg::Event<'_>| {
        if let barepg::Event::Notice(notice) = event {
            notices.borrow_mut().push(notice.message().to_string());
        }
    };
    let config = known();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    client.set_event_handler(&handler);
    let mut c = client.connect(tcp(front.port())).unwrap();
    c.execute("create temp table tt (i int primary key, s text)", ()).unwrap();
    c.batch_execute("create temp table uu (i int unique)").unwrap();
    c.close().unwrap();
    assert_eq!(
        *notices.borrow(),
        [
            "CREATE TABLE / PRIMARY KEY will create implicit index \"tt_pkey\" for table \"tt\"",
            "CREATE TABLE / UNIQUE will create implicit index \"uu_i_key\" for table \"uu\"",
        ]
    );
}

/// SQLSTATEs that are other ones there.
#[test]
fn errors_that_are_called_otherwise() {
    with_session(front().port(), known(), |c| {
        let mut tx = c.transaction().unwrap();
        let portal = tx.portal("select 1", ()).unwrap();
        tx.close_portal(&portal).unwrap();
        let error = tx.fetch(&portal, 1).err().unwrap();
        assert_eq!(error.sqlstate().unwrap().as_str(), "34001");
        tx.rollback().unwrap();
        // A type that there is not.
        let parameters = barepg::EncodedParams::new(&[5069], b"\0\0\0\x08\0\0\0\0\0\0\0\x05");
        assert_eq!(c.execute("select $1", parameters.unwrap()), Ok(1));
        let value: &[&dyn barepg::Parameter] = &[&barepg::types::RawValue {
            oid: 5069,
            format: barepg::types::Format::Binary,
            bytes: &[0; 8],
        }];
        assert_eq!(c.execute("select $1", value), Ok(1), "xid8 goes as xid");
        assert_eq!(c.transaction_status(), barepg::TransactionStatus::Idle);
    });
}

/// A key that others may read: the server says `S` to the question for TLS, and then an error in
/// clear, which is not shown, for no one vouches for it.
#[cfg(feature = "tls")]
#[test]
fn a_server_whose_key_may_be_read() {
    use barepg::tls::{Tls, TlsError, TlsStorage};
    let front = in_trouble(Trouble::KeyReadable);
    let config = known().sslmode(barepg::SslMode::Require);
    let mut storage = Storage::<512, 512>::new();
    let mut records = TlsStorage::<4113, 1024>::new();
    let tls = Tls::new(&mut records);
    let mut client = Client::new(storage.buffers(), &config, &Host).with_tls(tls);
    let error = client.connect(tcp(front.port())).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls(TlsError::NotTls));
    assert!(client.server_error().is_none());
}
