//! The client: buffers and configuration that outlive every link.

use crate::auth::{HashHardware, KeyCache, Pbkdf2Hardware};
use crate::config::Config;
use crate::connect::{
    CancelToken, Channel, Dial, TlsSlot, cancel_interrupted, cancel_with, connect, connect_with,
};
use crate::connection::Connection;
use crate::engine::{Event, Framed, NotificationQueue, Session, StaticStatements, Stats};
use crate::error::{Result, ServerError};
use crate::limits;
use crate::platform::Platform;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::transport::Transport;

/// The two byte buffers of a client, lent by the caller.
///
/// The receive buffer must hold a row (its packed column descriptions stay beside it: 6 bytes and
/// the name for each; with `query_one` and `query_opt` so do [`limits::RX_RESERVE`]); larger rows are skipped
/// with an error. The send buffer only decides how
/// many pieces a message goes out in. The first of a login goes in one, and must fit the larger of the two: 60 bytes
/// and user, database, application name (18 more), options, limits.
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
    ///
    /// ```no_run
    /// let mut memory = [0; 1024]; // 768 to receive, 256 to send
    /// let buffers = barepg::Buffers::split(&mut memory, 768);
    /// # let _ = buffers;
    /// ```
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
    /// Zeroed memory. With fewer bytes than [`limits::MIN_RX`] and [`limits::MIN_TX`] it does not
    /// compile.
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
pub struct Client<'b> {
    pub(crate) session: Session<'b>,
    config: Held<'b>,
    pub(crate) tls: TlsSlot<'b>,
}

/// Where the configuration is: lent, from flash for example, or on a host the client's own.
#[cfg_attr(feature = "std", allow(clippy::large_enum_variant, reason = "no heap is used for it"))]
enum Held<'b> {
    Lent(&'b Config<'b>),
    #[cfg(feature = "std")]
    Own(Config<'b>),
}

impl<'b> Held<'b> {
    #[cfg(feature = "std")]
    const fn get(&self) -> &Config<'b> {
        match self {
            Self::Lent(config) => config,
            Self::Own(config) => config,
        }
    }

    #[cfg(not(feature = "std"))]
    const fn get(&self) -> &Config<'b> {
        let Self::Lent(config) = self;
        config
    }
}

// With two buffers of 512 bytes a session takes 1.25 KB, with the smallest 416 bytes.
#[cfg(all(target_pointer_width = "32", not(feature = "tls")))]
const _: () = assert!(size_of::<Client<'_>>() <= limits::CLIENT);

impl<'b> Client<'b> {
    /// A client. Nothing is sent yet.
    pub fn new(buffers: Buffers<'b>, config: &'b Config<'b>, platform: &'b dyn Platform) -> Self {
        Self::with(buffers, Held::Lent(config), platform)
    }

    /// A client that keeps the configuration itself.
    #[cfg(feature = "std")]
    pub(crate) fn owning(
        buffers: Buffers<'b>,
        config: Config<'b>,
        platform: &'b dyn Platform,
    ) -> Self {
        Self::with(buffers, Held::Own(config), platform)
    }

    fn with(buffers: Buffers<'b>, config: Held<'b>, platform: &'b dyn Platform) -> Self {
        let link = Framed::new(buffers.rx, buffers.tx, platform);
        Self { session: Session::new(link), config, tls: TlsSlot::default() }
    }

    /// Lets the client use TLS. Without it, `sslmode` from `require` on is an error, and weaker
    /// modes do without.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: Tls<'b>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The configuration.
    pub const fn config(&self) -> &Config<'b> {
        self.config.get()
    }

    /// Another configuration, for the connections to come.
    ///
    /// Forgets the keys kept by [`set_key_cache`](Self::set_key_cache), for the password may differ.
    pub fn set_config(&mut self, config: &'b Config<'b>) {
        if let Some(keys) = self.session.keys.as_deref_mut() {
            keys.clear();
        }
        self.session.forget_database();
        self.config = Held::Lent(config);
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
    /// [`server_error`](Self::server_error) has its message. Everything else: the link failed; open
    /// a new one after a pause. [`Error::remedy`](crate::Error::remedy) says which of them can pass.
    /// The transport is dropped with the error.
    pub fn connect<'c, T: Transport>(
        &'c mut self,
        transport: T,
    ) -> Result<Connection<'c, 'b, Channel<'c, T>>> {
        let (session, tls, config) = self.parts();
        connect(session, tls, config, transport)
    }

    /// Opens a link through the dialler, logs in, and returns the session.
    ///
    /// Tries the hosts of the configuration in the order written, or shuffled, and all addresses
    /// of each, until one gives the session that `target_session_attrs` asks for. Each attempt
    /// has `connect_timeout` for link, TLS and login together. A host that cannot be reached,
    /// does not answer, shuts down or starts up is passed over; a refused login ends the search,
    /// as in libpq, and so does a certificate that is not trusted. With `dialect=auto` a server that
    /// fails in any way before its first authentication request (some know nothing of openGauss's
    /// protocol version) is asked again with 3.0; silence ends that attempt after
    /// [`limits::GUESS_MS`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect), of the attempt that ended the search.
    /// [`ErrorKind::Dial`](crate::ErrorKind::Dial): the last host could not be reached.
    /// [`ErrorKind::NoSuitableHost`](crate::ErrorKind::NoSuitableHost): sessions were available,
    /// and none was the one wanted.
    pub fn connect_with<'c, D: Dial>(
        &'c mut self,
        dialler: &mut D,
    ) -> Result<Connection<'c, 'b, Channel<'c, D::Transport>>> {
        let (session, tls, config) = self.parts();
        connect_with(session, tls, config, dialler)
    }

    /// Cancels the running statement of another client's session: opens a link through the
    /// dialler to where that session is (same host, same address), with TLS if the session has
    /// it, and sends the request. This client needs the same configuration and buffers of its
    /// own; it must not have a session.
    ///
    /// ```no_run
    /// # fn example<D: barepg::Dial>(client: &mut barepg::Client<'_>, dialler: &mut D) -> barepg::Result<()> {
    /// let mut conn = client.connect_with(dialler)?;
    /// let token = conn.cancel_token();
    /// if conn.execute("call recompute_everything()", ()).is_err() {
    ///     drop(conn);
    ///     if let Some(token) = token {
    ///         client.cancel_with(&token, dialler)?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with) until the link is open; then as
    /// [`CancelToken::cancel`].
    pub fn cancel_with<D: Dial>(&mut self, token: &CancelToken, dialler: &mut D) -> Result<()> {
        let (session, tls, config) = self.parts();
        cancel_with(session, tls, config, token, dialler)
    }

    /// Cancels what the last session left running: its link failed, a verb missed its deadline, or the
    /// connection was dropped, while an answer was owed. The statement may go on at the server then, and one that waits for
    /// a lock keeps its server process until it has it. Call this before the next
    /// [`connect_with`](Self::connect_with); it opens a link as
    /// [`cancel_with`](Self::cancel_with) does, within `connect_timeout` and
    /// [`limits::CANCEL_MS`]. What became of the statement stays unknown. PgBouncer does not know the session any more.
    /// [`supervise`](Self::supervise) does it by itself.
    ///
    /// `false`: nothing was left running, or where the session was is not known, for it was opened
    /// by [`connect`](Self::connect); nothing was sent.
    ///
    /// # Errors
    /// As [`cancel_with`](Self::cancel_with). What was left is given up then.
    pub fn cancel_interrupted<D: Dial>(&mut self, dialler: &mut D) -> Result<bool> {
        let (session, tls, config) = self.parts();
        cancel_interrupted(session, tls, config, dialler)
    }

    /// Takes the client apart: what changes, and what does not.
    pub(crate) const fn parts(&mut self) -> (&mut Session<'b>, &mut TlsSlot<'b>, &Config<'b>) {
        let Self { session, config, tls } = self;
        (session, tls, config.get())
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
    ///
    /// ```
    /// # fn f(client: &mut barepg::Client<'_>) {
    /// use barepg::Event;
    /// fn handle(event: Event<'_>) {
    ///     match event {
    ///         Event::Notice(notice) => { /* print it */ }
    ///         Event::Parameter { name: b"TimeZone", value } => { /* bytes, as the name */ }
    ///         _ => {}
    ///     }
    /// }
    /// client.set_event_handler(&handle);
    /// # }
    /// ```
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

    /// The server's message when it refused the last `connect` or ended the last session.
    pub fn server_error(&self) -> Option<ServerError<'_>> {
        self.session.server_error()
    }

    /// Keeps the keys of each login for the next one, which then hashes next to nothing. Read
    /// [`KeyCache`] for the price.
    ///
    /// ```no_run
    /// # fn example<'b>(client: &mut barepg::Client<'b>, cache: &'b mut barepg::KeyCache) {
    /// // The cache is in a static, or restored from flash.
    /// client.set_key_cache(cache); // the next login takes 60,000 instructions instead of 20 million
    /// # }
    /// ```
    pub const fn set_key_cache(&mut self, cache: &'b mut KeyCache) {
        self.session.keys = Some(cache);
    }

    /// Has a peripheral of the board do the hashing of logins by SCRAM. Takes the place of
    /// [`set_key_cache`](Self::set_key_cache): a [`HashHardware`] keeps keys itself, where it is
    /// told to. Lending a cache again goes back to hashing by the driver, for a board whose device
    /// failed ([`AuthError::HashHardware`](crate::AuthError::HashHardware)). Firmware that does not
    /// call this holds nothing of it.
    ///
    /// ```no_run
    /// # fn example<'b, D: barepg::Sha256Hardware + 'static>(
    /// #     client: &mut barepg::Client<'b>, device: &'b mut barepg::HashHardware<D>) {
    /// // static DEVICE: HashHardware<Rp2350> = HashHardware::keeping_keys(Rp2350(registers));
    /// client.set_hash_hardware(device);
    /// # }
    /// ```
    pub const fn set_hash_hardware<D>(&mut self, device: &'b mut HashHardware<D>)
    where
        D: Pbkdf2Hardware + 'static,
    {
        self.session.keys = Some(device);
    }

    /// The keys kept, if a cache was lent.
    pub fn key_cache(&self) -> Option<&KeyCache> {
        self.session.keys.as_deref().map(|keys| keys.cache())
    }

    /// Deadline of each verb, in milliseconds: the same as
    /// [`Connection::set_timeout_ms`](crate::Connection::set_timeout_ms), for when there is no session. A client
    /// has one deadline: what was set last holds, in later sessions too. Default:
    /// [`limits::DEFAULT_TIMEOUT_MS`]. The login has `connect_timeout`.
    pub const fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.session.timeout_ms = timeout_ms;
    }

    /// What went over all links so far.
    pub const fn stats(&self) -> Stats {
        self.session.link.stats
    }
}

impl core::fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").field("config", self.config()).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Buffers<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Buffers({} + {})", self.rx.len(), self.tx.len())
    }
}

impl<const RX: usize, const TX: usize> core::fmt::Debug for Storage<RX, TX> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Storage<{RX}, {TX}>")
    }
}
