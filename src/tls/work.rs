//! What may be computed on a peer's word: so many signatures, so many comparisons of names, and
//! no longer than the deadline.

use core::cell::Cell;

use super::CertificateError;
use crate::limits::{TLS_NAME_COMPARISONS, TLS_SIGNATURE_CHECKS, TLS_SLICE};

/// Feeds the watchdog and looks at the deadline; an error when it has passed.
pub(super) type Pulse<'p> = &'p dyn Fn() -> Result<(), CertificateError>;

/// What is left for one chain.
pub(super) struct Budget<'p> {
    signatures: Cell<u8>,
    names: Cell<u16>,
    /// Something of it was asked for that was not left.
    spent: Cell<bool>,
    pub(super) pulse: Pulse<'p>,
}

impl<'p> Budget<'p> {
    pub(super) const fn new(pulse: Pulse<'p>) -> Self {
        Self {
            signatures: Cell::new(TLS_SIGNATURE_CHECKS),
            names: Cell::new(TLS_NAME_COMPARISONS),
            spent: Cell::new(false),
            pulse,
        }
    }

    /// One signature is about to be checked.
    pub(super) fn signature(&self) -> Result<(), CertificateError> {
        match self.signatures.get().checked_sub(1) {
            Some(left) => {
                self.signatures.set(left);
                self.turn()
            }
            None => self.end(),
        }
    }

    /// One name is about to be compared with another, or with one constraint. A name may be as long as a
    /// record.
    pub(super) fn name(&self) -> Result<(), CertificateError> {
        match self.names.get().checked_sub(1) {
            Some(left) => {
                self.names.set(left);
                match usize::from(left) & TLS_SLICE.wrapping_sub(1) {
                    0 => self.turn(),
                    _ => Ok(()),
                }
            }
            None => self.end(),
        }
    }

    fn turn(&self) -> Result<(), CertificateError> {
        (self.pulse)().inspect_err(|_| self.spent.set(true))
    }

    fn end(&self) -> Result<(), CertificateError> {
        self.spent.set(true);
        Err(CertificateError::TooMuchWork)
    }

    /// Whether there is no going on.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.get()
    }
}
