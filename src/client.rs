//! The client: buffers and configuration that outlive every link.

use crate::auth::KeyCache;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::{Result, ServerError};
use crate::framed::{Framed, Stats};
use crate::limits;
use crate::link::is_local;
use crate::notify::{Event, NotificationQueue};
use crate::open::{Loan, TlsSlot, lend, link, log_in, negotiate};
use crate::platform::Platform;
use crate::session::Session;
use crate::statement::StaticStatements;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::transport::lent;
use core::borrow::Borrow;
use embedded_io::{Read, Write};

/// The two byte buffers of a client, lent by the caller.
///
/// The receive buffer must hold a row (its packed column descriptions stay beside it: 6 bytes and
/// the name for each); larger rows are skipped with an error. The send buffer only decides how
/// many pieces a message goes out in.
pub struct Buffers<'b> {
    rx: &'b mut [u8],
    tx: &'b mut [u8],
}

impl<'b> Buffers<'b> {
    /// A receive buffer of at least [`limits::MIN_RX`] bytes and a send buffer of at least
    /// [`limits::MIN_TX`].
    pub const fn new(rx: &'b mut [u8], tx: &'b mut [u8]) -> Self {
        Self { rx, tx }
    }

    /// Splits one piece of memory: the first `rx` bytes for receiving, the rest for sending.
    pub fn split(memory: &'b mut [u8], rx: usize) -> Self {
        let (rx, tx) = memory.split_at_mut(rx.min(memory.len()));
        Self { rx, tx }
    }
}

/// Memory for a client, to sit in a `static` or on a stack.
///
/// ```
/// let mut storage = barepg::Storage::<512, 512>::new();
/// let buffers = storage.buffers();
/// # let _ = buffers;
/// ```
pub struct Storage<
    const RX: usize = { limits::DEFAULT_BUFFER },
    const TX: usize = { limits::DEFAULT_BUFFER },
> {
    rx: [u8; RX],
    tx: [u8; TX],
}

impl<const RX: usize, const TX: usize> Storage<RX, TX> {
    /// Zeroed memory.
    pub const fn new() -> Self {
        const { assert!(RX >= limits::MIN_RX && TX >= limits::MIN_TX) };
        Self { rx: [0; RX], tx: [0; TX] }
    }

    /// Lends the buffers.
    pub const fn buffers(&mut self) -> Buffers<'_> {
        Buffers::new(&mut self.rx, &mut self.tx)
    }
}

impl<const RX: usize, const TX: usize> Default for Storage<RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything that outlives a link: buffers, configuration, counters. Lives as long as the
/// firmware; a reconnect needs no new memory.
///
/// The configuration `C` is a [`Config`], or a `&Config` that stays in flash: see [`LeanClient`].
pub struct Client<'b, C = Config<'b>> {
    pub(crate) session: Session<'b>,
    pub(crate) config: C,
    pub(crate) tls: TlsSlot<'b>,
}

/// A client whose configuration stays where it is, in flash for one that is a `static`: 150 bytes
/// less of RAM. Made by [`Client::new`] with a `&Config`.
pub type LeanClient<'b> = Client<'b, &'b Config<'b>>;

// With two buffers of 512 bytes a session takes 1.25 KB, with the smallest 416 bytes.
#[cfg(all(target_pointer_width = "32", not(feature = "tls")))]
const _: () = assert!(size_of::<LeanClient<'_>>() <= limits::LEAN_CLIENT);

impl<'b, C: Borrow<Config<'b>>> Client<'b, C> {
    /// A client. Nothing is sent yet.
    pub fn new(buffers: Buffers<'b>, config: C, platform: &'b dyn Platform) -> Self {
        let link = Framed::new(buffers.rx, buffers.tx, platform);
        Self { session: Session::new(link), config, tls: None }
    }

    /// Lets the client use TLS. Without it, `sslmode` from `require` on is an error, and weaker
    /// modes do without.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls<'b>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Logs in over an open transport and returns the session.
    ///
    /// The transport must keep the rules of [`transport`](crate::transport). Pass `&mut` of it to
    /// have it back after a failure.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): correct the configuration.
    /// [`ErrorKind::Auth`](crate::ErrorKind::Auth): the login was refused on this side; do not
    /// simply try again. [`ErrorKind::Server`](crate::ErrorKind::Server): the server refused,
    /// [`server_error`](Self::server_error) has its words; try again only if
    /// [`SqlState::is_transient`](crate::SqlState::is_transient). Everything else: the link
    /// failed; open a new one after a pause. The transport is dropped with the error.
    pub fn connect<T: Read + Write>(&mut self, transport: T) -> Result<Connection<'_, 'b, T>> {
        let Self { session, config, tls } = self;
        let config: &Config<'b> = (*config).borrow();
        // Of several hosts the first counts, and begins the list.
        let local = is_local(config.host.unwrap_or(""));
        let host = if cfg!(feature = "tls") { config.first_host() } else { "" };
        let mut transport = transport;
        let mut loan = lend(tls);
        let begun = session.open(config).and_then(|()| {
            negotiate(session, &loan, config, host, local, &mut lent(&mut transport))
        });
        let over_tls = match begun {
            Ok(over_tls) => over_tls,
            Err(fault) => return Err(session.failed(fault)),
        };
        // Made where it is to stay, by a function whose own stack is free again before the
        // handshake needs it.
        let mut result = start(session, &mut loan, over_tls, transport);
        if let Ok(Connection { session, transport }) = &mut result
            && let Err(fault) = log_in(session, &loan, config, host, local, transport)
        {
            result = Err(session.failed(fault));
        }
        result
    }

    /// Where notifications wait that arrive while other verbs run. Without a queue those are
    /// dropped and counted.
    ///
    /// ```
    /// # fn f<'b>(client: &mut barepg::Client<'b>, memory: &'b mut [u8; 256],
    /// #         queue: &'b mut Option<barepg::NotificationQueue<'b>>) {
    /// let queue = queue.insert(barepg::NotificationQueue::new(memory));
    /// client.set_notification_queue(queue);
    /// # }
    /// ```
    pub fn set_notification_queue(&mut self, queue: &'b mut NotificationQueue<'_>) {
        self.session.events.queue = Some(queue);
    }

    /// Shows every notice and every run-time parameter that the server reports to `handler`, at the
    /// login too.
    pub const fn set_event_handler(&mut self, handler: &'b dyn Fn(Event<'_>)) {
        self.session.events.handler = Some(handler);
    }

    /// Where sessions remember which statements in flash they have prepared. Without, a
    /// [`StaticStatement`](crate::StaticStatement) is parsed each time.
    ///
    /// ```
    /// # fn f<'b>(client: &mut barepg::Client<'b>, known: &'b mut barepg::StaticStatements) {
    /// client.set_static_statements(known);
    /// # }
    /// ```
    pub const fn set_static_statements(&mut self, known: &'b mut StaticStatements) {
        known.clear();
        self.session.statics = Some(known);
    }

    /// What the server said when it refused the last `connect` or ended the last session.
    pub fn server_error(&self) -> Option<ServerError<'_>> {
        self.session.server_error()
    }

    /// The configuration, for changes between two connections.
    ///
    /// Forgets the keys kept by [`set_key_cache`](Self::set_key_cache), for the password may change.
    pub fn config_mut(&mut self) -> &mut C {
        if let Some(keys) = self.session.keys.as_deref_mut() {
            keys.clear();
        }
        &mut self.config
    }

    /// Keeps the keys of each login for the next one, which then hashes next to nothing. Read
    /// [`KeyCache`] for the price.
    pub const fn set_key_cache(&mut self, cache: &'b mut KeyCache) {
        self.session.keys = Some(cache);
    }

    /// The keys kept, if a cache was lent.
    pub fn key_cache(&self) -> Option<&KeyCache> {
        self.session.keys.as_deref().map(|keys| keys.cache())
    }

    /// Deadline of one operation of all sessions to come, in milliseconds. Default:
    /// [`limits::DEFAULT_TIMEOUT_MS`].
    pub const fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.session.timeout_ms = timeout_ms;
    }

    /// What went over all links so far.
    pub const fn stats(&self) -> Stats {
        self.session.link.stats
    }
}

/// A connection that is still to log in.
#[inline(never)]
fn start<'c, 'b: 'c, T: Read + Write>(
    session: &'c mut Session<'b>,
    loan: &mut Loan<'c, 'b>,
    over_tls: bool,
    transport: T,
) -> Result<Connection<'c, 'b, T>> {
    let link = link(session, loan, over_tls, transport);
    Ok(Connection::new(session, link))
}
