//! Answers that have arrived whole, as those of small statements have: looked at in one walk, and
//! taken only if nothing about them is unusual. Everything else goes the long way, in `answer`.

use super::{ResultState, Session, TransactionStatus};
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::backend::{CommandTag, Messages, tag};

impl Session<'_> {
    /// Receives where nothing has arrived, and takes BindComplete, CommandComplete and ReadyForQuery,
    /// and with `row` one row before the end, which is then what was taken last. Then nothing is owed;
    /// where they have not arrived, or there is more to them, nothing is taken.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn answer_at_once(&mut self, io: &mut Lent<'_>, row: bool) -> Result<(), Fault> {
        self.link.receive_first(io)?;
        self.take_answer(true, row);
        Ok(())
    }

    /// Takes CommandComplete and ReadyForQuery. What was taken last stays so.
    #[inline]
    pub(crate) fn ended_at_once(&mut self) -> bool {
        self.take_answer(false, false)
    }

    /// Takes CommandComplete of a command that counts rows, and ReadyForQuery that leaves the
    /// transaction's status as it is; before them, if they
    /// are to come, BindComplete and a row.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn take_answer(&mut self, binds: bool, row: bool) -> bool {
        let Some(arrived) = self.link.arrived() else { return false };
        let mut messages = Messages::new(arrived);
        if binds && bound(&mut messages).is_none() {
            return false;
        }
        let mut length = 0;
        if row {
            let Some(row) = messages.take(tag::DATA_ROW) else { return false };
            if row.first_chunk() != Some(&self.link.columns.to_be_bytes()) {
                return false;
            }
            length = row.len();
        }
        let after = messages.rest().len();
        let Some(command) = messages.take(tag::COMMAND_COMPLETE) else { return false };
        let Some(rows) = count(command) else { return false };
        if is_ready(&mut messages, self.ledger.status()).is_none() {
            return false;
        }
        let left = messages.rest().len();
        if row {
            self.link.take_within(after, length);
        }
        self.link.leave(left);
        self.set_rows(rows);
        self.exchange.ready();
        self.result = ResultState::Done;
        true
    }

    /// Takes what answers the items of a batch, or the statements of a pipeline (`piped`), of those
    /// that touched rows and returned none, and whose answers have arrived whole; `most` at most.
    /// How many it were, and the rows that they touched.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn items_at_once(&mut self, most: u16, piped: bool) -> (u16, u64) {
        let (mut items, mut rows) = (0_u16, 0_u64);
        if !self.link.is_between() {
            return (0, 0);
        }
        let Some(arrived) = self.link.arrived() else { return (0, 0) };
        let mut messages = Messages::new(arrived);
        // Most answers are the same as the one before, byte for byte.
        let (mut same, mut touched) = (&[][..], 0);
        while items < most {
            let here = messages.rest();
            match here.strip_prefix(same) {
                Some(rest) if !same.is_empty() => messages = Messages::new(rest),
                _ => {
                    let mut ahead = messages;
                    let answer = if piped { piped_item(&mut ahead) } else { item(&mut ahead) };
                    let Some(rows) = answer else { break };
                    let length = here.len().wrapping_sub(ahead.rest().len());
                    (same, touched) = (here.get(..length).unwrap_or(&[]), rows);
                    messages = ahead;
                }
            }
            (items, rows) = (items.saturating_add(1), rows.saturating_add(touched));
        }
        let left = messages.rest().len();
        self.link.leave(left);
        (items, rows)
    }
}

/// BindComplete.
#[inline]
fn bound(messages: &mut Messages<'_>) -> Option<()> {
    messages.take_these([tag::BIND_COMPLETE, 0, 0, 0, 4])
}

/// ReadyForQuery that says what the last one said.
#[inline(always)]
#[allow(clippy::as_conversions, reason = "the enum is the byte")]
fn is_ready(messages: &mut Messages<'_>, status: TransactionStatus) -> Option<()> {
    messages.take_these([tag::READY_FOR_QUERY, 0, 0, 0, 5])?;
    messages.take_these([status as u8])
}

/// The count of rows of a command that has one.
#[inline(always)]
fn count(command: &[u8]) -> Option<u64> {
    #[cfg(target_os = "none")]
    if let Some(rows) = CommandTag::common_count(command) {
        return Some(rows);
    }
    CommandTag::decode(command).ok().filter(CommandTag::counts).map(|command| command.rows)
}

/// BindComplete, and CommandComplete of a command that counts rows.
#[cfg(not(target_os = "none"))]
#[inline(always)]
fn item(messages: &mut Messages<'_>) -> Option<u64> {
    bound(messages)?;
    rows(messages)
}

/// ParseComplete, BindComplete, NoData, and CommandComplete of a command that counts rows.
#[cfg(not(target_os = "none"))]
#[inline(always)]
fn piped_item(messages: &mut Messages<'_>) -> Option<u64> {
    const HEAD: [u8; 15] =
        [tag::PARSE_COMPLETE, 0, 0, 0, 4, tag::BIND_COMPLETE, 0, 0, 0, 4, tag::NO_DATA, 0, 0, 0, 4];
    messages.take_these(HEAD)?;
    rows(messages)
}

#[cfg(not(target_os = "none"))]
#[inline(always)]
fn rows(messages: &mut Messages<'_>) -> Option<u64> {
    count(messages.take(tag::COMMAND_COMPLETE)?)
}
