//! The works that are measured.

use super::programs::Client;

/// Something that every client does.
#[derive(Debug, PartialEq, Eq)]
pub struct Work {
    /// What the programs know it by, and `budgets.toml`.
    pub name: &'static str,
    /// What a unit is.
    pub about: &'static str,
    /// The two sizes.
    pub sizes: (u32, u32),
    /// The two sizes of a quick run.
    pub quick: (u32, u32),
    /// How many units one of the sizes counts.
    pub units: u32,
    /// Clients that cannot do it.
    pub without: &'static [Client],
    /// How often a run under callgrind is made; the least counts. More than once where a busy machine
    /// hands over what is received in smaller parts, which is more reads.
    pub times: u32,
}

const fn work(
    name: &'static str,
    about: &'static str,
    sizes: (u32, u32),
    quick: (u32, u32),
) -> Work {
    Work { name, about, sizes, quick, units: 1, without: &[], times: 1 }
}

/// All but barepg.
const OTHERS: &[Client] =
    &[Client::Floor, Client::Libpq, Client::Postgres, Client::Tokio, Client::Sqlx];

/// All of them, in the order in which they are printed.
pub const WORKS: &[Work] = &[
    work("connect", "connect and close, trust", (20, 100), (10, 40)),
    Work { without: &[Client::Floor], ..work("login_scram", "SCRAM login, cold", (1, 3), (1, 2)) },
    Work { without: OTHERS, ..work("login_keys", "SCRAM login, cached keys", (5, 45), (2, 22)) },
    work("simple", "select 1, simple", (300, 1300), (200, 600)),
    work("prepared", "prepared trip, int4 decoded", (300, 1300), (200, 600)),
    work("adhoc", "ad-hoc statement, one parameter", (300, 1300), (200, 600)),
    work("row_binary", "binary row of 5, typed", (5000, 20_000), (2000, 8000)),
    work("row_text", "text row of 5, parsed", (5000, 20_000), (2000, 8000)),
    work("copy_out", "COPY OUT row, undecoded", (5000, 20_000), (2000, 8000)),
    work("insert", "prepared insert of 5", (300, 1300), (200, 600)),
    Work {
        without: &[Client::Postgres, Client::Sqlx],
        ..work("execute_many", "execute_many item, 100 a Sync", (500, 2500), (500, 1500))
    },
    Work {
        without: &[Client::Postgres, Client::Sqlx],
        ..work("pipeline", "pipeline item, 100 a Sync", (500, 2500), (500, 1500))
    },
    // sqlx leaves the encoding of rows to its user.
    Work {
        without: &[Client::Sqlx],
        ..work("copy_in", "COPY IN row, binary", (5000, 20_000), (2000, 8000))
    },
    Work { times: 3, ..work("read_10mb", "read of 10 MB, 4 KB buffer", (2, 14), (1, 4)) },
    Work {
        units: 1024,
        without: &[Client::Floor],
        ..work("get", "get(i) of 1,024 columns", (1, 4), (1, 3))
    },
];

/// Sizes of the buffer that a [`SIZED`] work is done with; of 64 only what is sent, of 65,536 only what is
/// received.
pub const SIZES: [u32; 9] = [64, 128, 256, 512, 1024, 2048, 4096, 16_384, 65_536];

/// What barepg does with buffers of each size: `row_binary` receives, `execute_many` sends.
pub const SIZED: &[Work] = &[
    sized("row_binary@128"),
    sized("row_binary@256"),
    sized("row_binary@512"),
    sized("row_binary@1024"),
    sized("row_binary@2048"),
    sized("row_binary@4096"),
    sized("row_binary@16384"),
    sized("row_binary@65536"),
    sized("execute_many@64"),
    sized("execute_many@128"),
    sized("execute_many@256"),
    sized("execute_many@512"),
    sized("execute_many@1024"),
    sized("execute_many@2048"),
    sized("execute_many@4096"),
    sized("execute_many@16384"),
];

/// Something that grows, and must cost as much a unit in its second half as in its first.
#[derive(Debug, PartialEq, Eq)]
pub struct Growth {
    /// Done at three sizes, the same distance apart: in `sizes` and midway.
    pub work: Work,
    /// What may differ between the halves, in hundredths of the first.
    pub percent: u32,
}

impl Growth {
    /// What its figures are called.
    pub fn name(&self) -> &'static str {
        self.work.name.trim_start_matches("grow_")
    }

    /// The three sizes.
    pub const fn three(&self) -> [u32; 3] {
        let (first, last) = self.work.sizes;
        [first, (first + last) / 2, last]
    }
}

/// What grows: a server may be asked for more of any of these, or send it.
pub const GROWTH: &[Growth] = &[
    growth("grow_rows", "row received", (2000, 20_000)),
    growth("grow_columns", "column of a row, read by number", (1000, 1600)),
    growth("grow_parameters", "parameter, and its place in the text", (13_107, 65_535)),
    growth("grow_items", "item of one execute_many", (2000, 20_000)),
    growth("grow_copy_rows", "row of one COPY into a table", (2000, 20_000)),
    growth("grow_read", "KB of one value received", (10_240, 102_400)),
    growth("grow_write", "KB of one value sent", (10_240, 102_400)),
    growth("grow_notifications", "notification", (1000, 10_000)),
];

const fn growth(name: &'static str, about: &'static str, sizes: (u32, u32)) -> Growth {
    Growth { work: Work { without: OTHERS, ..work(name, about, sizes, sizes) }, percent: 4 }
}

const fn sized(name: &'static str) -> Work {
    Work { without: OTHERS, ..work(name, "", (2000, 8000), (2000, 8000)) }
}
