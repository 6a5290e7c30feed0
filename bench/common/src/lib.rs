//! What the client programs share: arguments, the statements, and the checksum.
//!
//! A program is called `program PORT WORK N`, does `N` units of the work and prints a checksum of
//! what it decoded. `bench/libpq/libpq.c` has the same in C.

/// Statement of `simple` and `prepared`.
pub const SIMPLE: &str = "select 1";
/// Statement of `adhoc`.
pub const ONE_PARAMETER: &str = "select $1::int4";
/// The table that the writing works fill.
pub const CREATE: &str = "create temp table written (id int4, total int8, value float8, \
     taken_at timestamp, name text)";
/// Statement of `insert`, `execute_many` and `pipeline`.
pub const INSERT: &str = "insert into written values ($1, $2, $3, $4, $5)";
/// Statement of `copy_in`.
pub const COPY_IN: &str = "copy written from stdin with (format binary)";
/// Checksum of what was written, as text.
pub const WRITTEN: &str = "select (count(*) + sum(id + total + value::int8) \
     + sum(hashtext(taken_at || name)))::text from written";
/// Statement of `read_10mb`.
pub const BLOB: &str = "select data from blob";
/// Columns of `get`.
pub const COLUMNS: usize = 1024;
/// Items sent before a Sync.
pub const BATCH: u32 = 100;
/// Name that the floor writes: as long as those that are read.
pub const NAME: &str = "reading-000000000001";

/// Statement of `row_binary` and `row_text`.
pub fn rows(n: u32) -> String {
    format!("select id, total, value, taken_at, name from reading limit {n}")
}

/// Statement of `copy_out`.
pub fn copy_out(n: u32) -> String {
    format!("copy ({}) to stdout with (format binary)", rows(n))
}

/// Statement of `get`: rows of [`COLUMNS`] columns.
pub fn columns(n: u32) -> String {
    let columns: Vec<String> = (0..COLUMNS).map(|index| format!("g+{index}")).collect();
    format!("select {} from generate_series(1, {n}) g", columns.join(","))
}

/// A text that begins so and has room for more, so that a program's own memory is not what grows.
pub fn text(start: &str, more: u32) -> String {
    let mut text = String::with_capacity(start.len() + more as usize);
    text.push_str(start);
    text
}

/// The row that is written as number `i`. The compiler does not know the name: names come from
/// elsewhere in programs.
#[inline(always)]
pub fn row(i: u32) -> (i32, i64, f64, i64, &'static str) {
    let i = i64::from(i);
    (i as i32, i * 1_000_003, i as f64 * 0.25, i * 1_000_000, std::hint::black_box(NAME))
}

/// What the command line asked for.
pub struct Arguments {
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// The name of the work.
    pub work: String,
    /// Units to do.
    pub n: u32,
}

/// Reads the command line.
pub fn arguments() -> Arguments {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().expect("PORT WORK N");
    let (port, work, n) = (word(), word(), word());
    Arguments { port: port.parse().expect("a port"), work, n: n.parse().expect("a number") }
}

/// A sum over everything that was decoded, cheap beside the decoding.
#[derive(Default)]
pub struct Checksum(pub u64);

impl Checksum {
    /// Adds a number.
    #[inline(always)]
    pub fn add(&mut self, value: i64) {
        self.0 = self.0.wrapping_add(value as u64);
    }

    /// Adds a row of five columns.
    #[inline(always)]
    pub fn row(&mut self, id: i32, total: i64, value: f64, taken_at: i64, name: &str) {
        let last = name.as_bytes().last().copied().unwrap_or(0);
        self.add(id.into());
        self.add(total);
        self.add(value.to_bits() as i64);
        self.add(taken_at);
        self.add(name.len() as i64 + i64::from(last));
    }

    /// Adds a number as text, the answer to [`WRITTEN`].
    pub fn number(&mut self, text: &str) {
        self.add(text.parse().expect("a number"));
    }
}

/// Reads 10 MB with a sample of one byte in 64 KB, so that what is counted is the client.
#[derive(Default)]
pub struct Samples {
    seen: usize,
    next: usize,
    sum: i64,
}

impl Samples {
    /// The next piece of the value.
    #[inline]
    pub fn piece(&mut self, bytes: &[u8]) {
        while let Some(byte) = bytes.get(self.next - self.seen) {
            self.sum += i64::from(*byte);
            self.next += 65_536;
        }
        self.seen += bytes.len();
    }

    /// Length and samples.
    pub fn finish(self) -> i64 {
        self.seen as i64 + self.sum
    }
}

/// Parses `YYYY-MM-DD HH:MM:SS` to microseconds since 2000-01-01, for clients that leave it to
/// their user.
#[inline]
pub fn timestamp(text: &str) -> i64 {
    let bytes: &[u8; 19] = text.as_bytes().try_into().expect("a timestamp");
    let two = |at: usize| i64::from(bytes[at] - b'0') * 10 + i64::from(bytes[at + 1] - b'0');
    let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
    // Days since 2000-03-01 of a calendar whose year begins in March.
    let (y, m) = if month > 2 { (year - 2000, month - 3) } else { (year - 2001, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 + 60;
    (((days * 24 + two(11)) * 60 + two(14)) * 60 + two(17)) * 1_000_000
}

/// Prints the checksum.
pub fn print(sum: Checksum) {
    println!("checksum {:016x}", sum.0);
}
