//! Every capacity, default and bound of the driver, each with its reason.

/// Smallest receive buffer, in bytes. SCRAM's server-first message of PostgreSQL is 93 bytes
/// (24-byte client nonce + 24-byte server nonce, 16-byte salt, iteration count, all in text).
pub const MIN_RX: usize = 96;

/// Most bytes that a [`Client`](crate::Client) takes beside its buffers, on a 32-bit machine and
/// without TLS: what a session must remember, and a cancel key of 32 bytes.
pub const CLIENT: usize = 256;

/// Smallest send buffer, in bytes. Messages larger than the buffer go out in pieces of its size:
/// with the smallest a SCRAM login takes two writes where it could take one.
/// PgBouncer refuses a login message that arrives in pieces: before it take 128 bytes.
pub const MIN_TX: usize = 64;

/// Receive and send buffer of the default [`Storage`](crate::Storage), in bytes. A row of
/// 75 bytes takes a sixth more instructions with 256, a fifth less with 4,096: `docs/cost.md` has the figures.
pub const DEFAULT_BUFFER: usize = 512;

/// Deadline of one operation unless the caller sets another, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// Deadline of the whole login unless `connect_timeout` says otherwise, in milliseconds. Longer
/// than an operation's: 4096 rounds of SCRAM take seconds on a small core.
pub const DEFAULT_CONNECT_TIMEOUT_MS: u32 = 30_000;

/// How long [`Client::cancel_interrupted`](crate::Client::cancel_interrupted) takes at the most, in
/// milliseconds, and no longer than `connect_timeout`: a host that is gone is not waited for twice.
pub const CANCEL_MS: u32 = 5_000;

/// How long `connect_with` waits for a first answer where openGauss's protocol version is offered by
/// guess, in milliseconds, and no longer than half of `connect_timeout`: then it asks for 3.0. Some that
/// speak PostgreSQL's protocol say nothing to a version that they do not know.
pub const GUESS_MS: u32 = 5_000;

/// Fewest SCRAM iterations accepted: what RFC 7677 section 4 demands.
pub const SCRAM_MIN_ITERATIONS: u32 = 4096;

/// Most SCRAM iterations accepted unless the caller raises it. 20,000 cost a Cortex-M3 at 64 MHz
/// about two seconds; a hostile server that asks for 2^31 would stop it for days.
pub const SCRAM_MAX_ITERATIONS: u32 = 20_000;

/// Fewest iterations of openGauss's SHA256 and SM3 accepted: its own minimum
/// (`auth_iteration_count` 2048 to 134217728, default 10000). A rogue server that asks for 1 could
/// try passwords against the answer at no cost.
pub const GAUSS_MIN_ITERATIONS: u32 = 2048;

/// Most iterations of openGauss's SHA256 and SM3 accepted unless the caller raises it. 50,000
/// cost a Cortex-M3 at 64 MHz about five seconds.
pub const GAUSS_MAX_ITERATIONS: u32 = 50_000;

/// Longest SCRAM salt, in bytes. PostgreSQL makes 16; its own client sets no limit. It is on the stack
/// of a login: a board keeps to 64 bytes, a host takes whatever fits a receive buffer of 1.5 KB.
pub const SCRAM_SALT: usize = if cfg!(feature = "std") { 1024 } else { 64 };

/// Hash iterations between two calls of [`Platform::idle`](crate::Platform::idle): about one
/// millisecond on a Cortex-M3 at 64 MHz.
pub const HASH_SLICE: u32 = 16;

const _: () = assert!(HASH_SLICE.is_power_of_two());

/// Longest cancel key kept, in bytes. PostgreSQL up to 17 and openGauss send 4, PostgreSQL 18
/// sends 32. The protocol allows 256: longer keys are not kept, and never cut.
pub const CANCEL_KEY: usize = 32;

/// Turns of waiting in a row in which the clock did not move before it is looked at closely: at
/// 50 ms each, 13 seconds.
pub const STILL_TURNS: u16 = 256;

/// Looks at the clock before it counts as stopped: some 20 million instructions, so a clock that
/// moves every 100 ms is never taken for one that stands on a core of up to 200 MHz.
pub const STILL_LOOKS: u32 = 1 << 20;

/// Statements of a batch sent before their answers are read. Each answer is about 25 bytes, so
/// 128 of them fit the smallest socket buffers on the way and neither side blocks on the other.
pub const PIPELINE_WINDOW: u16 = 128;

/// Bytes of `execute_many` sent before its answers are read, and one item more at the most. A row that the statement
/// returns, or a notice of a trigger, is larger than 25 bytes: a server that cannot send it reads no further, and what
/// its socket buffer takes meanwhile is 64 KB on Linux.
pub const BATCH_WINDOW: u32 = 32_768;

/// Messages of openGauss's batch bind sent before their answers are read. Each is as long as the
/// send buffer and holds many rows; each answer is about 25 bytes.
pub const BATCH_BIND_WINDOW: usize = 16;

/// Bytes of the receive buffer kept free after a pinned error or row description, for what must
/// be seen whole and may follow: CommandComplete with the largest count (`INSERT 0 …`, 30 bytes),
/// a change of `client_encoding` (31 bytes), the SQLSTATE of a notice (within 25 bytes).
pub const RX_RESERVE: usize = 32;

/// Most dimensions of an array, as in the server (`MAXDIM` of `utils/array.h`).
pub const MAX_DIMENSIONS: usize = 6;

/// Most fields of a composite value, as in the server (`MaxTupleAttributeNumber` of
/// `access/htup_details.h`).
pub const MAX_FIELDS: u32 = 1664;

/// Intermediate certificates between the server's and a trusted one. Public authorities use one
/// or two.
#[cfg(feature = "tls")]
pub const TLS_CHAIN_DEPTH: usize = 4;

/// Signatures checked while looking for a chain, so that certificates with equal names cannot
/// keep the processor busy. On a Cortex-M3 each costs 5 million instructions (RSA 2048), 10 (P-256),
/// 18 (RSA 4096; 23 with an exponent of 32 bits in place of 65537), 2 (Ed25519) or some 80 (P-384).
/// [`Platform::idle`](crate::Platform::idle) and the deadline have their turn in between:
/// [`TLS_SLICE`].
#[cfg(feature = "tls")]
pub const TLS_SIGNATURE_CHECKS: u8 = 8;

/// Steps of a check of ECDSA, of 256 or 384, between two calls of
/// [`Platform::idle`](crate::Platform::idle): on a Cortex-M3 0.6 million instructions with P-256, 4
/// with P-384. A signature for a client certificate takes as many steps between them with P-384,
/// and half as many with RSA, whose steps are three multiplications of half the key's size. A check of RSA calls it after every two multiplications of the modulus' size, 0.7 million
/// instructions at 4096 bits. Between two calls, and so without one, are computed: a check of
/// Ed25519 (2 million), each half of the key exchange (5 million), and the signature for a client certificate with
/// Ed25519 (3 million) or P-256 (6 million). Counted on a Cortex-M3, no login whose server has certificates of P-384
/// or of RSA 4096 goes 6 million without it, and none that shows a client certificate 11 million.
#[cfg(feature = "tls")]
pub const TLS_SLICE: usize = 16;

/// Comparisons of names while looking for a chain: of a name with a constraint, of an attribute
/// with another. Certificates that a record holds could ask for millions; the largest authorities
/// constrain a few hundred names, and each comparison costs some hundred instructions, or what a name as
/// long as a record takes: every [`TLS_SLICE`] of them watchdog and deadline have their turn.
#[cfg(feature = "tls")]
pub const TLS_NAME_COMPARISONS: u16 = 16_384;

/// Smallest RSA modulus, in bytes: 2048 bits, the least that NIST SP 800-57 and OpenSSL's default
/// security level accept.
#[cfg(feature = "tls")]
pub const RSA_MIN_BYTES: usize = 256;

/// Largest RSA modulus, in bytes: 4096 bits. A check needs three numbers of this size on the stack.
#[cfg(feature = "tls")]
pub const RSA_MAX_BYTES: usize = 512;

/// Bytes of a connection string with login keys and without a root certificate: with two hosts and openGauss's
/// keys, which take 218 of them, 380. In [`Provisioned`](crate::provision::Provisioned).
#[cfg(feature = "provision")]
pub const PROVISIONED: usize = 512;

/// The same with a root certificate: one with a P-256 key has 400 to 700 bytes, one with an RSA key of 4096
/// bits some 1,400.
#[cfg(feature = "provision")]
pub const PROVISIONED_WITH_ROOT: usize = 2048;

/// Bytes for the values that a provisioned connection string writes in escapes.
#[cfg(feature = "provision")]
pub const PROVISIONED_SCRATCH: usize = 64;

/// The longest line of the provisioning console, in bytes. The longest parameter are openGauss's login
/// keys, 223.
#[cfg(feature = "provision")]
pub const CONSOLE_LINE: usize = 256;

/// How long a COPY waits for the server to take data before it looks whether the server waits for
/// its notices to be taken, in milliseconds. Looking may cost a slice of waiting, 50 ms.
pub const LISTEN_AFTER_MS: u32 = 100;

/// How long the driver looks for the server's last message after a write failed, in milliseconds.
pub const SALVAGE_MS: u32 = 500;

/// Statements in flash that a session remembers to have prepared. 8 bytes each, a hash, in
/// [`StaticStatements`](crate::StaticStatements); more different statements than this in one session are rare.
pub const STATIC_STATEMENTS: usize = 8;

/// What a column of variable length is taken for when a portal's slice is sized from the receive
/// buffer, in bytes. Short texts; columns that are larger are only read with smaller slices than
/// would fit.
pub const PORTAL_VARIABLE: usize = 32;

/// Parameters of a prepared statement whose types are remembered, to refuse a wrong Rust type
/// before it is sent. 4 bytes each, in the caller's [`Statement`](crate::Statement).
pub const STATEMENT_PARAMETERS: usize = 16;

/// Longest public key of a server certificate, in bytes: RSAPublicKey of 4096 bits with an
/// exponent of four bytes.
#[cfg(feature = "tls")]
pub const TLS_LEAF_KEY: usize = 528;

/// Receive record buffer of the default [`TlsStorage`](crate::tls::TlsStorage), in bytes:
/// `max_fragment_length` 4096, content type and tag. Holds an RSA chain of three certificates.
#[cfg(feature = "tls")]
pub const TLS_RX: usize = 4096 + 17;

/// Send record buffer of the default [`TlsStorage`](crate::tls::TlsStorage), in bytes: messages
/// of 635 bytes go out in one record, and a client certificate of 600 bytes fits.
#[cfg(feature = "tls")]
pub const TLS_TX: usize = 768;

/// Smallest receive record buffer: `max_fragment_length` 512, which is enough for one P-256
/// certificate.
#[cfg(feature = "tls")]
pub const MIN_TLS_RX: usize = 512 + 17;

/// Smallest send record buffer: ClientHello (about 200 bytes) with a host name of up to 100
/// bytes.
#[cfg(feature = "tls")]
pub const MIN_TLS_TX: usize = 320;
