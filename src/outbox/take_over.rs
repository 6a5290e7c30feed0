//! Rows of another outbox: from RAM into flash.

use embedded_storage::nor_flash::NorFlash;

use super::cursor::to_usize;
use super::format::{HEAD, KEY, KEYED};
use super::{Outbox, read};
use crate::error::{OutboxError, Result};
use crate::verbs::Params;
use crate::wire::Writer;

impl<F: NorFlash> Outbox<'_, F> {
    /// Moves all rows that wait in another outbox to the end of this one, with their keys: a row that was
    /// sent from there, and may be stored, is not stored twice. Returns how many.
    ///
    /// For rows that are in RAM while a session takes them, and in flash only when it is lost: an
    /// acknowledged row has then not cost a write of flash. A power failure loses those that are in RAM at
    /// that moment. Each takes 12 bytes more than one that is pushed. Send what is here first, so that
    /// the order stays.
    ///
    /// ```no_run
    /// use core::ops::ControlFlow;
    /// use barepg::outbox::{NorFlash, Outbox, RamFlash};
    /// use barepg::{Connection, Pause, Result};
    ///
    /// struct Logger<'b, F> {
    ///     flash: Outbox<'b, F>,
    ///     ram: Outbox<'b, RamFlash<'b>>, // samples are pushed to this one
    /// }
    ///
    /// fn session<F: NorFlash>(
    ///     logger: &mut Logger<'_, F>,
    ///     conn: &mut Connection,
    /// ) -> Result<ControlFlow<()>> {
    ///     loop {
    ///         logger.flash.drain(conn)?;
    ///         logger.ram.drain(conn)?;
    ///         // sample, sleep
    ///     }
    /// }
    ///
    /// fn pause<F: NorFlash>(logger: &mut Logger<'_, F>, _: &Pause<'_>) -> ControlFlow<()> {
    ///     let _ = logger.flash.take_over(&mut logger.ram);
    ///     // sample, sleep
    ///     ControlFlow::Continue(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OutboxError::Full`] as the policy of this one says, [`OutboxError::Region`] where its buffer is
    /// too small for a row of the other's, and what the two flashes report. The rows that were not moved
    /// are where they were.
    pub fn take_over<G: NorFlash>(&mut self, other: &mut Outbox<'_, G>) -> Result<u32> {
        let (mut at, mut moved) = (other.rows.tail, 0_u32);
        let mut next = at;
        let result = loop {
            match self.take_one(other, &mut next) {
                Ok(true) => (at, moved) = (next, moved.wrapping_add(1)),
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if moved > 0 {
            self.sending.uncertain |= other.sending.uncertain;
            other.rows.finish(&mut other.device, &at, moved)?;
        }
        result?;
        Ok(moved)
    }

    /// Appends the other's row after the cursor; `false`: there is none.
    fn take_one<G: NorFlash>(
        &mut self,
        other: &mut Outbox<'_, G>,
        cursor: &mut super::cursor::Cursor,
    ) -> Result<bool, OutboxError> {
        if !other.rows.step(&mut other.device, cursor)? {
            return Ok(false);
        }
        let found = cursor.found;
        // As much as can be set aside as well.
        let end = to_usize(HEAD.wrapping_add(self.longest()));
        let content = self.buffer.get_mut(to_usize(HEAD)..end).unwrap_or_default();
        let (key, values) = content.split_at_mut_checked(KEY).ok_or(OutboxError::Region)?;
        let mut length = found.length;
        if found.kind & KEYED == 0 {
            (other.rows.whole(found.number).cast_signed(),)
                .values(&mut Writer::new(key))
                .map_err(|_| OutboxError::Region)?;
            read(&mut other.device, &found, values)?;
            length = length.saturating_add(12);
        } else {
            read(&mut other.device, &found, content)?;
        }
        let kind = found.kind | KEYED;
        let room = self.options.full.room();
        self.rows.append(&mut self.device, kind, self.buffer, length, room)?;
        Ok(true)
    }
}
