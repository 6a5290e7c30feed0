//! How an outbox is set up.

use embedded_storage::nor_flash::NorFlash;

use super::cursor::Place;
use super::drain::END_OTHERS;
use super::format::Shape;
use super::of_usage;
use super::ring::Room;
use crate::error::{OutboxError, Result};
use crate::verbs::{Params, StaticStatement};

/// What to do with a row for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Full {
    /// Give up the oldest rows, a page of them, and count them.
    DropOldest,
    /// Give up the new row, and count it. `push` returns [`OutboxError::Full`].
    DropNewest,
    /// Refuse the new row: the caller keeps it. `push` returns [`OutboxError::Full`].
    Refuse,
}

impl Full {
    pub(super) const fn room(self) -> Room {
        match self {
            Self::DropOldest => Room::Make,
            Self::DropNewest | Self::Refuse => Room::Have,
        }
    }
}

/// How an [`Outbox`](super::Outbox) is set up.
#[derive(Clone, Copy)]
pub struct Options<'b> {
    pub(super) statements: &'b [&'static StaticStatement],
    opengauss: &'b [&'static StaticStatement],
    pub(super) device: &'b dyn Params,
    region: Option<(u32, u32)>,
    page: u32,
    aside_pages: u16,
    pub(super) full: Full,
    pub(super) aside_full: Full,
    /// By this statement. A program that does not ask for it does not hold it.
    pub(super) end_others: Option<&'static str>,
    pub(super) batch: u16,
}

impl<'b> Options<'b> {
    /// An outbox for the rows of these statements: all of the flash, pages as they are erased, two
    /// of them for rows that are set aside; when it is full the oldest rows are given up.
    ///
    /// Each statement has all types of its parameters: those of the device, if there are any, then
    /// `INT8` for the row's number, then those of the values. Rows know their statement by its text
    /// and types. After a firmware update give the old statements too, until their rows are sent.
    pub const fn new(statements: &'b [&'static StaticStatement]) -> Self {
        Self {
            statements,
            opengauss: &[],
            device: &(),
            region: None,
            page: 0,
            aside_pages: 2,
            full: Full::DropOldest,
            aside_full: Full::Refuse,
            end_others: None,
            batch: crate::limits::PIPELINE_WINDOW,
        }
    }

    /// What is sent at openGauss in place of each of the statements, in the same order, where they
    /// differ: see [`insert_once`](crate::insert_once). Rows are pushed with the others.
    #[must_use]
    pub const fn at_opengauss(mut self, statements: &'b [&'static StaticStatement]) -> Self {
        self.opengauss = statements;
        self
    }

    /// The parameters before each row's number: which device this is.
    #[must_use]
    pub const fn device(mut self, device: &'b dyn Params) -> Self {
        self.device = device;
        self
    }

    /// The part of the flash to use, in bytes from its beginning: from here to here.
    #[must_use]
    pub const fn region(mut self, from: u32, to: u32) -> Self {
        self.region = Some((from, to));
        self
    }

    /// Bytes of a page: a multiple of 256 and of what is erased at a time, which is the default. A
    /// page is erased and given up as a whole.
    #[must_use]
    pub const fn page(mut self, bytes: u32) -> Self {
        self.page = bytes;
        self
    }

    /// Pages for rows that the server refuses for their own values: two, or more, or 0. With 0 such
    /// a row holds up all others until a person has acted.
    #[must_use]
    pub const fn aside_pages(mut self, pages: u16) -> Self {
        self.aside_pages = pages;
        self
    }

    /// What to do when the outbox is full. Default: [`Full::DropOldest`].
    #[must_use]
    pub const fn full(mut self, full: Full) -> Self {
        self.full = full;
        self
    }

    /// What to do when there is no room to set a row aside. Default: [`Full::Refuse`], which holds up
    /// all others ([`OutboxError::AsideFull`]): so many refused rows are no accident.
    #[must_use]
    pub const fn aside_full(mut self, full: Full) -> Self {
        self.aside_full = full;
        self
    }

    /// Whether no other session has this one's user and `application_name`. After a batch whose
    /// outcome is unknown, and after a reset, sessions of that name that are left at the server are
    /// ended first (`pg_terminate_backend`): one that waits for the rest of a batch on a dead link
    /// keeps its rows locked, and each new attempt would wait for it. Without a name nothing is ended. Names
    /// must differ in ASCII, within 63 bytes: up to PostgreSQL 15 the server makes `?` of every other byte, and a
    /// device would end the sessions of another. Default: `false`.
    #[must_use]
    pub const fn sole_session(mut self, sole: bool) -> Self {
        self.end_others = if sole { Some(END_OTHERS) } else { None };
        self
    }

    /// Most rows in a batch, one transaction. Default: [`PIPELINE_WINDOW`](crate::limits::PIPELINE_WINDOW),
    /// which are one round trip.
    #[must_use]
    pub const fn batch(mut self, rows: u16) -> Self {
        self.batch = rows;
        self
    }

    /// The statement that is sent for a row.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn pick(&self, tag: u16, is_opengauss: bool) -> Option<&'static StaticStatement> {
        let index = self.statements.iter().position(|statement| statement.tag() == tag)?;
        let other = if is_opengauss { self.opengauss.get(index) } else { None };
        other.or_else(|| self.statements.get(index)).copied()
    }

    /// Whether rows can be assigned to statements, and device and number are what those have.
    pub(super) fn check_statements(&self) -> Result<()> {
        let mut rest = self.statements;
        while let [statement, others @ ..] = rest {
            let checked = statement.check_part(0, self.device);
            checked.and_then(|at| statement.check_part(at, &(0_i64,))).map_err(of_usage)?;
            if others.iter().any(|other| other.tag() == statement.tag()) {
                return Err(OutboxError::SameStatement.into());
            }
            rest = others;
        }
        Ok(())
    }

    /// Where the two logs are: that of rows set aside comes first.
    pub(super) fn places<F: NorFlash>(
        &self,
        capacity: usize,
    ) -> Result<(Place, Option<Place>), OutboxError> {
        let whole = (0, u32::try_from(capacity).unwrap_or(u32::MAX));
        let (from, to) = self.region.unwrap_or(whole);
        let erased = u32::try_from(F::ERASE_SIZE).unwrap_or(u32::MAX);
        let page = match self.page {
            0 if erased < 256 => 256,
            0 => erased,
            page => page,
        };
        let fits = |n: u32| n.checked_rem(erased) == Some(0);
        let size = to.checked_sub(from).ok_or(OutboxError::Region)?;
        if !fits(from) || !fits(page) || page & 0xff != 0 || to > whole.1 {
            return Err(OutboxError::Region);
        }
        let pages = size.checked_div(page).and_then(|pages| u16::try_from(pages).ok());
        let units = u16::try_from(page >> 8).map_err(|_| OutboxError::Region)?;
        let rows = pages.and_then(|pages| pages.checked_sub(self.aside_pages));
        let rows = rows.filter(|&pages| pages >= 2 && self.aside_pages != 1);
        let rows = rows.ok_or(OutboxError::Region)?;
        let aside = u32::from(self.aside_pages).wrapping_mul(page);
        let place = |start, log, pages| Place {
            start,
            page,
            pages,
            shape: Shape::new(log, pages, units),
            longest: 0,
        };
        let aside_place = (self.aside_pages > 0).then(|| place(from, 1, self.aside_pages));
        Ok((place(from.wrapping_add(aside), 0, rows), aside_place))
    }
}

impl core::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut out = f.debug_struct("Options");
        out.field("statements", &self.statements.len()).field("full", &self.full);
        out.finish_non_exhaustive()
    }
}
