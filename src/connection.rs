//! A session: what the user works with. Its verbs are in `verbs`, each in the file of its guard.

use core::ops::{Deref, DerefMut};

use crate::engine::{Fact, Session, Stats, TransactionStatus};
use crate::error::ServerError;
use crate::transport::Transport;

/// One session with a server, over a transport it owns. Everything else is borrowed from the
/// [`Client`](crate::Client) and free again when the connection is dropped.
///
/// `Connection` alone, without a transport's type, is any of them: the verbs are there, and
/// functions that take one need no type parameter. What
/// [`Client::connect`](crate::Client::connect) returns becomes one by itself.
///
/// ```
/// use barepg::{Connection, Result};
///
/// fn log(conn: &mut Connection, celsius: f32) -> Result<()> {
///     conn.execute("insert into reading (celsius) values ($1)", (celsius,))?;
///     Ok(())
/// }
/// ```
///
/// Statements run in autocommit mode unless a [`transaction`](Self::transaction) is open. Most
/// verbs take one round trip. Each ends within the deadline
/// ([`set_timeout_ms`](Self::set_timeout_ms)), what an earlier verb left to do included. Dropping a
/// connection sends nothing; the server notices when the transport closes. `close` sends Terminate.
pub struct Connection<'c, 'b, T: ?Sized + 'c = dyn Transport + 'c> {
    pub(crate) session: &'c mut Session<'b>,
    pub(crate) io: T,
}

impl<'c, 'b, T: Transport + 'c> Connection<'c, 'b, T> {
    pub(crate) const fn new(session: &'c mut Session<'b>, io: T) -> Self {
        Self { session, io }
    }
}

impl<'c, 'b, T: Transport + 'c> Deref for Connection<'c, 'b, T> {
    type Target = Connection<'c, 'b>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self
    }
}

impl<'c, T: Transport + 'c> DerefMut for Connection<'c, '_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self
    }
}

impl Connection<'_, '_> {
    /// The server's message with the last error: text, detail, hint, position. There until the next
    /// call.
    pub fn server_error(&self) -> Option<ServerError<'_>> {
        self.session.server_error()
    }

    /// Whether the connection can be used. When false: drop it and connect again.
    pub const fn is_usable(&self) -> bool {
        self.session.is_usable()
    }

    /// The server's view of the transaction after the last finished verb. Of a connection that is dead it is what was said
    /// last: ask [`is_usable`](Self::is_usable) first.
    pub const fn transaction_status(&self) -> TransactionStatus {
        self.session.ledger.status()
    }

    /// Deadline of each verb from now on, in milliseconds. Default:
    /// [`limits::DEFAULT_TIMEOUT_MS`](crate::limits::DEFAULT_TIMEOUT_MS). It is the client's, and stays for its
    /// later sessions: one that was raised for a long statement is to be set back, or set at the beginning of each
    /// session.
    ///
    /// | of | it counts |
    /// |---|---|
    /// | [`Rows`](crate::Rows) | from the statement to the last row, what the caller does between two rows included |
    /// | [`Pipeline`](crate::Pipeline) | from the first answer that is asked for to the last |
    /// | a COPY; a row read by [`Rows::next_streamed`](crate::Rows::next_streamed) | for each call anew |
    ///
    /// 0 leaves no time, it does not mean none: a verb whose answer is not there at once then ends the connection.
    pub const fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.session.timeout_ms = timeout_ms;
    }

    /// Whether the session goes over TLS; libpq's `PQsslInUse`.
    pub const fn ssl_in_use(&self) -> bool {
        self.session.server.is(Fact::Encrypted)
    }

    /// The server's version as libpq counts it (150018 is 15.18), 0 while unknown. openGauss says
    /// 90204.
    pub const fn server_version(&self) -> u32 {
        self.session.server.version
    }

    /// Whether the server is openGauss.
    pub const fn is_opengauss(&self) -> bool {
        self.session.server.is_opengauss()
    }

    /// `in_hot_standby` as the server last reported it: whether it is a standby. `None` where it
    /// is not reported (PostgreSQL before 14, openGauss).
    pub const fn in_hot_standby(&self) -> Option<bool> {
        self.session.server.in_hot_standby
    }

    /// `default_transaction_read_only` as the server last reported it, `None` where it is not
    /// reported. Other parameters go to the handler of
    /// [`Client::set_event_handler`](crate::Client::set_event_handler).
    pub const fn default_transaction_read_only(&self) -> Option<bool> {
        self.session.server.read_only
    }

    /// Process number of the backend (openGauss: index of the session).
    pub const fn backend_pid(&self) -> u32 {
        self.session.server.pid
    }

    /// What went over all links of this client so far.
    pub const fn stats(&self) -> Stats {
        self.session.link.stats
    }
}

impl<T: ?Sized> core::fmt::Debug for Connection<'_, '_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (session, mut out) = (&*self.session, f.debug_struct("Connection"));
        out.field("backend_pid", &session.server.pid);
        out.field("transaction_status", &session.ledger.status());
        out.field("usable", &session.is_usable()).finish_non_exhaustive()
    }
}
