//! Messages from the backend: which are legal when, how long they may be, and their content, decoded
//! here and nowhere else.
//!
//! Source: manual, "Message Formats"; the bounds are those of libpq (`fe-protocol3.c`) or
//! tighter.

mod command;
mod messages;
mod walk;

pub use command::{CommandKind, CommandTag};
pub use messages::{
    BackendKeyData, CopyResponse, FIELD_TAIL, FieldTail, NegotiateProtocolVersion,
    NotificationResponse, ParameterStatus, TransactionStatus,
};
pub use walk::Messages;

/// Message type bytes of the backend.
pub mod tag {
    /// AuthenticationOk and all other authentication requests.
    pub const AUTHENTICATION: u8 = b'R';
    /// BackendKeyData
    pub const BACKEND_KEY_DATA: u8 = b'K';
    /// BindComplete
    pub const BIND_COMPLETE: u8 = b'2';
    /// CloseComplete
    pub const CLOSE_COMPLETE: u8 = b'3';
    /// CommandComplete
    pub const COMMAND_COMPLETE: u8 = b'C';
    /// CopyData
    pub const COPY_DATA: u8 = b'd';
    /// CopyDone
    pub const COPY_DONE: u8 = b'c';
    /// CopyInResponse
    pub const COPY_IN_RESPONSE: u8 = b'G';
    /// CopyOutResponse
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    /// DataRow
    pub const DATA_ROW: u8 = b'D';
    /// EmptyQueryResponse
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    /// ErrorResponse
    pub const ERROR_RESPONSE: u8 = b'E';
    /// NegotiateProtocolVersion
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    /// NoData
    pub const NO_DATA: u8 = b'n';
    /// NoticeResponse
    pub const NOTICE_RESPONSE: u8 = b'N';
    /// NotificationResponse
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    /// ParameterDescription
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    /// ParameterStatus
    pub const PARAMETER_STATUS: u8 = b'S';
    /// ParseComplete
    pub const PARSE_COMPLETE: u8 = b'1';
    /// PortalSuspended
    pub const PORTAL_SUSPENDED: u8 = b's';
    /// ReadyForQuery
    pub const READY_FOR_QUERY: u8 = b'Z';
    /// RowDescription
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// Where a session stands, as far as it decides which messages are legal at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From StartupMessage to AuthenticationOk.
    Authentication = 1,
    /// From AuthenticationOk to the first ReadyForQuery.
    Settling = 2,
    /// After the first ReadyForQuery.
    Normal = 4,
}

impl Phase {
    /// Its bit in a [`Rule`].
    #[allow(clippy::as_conversions, reason = "the enum is a number")]
    const fn bit(self) -> u8 {
        self as u8
    }
}

/// Whether a message of this type and body length (without its length field) is legal in this
/// phase. `None`: the type is not legal. `Some(false)`: the length is not.
#[cfg_attr(not(target_os = "none"), inline)]
pub fn legal(phase: Phase, tag: u8, body: usize) -> Option<bool> {
    let rule = find(phase.bit(), tag)?;
    let most = if rule.max == ANY { LONGEST } else { usize::from(rule.max) };
    Some(body >= usize::from(rule.phases >> 3) && body <= most)
}

/// The rule for a type: on a host by a table of types.
#[cfg(not(target_os = "none"))]
#[inline]
fn find(phase: u8, tag: u8) -> Option<&'static Rule> {
    let first = *FIRST.get(usize::from(tag))?;
    let rules = RULES.get(usize::from(first)..)?;
    rules.iter().take(2).find(|rule| rule.tag == tag && rule.phases & phase != 0)
}

/// For each type the first of its rules, which are neighbours.
#[cfg(not(target_os = "none"))]
const FIRST: [u8; 128] = first(&RULES);

#[cfg(not(target_os = "none"))]
#[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn first(rules: &[Rule]) -> [u8; 128] {
    let mut first = [u8::MAX; 128];
    let mut at = rules.len();
    while at > 0 {
        at = at.wrapping_sub(1);
        first[rules[at].tag as usize] = at as u8;
    }
    first
}

/// The rule for a type: on a bare target by a search.
#[cfg(target_os = "none")]
fn find(phase: u8, tag: u8) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.tag == tag && rule.phases & phase != 0)
}

const LOGIN: u8 = Phase::Authentication.bit();
const SETTLING: u8 = Phase::Settling.bit();
const NORMAL: u8 = Phase::Normal.bit();

/// In which phases a message is legal, and the length of its body in bytes. Four bytes each.
struct Rule {
    tag: u8,
    /// The phases, and above them the least length.
    phases: u8,
    max: u16,
}

const fn rule(tag: u8, phases: u8, min: u8, max: u16) -> Rule {
    Rule { tag, phases: phases | min << 3, max }
}

/// No bound of its own.
const ANY: u16 = u16::MAX;

/// What libpq takes for possible; larger bodies are lost synchronization.
const LONGEST: usize = 0x3fff_ffff;

/// The frequent ones first.
const RULES: [Rule; 24] = [
    rule(tag::DATA_ROW, NORMAL, 2, ANY),
    rule(tag::COPY_DATA, NORMAL, 0, ANY),
    rule(tag::BIND_COMPLETE, NORMAL, 0, 0),
    // libpq's bound for messages that are no rows.
    rule(tag::COMMAND_COMPLETE, NORMAL, 1, 30_000),
    rule(tag::READY_FOR_QUERY, SETTLING | NORMAL, 1, 2),
    rule(tag::PARSE_COMPLETE, NORMAL, 0, 0),
    rule(tag::ROW_DESCRIPTION, NORMAL, 2, ANY),
    rule(tag::NO_DATA, NORMAL, 0, 0),
    // An unauthenticated peer gets no more than libpq grants it.
    rule(tag::ERROR_RESPONSE, SETTLING | NORMAL, 1, ANY),
    rule(tag::ERROR_RESPONSE, LOGIN, 1, 30_000),
    rule(tag::NOTICE_RESPONSE, SETTLING | NORMAL, 1, ANY),
    rule(tag::NOTICE_RESPONSE, LOGIN, 1, 30_000),
    rule(tag::AUTHENTICATION, LOGIN, 4, 2_000),
    rule(tag::NEGOTIATE_PROTOCOL_VERSION, LOGIN, 8, 2_000),
    rule(tag::PARAMETER_STATUS, SETTLING | NORMAL, 2, 65_534),
    rule(tag::BACKEND_KEY_DATA, SETTLING, 8, 260),
    rule(tag::NOTIFICATION_RESPONSE, NORMAL, 6, 65_534),
    rule(tag::CLOSE_COMPLETE, NORMAL, 0, 0),
    rule(tag::PORTAL_SUSPENDED, NORMAL, 0, 0),
    rule(tag::EMPTY_QUERY_RESPONSE, NORMAL, 0, 0),
    rule(tag::COPY_DONE, NORMAL, 0, 0),
    rule(tag::PARAMETER_DESCRIPTION, NORMAL, 2, ANY),
    rule(tag::COPY_IN_RESPONSE, NORMAL, 3, 65_534),
    rule(tag::COPY_OUT_RESPONSE, NORMAL, 3, 65_534),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_legal_before_its_time() {
        use Phase::*;
        assert_eq!(legal(Authentication, b'D', 10), None);
        assert_eq!(legal(Authentication, b'Z', 1), None);
        assert_eq!(legal(Settling, b'R', 4), None);
        assert_eq!(legal(Normal, b'R', 4), None);
        assert_eq!(legal(Normal, b'K', 8), None);
        assert_eq!(legal(Normal, b'Z', 5), Some(false));
        assert_eq!(legal(Authentication, b'E', 40_000), Some(false));
    }
}
