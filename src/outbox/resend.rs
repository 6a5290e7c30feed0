//! Rows that are sent again, because the server is another one.

use embedded_storage::nor_flash::NorFlash;

use super::Device;
use super::Outbox;
use super::ring::Ring;
use crate::connection::Connection;
use crate::error::{OutboxError, Remedy, Result};

/// Which server this is, and which timeline of its history.
const WHICH_SERVER: &str = "select (select system_identifier from pg_control_system()), \
    case when pg_is_in_recovery() then null else pg_walfile_name(pg_current_wal_lsn()) end";

/// Looks which server it is.
type Meet<'b, F> = fn(&mut Outbox<'b, F>, &mut Connection) -> Result<()>;

/// What is done about servers, where it was asked for.
#[derive(Debug)]
pub(super) struct Resend<'b, F> {
    /// At the beginning of a session.
    pub(super) meet: Option<Meet<'b, F>>,
    rows: u32,
}

impl<F> Resend<'_, F> {
    pub(super) const NONE: Self = Self { meet: None, rows: 0 };
}

impl<F: NorFlash> Outbox<'_, F> {
    /// Sends up to so many of the last rows again when the server is another one, or its timeline
    /// is: what a primary acknowledged just before it failed may be missing at its successor. The
    /// rows are those that the flash still holds; their keys make doubles harmless. It costs one more
    /// round trip in each session, and wants a role that may call `pg_current_wal_lsn()` (everyone
    /// may). An outbox that this is not called of never sends again what was acknowledged.
    pub fn resend(&mut self, rows: u32) {
        self.resend.meet = Some(Self::meet);
        self.resend.rows = rows;
    }

    /// The first batch of a session: looks which server it is.
    fn meet(&mut self, conn: &mut Connection) -> Result<()> {
        match which_server(conn)? {
            Some(server) if server != self.rows.server => Ok(self.move_to(server)?),
            _ => Ok(()),
        }
    }

    /// The server is another one: the last rows are not done. That and the server are kept in one
    /// record, so that after a reset the rest is sent, and no more.
    fn move_to(&mut self, server: u32) -> Result<(), OutboxError> {
        let before = self.rows.waiting;
        if self.rows.server != 0 {
            self.rows.rewind_rows(&mut self.device, self.resend.rows)?;
            let again = self.rows.waiting.saturating_sub(before);
            self.counters.resent = self.counters.resent.wrapping_add(again);
        }
        self.rows.server = server;
        self.rows.keep_state(&mut self.device)
    }
}

impl Ring {
    /// So many of the last rows that were done are not, as far as they are there.
    fn rewind_rows<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        rows: u32,
    ) -> Result<(), OutboxError> {
        // As far back as numbers can be compared.
        self.rewind(device, self.kept.minus(1 << 30))?;
        let (mut cursor, mut there) = (self.tail, 0_u32);
        while self.step(device, &mut cursor)? && cursor.found.number.is_before(self.kept) {
            there = there.wrapping_add(1);
        }
        let mut cursor = self.tail;
        for _ in rows..there {
            self.step(device, &mut cursor)?;
            (self.done, self.tail) = (cursor.found.number.plus(1), cursor);
            self.waiting = self.waiting.wrapping_sub(1);
        }
        Ok(())
    }
}

/// A number for the server and its timeline; `None` where it does not say.
fn which_server(conn: &mut Connection) -> Result<Option<u32>> {
    let row = match conn.query_one(WHICH_SERVER, ()) {
        Ok(row) => row,
        // What passes, as a cancel request does, and what became of an earlier statement, is no answer.
        Err(error) if error.is_usable() && error.remedy() != Remedy::Retry => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok((system, file)) = row.decode::<(i64, Option<&str>)>() else { return Ok(None) };
    // The first eight digits of a WAL file's name are the timeline.
    let Some(timeline) = file.and_then(|name| name.as_bytes().first_chunk::<8>()) else {
        return Ok(None);
    };
    let crc = crate::flash::Crc::new().with(&system.to_le_bytes()).with(timeline);
    Ok(Some(crc.end().max(1)))
}
