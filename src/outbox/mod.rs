//! Rows that wait in flash until the server has them (feature `outbox`).
//!
//! [`Outbox::push`] returns when a row is safe: power may fail at any moment from then on.
//! [`Outbox::drain`] sends what waits, in batches, and forgets only what the server has acknowledged.
//! Rows are kept as they travel, so nothing is encoded twice, and they are read from flash while
//! they are sent: a batch takes no RAM.
//!
//! ```
//! use barepg::outbox::{Options, Outbox, RamFlash};
//! use barepg::types::oid;
//! use barepg::{Connection, PerDialect, Platform, Result, StaticStatement, insert_once};
//!
//! // First the device, then the row's number, then the values that are pushed.
//! static INSERT: PerDialect<StaticStatement> = insert_once!(
//!     "insert into reading (device, key, at, celsius) values ($1, $2, to_timestamp($3), $4)",
//!     &[oid::INT4, oid::INT8, oid::FLOAT8, oid::FLOAT4],
//! );
//! static STATEMENTS: &[&StaticStatement] = &[&INSERT.postgresql];
//! static AT_OPENGAUSS: &[&StaticStatement] = &[&INSERT.opengauss];
//!
//! # fn f(platform: &dyn Platform, conn: &mut Connection) -> Result<()> {
//! let (mut flash, mut buffer) = ([0; 4096], [0; 128]);
//! let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&(7_i32,));
//! let mut outbox = Outbox::open(RamFlash::new(&mut flash), &mut buffer, options, platform)?;
//! outbox.push(&INSERT.postgresql, (1.7e9_f64, 21.5_f32))?;
//! outbox.drain(conn)?;
//! # Ok(()) }
//! ```
//!
//! # The key
//! Each row has a number that no other row of this device ever had or will have, across resets and
//! power cuts. It is sent as a `bigint`. A new outbox begins at a random one of 2³¹ places, 2³²
//! numbers apart, so that an outbox that was lost with its flash does not meet its old numbers again.
//! The table's primary key is device and number, and the statement says `on conflict do nothing`, at
//! openGauss `on duplicate key update nothing`: then a row that is sent twice is stored once.
//! Numbers rise with time, and some are left out.
//!
//! # What the flash must do
//! What [`NorFlash`] says: a word that is written is written once between two erasures. An erasure
//! that is cut may leave anything. Words of up to 32 bytes are supported, erasures of any size.
//!
//! | file | what |
//! |---|---|
//! | `format`, `number` | the bytes in flash, numbers of rows |
//! | `cursor` | from record to record |
//! | `ring`, `recover` | one log in a ring of pages: append, done; after a reset |
//! | `take_over` | rows of another outbox |
//! | `drain`, `resend` | sending: batches, refused rows; sending again |

mod cursor;
mod drain;
mod format;
mod number;
mod options;
mod recover;
mod resend;
mod ring;
mod take_over;
#[cfg(test)]
mod tests;

pub use crate::flash::RamFlash;
pub use embedded_storage::nor_flash::NorFlash;
pub use options::{Full, Options};

use cursor::{Found, to_usize};
use drain::Sending;
use format::{HEAD, HEADER, KEY, KEYED};
use resend::Resend;
use ring::Ring;

use crate::error::{
    Buffer, Details, Error, Fault, OutboxError, Outcome, Result, SqlState, UsageError,
};
use crate::flash::FlashError;
use crate::platform::{Platform, draw_entropy};
use crate::verbs::{Params, StaticStatement};
use crate::wire::{Rules, WireError, Writer};

/// The flash, with errors of this module.
type Device<F> = crate::flash::Device<F, OutboxError>;

/// Bytes before the values of a row that is set aside: its number, the SQLSTATE.
const ASIDE: u32 = 16;

/// Bytes that a row's values are fewer than: lengths in flash are of 16 bits.
const LONGEST: u16 = u16::MAX - 32;

/// Rows in flash, RAM or a file that wait until the server has them.
#[derive(Debug)]
pub struct Outbox<'b, F> {
    device: Device<F>,
    buffer: &'b mut [u8],
    options: Options<'b>,
    rows: Ring,
    /// Of rows that were refused; of no pages where there is none.
    aside: Ring,
    sending: Sending,
    /// What is done about servers that are another one. A pointer, so that what is not asked for is not
    /// in the image.
    resend: Resend<'b, F>,
    counters: Counters,
}

/// What an outbox has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counters {
    /// Rows that were pushed and are safe.
    pub pushed: u32,
    /// Rows that the server has acknowledged.
    pub stored: u32,
    /// Rows that were given up because the outbox was full, the oldest or the newest, and those that
    /// the flash holds no longer.
    pub dropped: u32,
    /// Rows that the server refused for their own values, set aside.
    pub refused: u32,
    /// Rows set aside that were given up because there was no more room for them.
    pub aside_dropped: u32,
    /// Rows that were acknowledged once and are sent again, because the server is another one.
    pub resent: u32,
    /// Rows that the server acknowledged without storing them, although they were never sent
    /// before: another row has their key, or the table drops them. Look for a second device with this
    /// one's identity, and for rules and triggers.
    pub swallowed: u32,
    /// Batches that ended with an error.
    pub failures: u32,
    /// Calls that programmed flash.
    pub flash_writes: u32,
    /// Bytes that were programmed.
    pub flash_bytes: u32,
    /// Pages that were erased.
    pub erasures: u32,
}

/// A row that the server refused for its own values.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Aside<'a> {
    /// The row's number.
    pub key: i64,
    /// Why it was refused; `XX000` where it could not be sent at all.
    pub sqlstate: SqlState,
    /// The values, encoded: see [`EncodedParams`](crate::EncodedParams).
    pub values: &'a [u8],
}

impl<'b, F: NorFlash> Outbox<'b, F> {
    /// Opens the outbox in a flash, and makes one where there is none. Reads all of it once, and what waits a second
    /// time: where that takes long, feed the watchdog in the flash's `read`.
    ///
    /// `buffer` holds the largest row as it travels (4 bytes and the value for each) and 56 bytes
    /// more. `platform` is asked for 8 random bytes where an outbox is made.
    ///
    /// # Errors
    /// [`OutboxError::Region`], [`OutboxError::Foreign`], [`OutboxError::SameStatement`],
    /// [`OutboxError::NoEntropy`], and what the flash reports. [`UsageError::ParameterType`],
    /// [`UsageError::ParameterCount`]: device and number are not what a statement has. Nothing was
    /// written.
    pub fn open(
        flash: F,
        buffer: &'b mut [u8],
        options: Options<'b>,
        platform: &dyn Platform,
    ) -> Result<Self> {
        options.check_statements()?;
        let (rows, aside) = options.places::<F>(flash.capacity())?;
        let mut device = Device::new(flash);
        let longest = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let smallest = Device::<F>::round(HEAD.wrapping_add(ASIDE));
        if longest < smallest || HEADER.saturating_add(longest) > rows.page {
            return Err(OutboxError::Region.into());
        }
        let (mut ring, mut ring_aside) = (Ring::NONE, Ring::NONE);
        ring.open(&mut device, rows, longest)?;
        if ring.sequence == 0 {
            let mut random = [0; 8];
            draw_entropy(platform, &mut random).map_err(|_| OutboxError::NoEntropy)?;
            // Positive as a bigint.
            ring.begin(u64::from_le_bytes(random) >> 33 << 32);
        }
        if let Some(place) = aside {
            ring_aside.open(&mut device, place, longest)?;
        }
        let sending = Sending::new(&ring);
        let counters = Counters::default();
        let resend = Resend::NONE;
        let (rows, aside) = (ring, ring_aside);
        Ok(Self { device, buffer, options, rows, aside, sending, resend, counters })
    }

    /// Erases the outbox in a flash, with all that waits in it. The next [`open`](Self::open) makes
    /// a new one, with numbers of its own.
    ///
    /// # Errors
    /// [`OutboxError::Region`], and what the flash reports: a part may be erased then, as where power fails. Call it
    /// again.
    pub fn erase(flash: F, options: &Options<'_>) -> Result<F> {
        let (rows, aside) = options.places::<F>(flash.capacity())?;
        let mut device = Device::new(flash);
        for place in [Some(rows), aside].into_iter().flatten() {
            let sequence = |device: &mut _, index| {
                place.header(device, index).map_or(0, |header| header.sequence)
            };
            let newest = (0..place.pages).max_by_key(|&index| sequence(&mut device, index));
            // The newest page last: it says which numbers are used, should power fail in between.
            let mut index = newest.unwrap_or(0);
            for _ in 0..place.pages {
                index = place.after(index);
                device.erase(place.at(index, 0), place.at(index, place.page))?;
            }
        }
        Ok(device.flash)
    }

    /// Puts a row into the outbox: `values` are the statement's parameters after device and number.
    /// When this returns, the row is safe. Returns its number, the key.
    ///
    /// # Errors
    /// [`OutboxError::Full`] as the policy says: the row is not in the outbox then.
    /// [`OutboxError::UnknownStatement`]: the statement is not among those that it was opened with.
    /// [`UsageError::ParameterCount`], [`UsageError::ParameterType`]: the values are not what the
    /// statement has. [`ErrorKind::Encode`](crate::ErrorKind::Encode),
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity): the buffer is too small. The flash's
    /// errors, at a second place too, for words and pages that are worn out are left out: the row is not in the
    /// outbox.
    pub fn push(
        &mut self,
        statement: &'static StaticStatement,
        values: impl Params,
    ) -> Result<i64> {
        self.push_row(statement, &values)
    }

    fn push_row(
        &mut self,
        statement: &'static StaticStatement,
        values: &dyn Params,
    ) -> Result<i64> {
        if self.options.pick(statement.tag(), false).is_none() {
            return Err(OutboxError::UnknownStatement.into());
        }
        let from = self.options.device.count().saturating_add(1);
        match statement.check_part(from, values) {
            Ok(end) if end == statement.types().len() => {}
            Ok(_) => return Err(of_usage(UsageError::ParameterCount)),
            Err(error) => return Err(of_usage(error)),
        }
        let length = self.encode(values)?;
        let room = self.options.full.room();
        match self.rows.append(&mut self.device, statement.tag(), self.buffer, length, room) {
            Ok(()) => {
                self.counters.pushed = self.counters.pushed.wrapping_add(1);
                Ok(self.rows.whole(self.rows.last).cast_signed())
            }
            Err(error) => {
                if error == OutboxError::Full && self.options.full == Full::DropNewest {
                    self.counters.dropped = self.counters.dropped.wrapping_add(1);
                }
                Err(error.into())
            }
        }
    }

    /// Encodes values to where a record's content is.
    fn encode(&mut self, values: &dyn Params) -> Result<u16> {
        let have = to_usize(self.longest());
        let (from, most) = (to_usize(HEAD), to_usize(HEAD).saturating_add(have));
        let content = self.buffer.get_mut(from..most).unwrap_or_default();
        let mut writer = Writer::new_under(content, Rules::LATER);
        let length = match values.values(&mut writer) {
            Ok(()) => writer.len(),
            Err(WireError::Full) => {
                let needed =
                    Writer::measure(&|w: &mut Writer<'_>| values.values(w), &[], Rules::LATER)?;
                // Of the whole buffer, as `longest` has it.
                let needed = u32::try_from(needed).unwrap_or(u32::MAX >> 1);
                let needed = Device::<F>::round(needed.wrapping_add(HEAD.wrapping_add(ASIDE)));
                let have = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
                let details = Details::capacity(Buffer::Outbox, have, needed);
                return Err(Error::new(Fault::CAPACITY, details, Outcome::NotSent, true));
            }
            Err(error) => return Err(error.into()),
        };
        // Also with a key, or set aside, below the length of erased flash.
        u16::try_from(length).ok().filter(|&n| n < LONGEST).ok_or(WireError::TooLong.into())
    }

    /// Bytes of the largest row.
    fn longest(&self) -> u32 {
        let buffer = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        // Whole words, and what is before the values of a row that is set aside.
        let words = buffer & !Device::<F>::WORD.wrapping_sub(1);
        words.saturating_sub(HEAD.wrapping_add(ASIDE))
    }

    /// How many rows wait.
    pub const fn waiting(&self) -> u32 {
        self.rows.waiting
    }

    /// How many rows are set aside.
    pub const fn set_aside(&self) -> u32 {
        self.aside.waiting
    }

    /// What was done since the outbox was opened.
    pub const fn counters(&self) -> Counters {
        let Device { writes, bytes, erasures, .. } = self.device;
        let mut counters = self.counters;
        (counters.flash_writes, counters.flash_bytes, counters.erasures) =
            (writes, bytes, erasures);
        counters.dropped = counters.dropped.wrapping_add(self.rows.given_up);
        counters.aside_dropped = counters.aside_dropped.wrapping_add(self.aside.given_up);
        counters
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.device.flash
    }

    /// The oldest row that is set aside.
    ///
    /// # Errors
    /// What the flash reports. [`OutboxError::Region`]: the buffer is smaller than when the row was pushed.
    pub fn next_aside(&mut self) -> Result<Option<Aside<'_>>> {
        let mut cursor = self.aside.tail;
        if !self.aside.step(&mut self.device, &mut cursor)? {
            return Ok(None);
        }
        let found = cursor.found;
        let length = read(&mut self.device, &found, self.buffer)?;
        let content = self.buffer.get(..length).unwrap_or_default();
        let Some((head, mut values)) = content.split_first_chunk::<16>() else {
            return Err(OutboxError::Region.into());
        };
        let [a, b, c, d, e, f, g, h, state @ .., _, _, _] = *head;
        let mut key = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
        if found.kind & KEYED != 0
            && let Some((own, rest)) = values.split_first_chunk::<KEY>()
        {
            let [_, _, _, _, own @ ..] = *own;
            (key, values) = (i64::from_be_bytes(own), rest);
        }
        let sqlstate = SqlState::of(state);
        Ok(Some(Aside { key, sqlstate, values }))
    }

    /// Forgets the oldest row that is set aside: [`next_aside`](Self::next_aside) goes on with the
    /// next one. `false`: there is none.
    ///
    /// # Errors
    /// What the flash reports.
    pub fn discard_aside(&mut self) -> Result<bool> {
        let mut cursor = self.aside.tail;
        let found = self.aside.step(&mut self.device, &mut cursor)?;
        if found {
            self.aside.finish(&mut self.device, &cursor, 1)?;
        }
        Ok(found)
    }
}

/// Reads a record's content to the beginning of a buffer. Returns its length.
fn read<F: NorFlash>(
    device: &mut Device<F>,
    found: &Found,
    buffer: &mut [u8],
) -> Result<usize, OutboxError> {
    let length = usize::from(found.length);
    // A record goes on to the end of a word, so there is enough to read.
    let room = to_usize(Device::<F>::round_read(found.length.into()));
    device.read(found.content, buffer.get_mut(..room).ok_or(OutboxError::Region)?)?;
    Ok(length)
}

impl From<FlashError> for OutboxError {
    fn from(error: FlashError) -> Self {
        match error {
            FlashError::Worn => Self::Worn,
            FlashError::Failed => Self::Flash,
            FlashError::Alignment => Self::FlashAlignment,
            FlashError::Bounds => Self::FlashBounds,
        }
    }
}

fn of_usage(error: UsageError) -> Error {
    Error::of(error.into(), Outcome::NotSent, true)
}

impl core::fmt::Debug for Aside<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Aside({}, {}, {} bytes)", self.key, self.sqlstate, self.values.len())
    }
}
