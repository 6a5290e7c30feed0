//! Answers that have arrived whole, as those of small statements have: looked at in one walk, and
//! taken only if nothing about them is unusual. Everything else goes the long way, in `answer`.

use super::{ResultState, Session, TransactionStatus};
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::backend::{CommandTag, Messages, ReadyForQuery, tag};

/// The end of an answer.
struct End {
    rows: u64,
    status: TransactionStatus,
}

impl Session<'_> {
    /// Takes BindComplete, CommandComplete and ReadyForQuery; `false`, and nothing taken, where
    /// they have not arrived, or there is more to them.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn executed_at_once(&mut self, io: &mut Lent<'_>) -> Result<bool, Fault> {
        self.link.receive_first(io)?;
        let mut messages = Messages::new(self.link.window());
        let Some(()) = bound(&mut messages) else { return Ok(false) };
        let Some(end) = end(&mut messages) else { return Ok(false) };
        let left = messages.rest().len();
        self.end_at_once(&end, left);
        Ok(true)
    }

    /// The same with one row before the end, which is then what was taken last.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn only_row_at_once(&mut self, io: &mut Lent<'_>) -> Result<bool, Fault> {
        self.link.receive_first(io)?;
        let mut messages = Messages::new(self.link.window());
        let Some(()) = bound(&mut messages) else { return Ok(false) };
        let Some(row) = messages.take(tag::DATA_ROW) else { return Ok(false) };
        let (length, after) = (row.len(), messages.rest().len());
        let columns = row.first_chunk().map(|count| u16::from_be_bytes(*count));
        let Some(end) = end(&mut messages) else { return Ok(false) };
        if columns != Some(self.columns) {
            return Ok(false);
        }
        let left = messages.rest().len();
        self.link.take_within(after, length);
        self.end_at_once(&end, left);
        self.result = ResultState::Done;
        Ok(true)
    }

    /// Takes CommandComplete and ReadyForQuery. What was taken last stays so.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn ended_at_once(&mut self) -> bool {
        let mut messages = Messages::new(self.link.window());
        let Some(end) = end(&mut messages) else { return false };
        let left = messages.rest().len();
        self.end_at_once(&end, left);
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
        let mut messages = Messages::new(self.link.window());
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

    #[inline]
    fn end_at_once(&mut self, end: &End, left: usize) {
        self.link.leave(left);
        self.rows = end.rows;
        self.ledger.ready(end.status);
        self.exchange.ready();
    }
}

/// BindComplete.
#[inline]
fn bound(messages: &mut Messages<'_>) -> Option<()> {
    messages.take_these([tag::BIND_COMPLETE, 0, 0, 0, 4])
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
    let command = CommandTag::decode(messages.take(tag::COMMAND_COMPLETE)?).ok()?;
    command.counts().then_some(command.rows)
}

/// CommandComplete of a command that counts rows, and ReadyForQuery.
#[cfg_attr(not(target_os = "none"), inline(always))]
#[cfg_attr(target_os = "none", inline(never))]
fn end(messages: &mut Messages<'_>) -> Option<End> {
    let command = CommandTag::decode(messages.take(tag::COMMAND_COMPLETE)?).ok()?;
    let ready = ReadyForQuery::decode(messages.take(tag::READY_FOR_QUERY)?).ok()?;
    command.counts().then_some(End { rows: command.rows, status: ready.into() })
}
