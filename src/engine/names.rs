//! Prepared statements by name: which a session knows, and whose a handle is.
//!
//! A name is a function of the statement's text and of the types given for its parameters, so the
//! same name always means the same statement, whichever client prepared it: a pooler may lend one
//! server's connection to many clients, and nothing else runs than what was asked for.

use super::Session;
use crate::error::Fault;
use crate::limits;
use crate::types::Oid;
use crate::wire::base64::symbols;

/// A statement's name on the wire, with its NUL: a letter and 10 symbols of base64, three words.
pub(crate) type Name = [u8; 12];

/// What a statement's name is made of: FNV-1a, 64 bits, of text and types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct NameHash(u64);

impl NameHash {
    /// No statement.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn new(sql: &str, types: &[Oid]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325;
        let mut text = sql.as_bytes();
        while let [byte, rest @ ..] = text {
            hash = step(hash, *byte);
            text = rest;
        }
        let mut types = types;
        while let [oid, rest @ ..] = types {
            let [a, b, c, d] = oid.to_be_bytes();
            hash = step(step(step(step(step(hash, 0), a), b), c), d);
            types = rest;
        }
        Self(if hash == 0 { 1 } else { hash })
    }

    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// 14 bits of it, to recognise a statement by.
    #[cfg(feature = "outbox")]
    pub(crate) const fn tag(self) -> u16 {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        let [a, b] = [a ^ c ^ e ^ g, b ^ d ^ f ^ h];
        u16::from_le_bytes([a, b & 0x3f])
    }

    /// As bytes.
    #[inline]
    pub(super) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_ne_bytes()
    }

    /// The name: 4 bits in the letter, and 6 in each symbol.
    pub(crate) const fn name(self) -> Name {
        let [a, b, c, d, e, f, g, h] = self.0.to_be_bytes();
        let ([_, _, i, j], [k, l, m, n]) = (symbols([0, a & 15, b]), symbols([c, d, e]));
        let [o, p, q, r] = symbols([f, g, h]);
        [b'a'.wrapping_add(a >> 4), i, j, k, l, m, n, o, p, q, r, 0]
    }
}

const fn step(hash: u64, byte: u8) -> u64 {
    let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
    u64::from_le_bytes([a ^ byte, b, c, d, e, f, g, h]).wrapping_mul(0x0100_0000_01b3)
}

/// What a session knows of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Prepared,
    /// To be prepared with its first execution.
    NotYet,
    /// There is no place to remember it: it goes as text.
    NoPlace,
}

/// Which statements in flash a session has prepared: room for [`limits::STATIC_STATEMENTS`], lent
/// to a client with [`Client::set_static_statements`](crate::Client::set_static_statements).
#[derive(Debug, Default)]
pub struct StaticStatements {
    known: [Option<core::num::NonZeroU64>; limits::STATIC_STATEMENTS],
}

impl StaticStatements {
    /// None yet.
    pub const fn new() -> Self {
        Self { known: [None; limits::STATIC_STATEMENTS] }
    }

    pub(crate) const fn clear(&mut self) {
        *self = Self::new();
    }

    /// Whether a statement is among them.
    pub(crate) fn find(&self, hash: NameHash) -> Known {
        let (mut free, wanted) = (false, core::num::NonZeroU64::new(hash.0));
        for place in &self.known {
            if *place == wanted {
                return Known::Prepared;
            }
            free |= place.is_none();
        }
        if free { Known::NotYet } else { Known::NoPlace }
    }

    /// Remembers a statement.
    fn note(&mut self, hash: NameHash) {
        if self.find(hash) == Known::NotYet
            && let Some(place) = self.known.iter_mut().find(|place| place.is_none())
        {
            *place = core::num::NonZeroU64::new(hash.0);
        }
    }
}

impl Session<'_> {
    /// Whose handle a handle is: it differs between clients, and between the links of one.
    #[inline]
    pub(crate) const fn identity(&self) -> u32 {
        self.identity
    }

    /// A session begins. The address of the receive buffer distinguishes clients, what the server
    /// calls the session distinguishes links, and so does the chain of them.
    pub(crate) fn identify(&mut self) {
        let [a, b, c, d, ..] = self.link.address().to_le_bytes();
        let address = u32::from_le_bytes([a, b, c, d]).rotate_left(16);
        let chain = self.identity.wrapping_add(1).wrapping_mul(0x9e37_79b1);
        self.identity = chain ^ address ^ self.server.fingerprint();
    }

    /// The server prepared a statement in flash.
    pub(crate) fn note_static(&mut self, hash: NameHash) {
        if let Some(statics) = &mut self.statics {
            statics.note(hash);
        }
    }

    /// Prepared statements from before belong to no session any more. Portals go on being counted: a
    /// number is not given twice.
    pub(crate) fn forget_statements(&mut self) {
        if let Some(statics) = &mut self.statics {
            statics.clear();
        }
    }

    /// Whether the server said, where BindComplete was due, that it does not know the statement
    /// (any more), outside of a transaction: it was not run. Something stands in between that
    /// mixes sessions, or the statement was forgotten or outdated; from now on the driver expects
    /// it. `anew`: it was prepared in the same round trip, and is outdated all the same.
    pub(crate) fn lost_statement(&mut self, fault: Fault, anew: bool) -> bool {
        let state = self.sqlstate();
        let lost = fault == Fault::SERVER
            && self.exchange.is_alive()
            && (state.is(b"26000") || state.is(b"0A000"));
        if !lost {
            return false;
        }
        self.server.set(super::Fact::Mixed, true);
        if anew {
            self.server.set(super::Fact::ParsesAlways, true);
        }
        self.ledger.status() == super::TransactionStatus::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_text_and_types() {
        let name = |sql, types: &[Oid]| NameHash::new(sql, types).name();
        // The known answers of FNV-1a, below, in base64: first 4 bits, then 60.
        assert_eq!(&name("", &[]), b"mvynOSEIiMl\0");
        assert_eq!(name("select 1", &[23]), name("select 1", &[23]));
        assert_ne!(name("select 1", &[23]), name("select 1", &[]));
        assert_ne!(name("select 1", &[0]), name("select 1", &[]));
        assert_ne!(name("select 1", &[23]), name("select 2", &[23]));
        // Known answer of FNV-1a, 64 bits: draft-eastlake-fnv, appendix.
        assert_eq!(NameHash::new("a", &[]).0, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(&NameHash::new("a", &[]).name(), b"k9j3EyGAeyM\0");
    }

    #[test]
    fn statements_in_flash_have_so_many_places() {
        let mut known = StaticStatements::new();
        for n in 1..=limits::STATIC_STATEMENTS {
            let hash = NameHash::new("x", &[u32::try_from(n).unwrap()]);
            assert_eq!(known.find(hash), Known::NotYet);
            known.note(hash);
            known.note(hash);
            assert_eq!(known.find(hash), Known::Prepared);
        }
        assert_eq!(known.find(NameHash::new("y", &[])), Known::NoPlace);
        known.clear();
        assert_eq!(known.find(NameHash::new("y", &[])), Known::NotYet);
    }
}
