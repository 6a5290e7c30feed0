//! A flash that loses its power.
//!
//! It keeps the promises of [`NorFlash`] and no others: a word that is written when power fails holds
//! anything afterwards, something else after each start; so does every word of a page that is being
//! erased. It panics where a word is written twice that can be seen to be written, or in a page whose
//! erasure was cut.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use crate::random::Random;

/// What an erasure counts beside a written byte, which takes much less time.
const ERASURE: u64 = 40;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Erased.
    Blank,
    /// Written.
    Written,
    /// Power failed while it was written.
    Cut,
    /// Power failed while its page was erased.
    Lost,
}

/// A flash in words of `WORD` bytes and pages of `PAGE` bytes.
#[derive(Debug)]
pub struct Flash<const WORD: usize, const PAGE: usize> {
    bytes: Vec<u8>,
    /// What was there, or was to be there, before a cut.
    meant: Vec<u8>,
    states: Vec<State>,
    random: Random,
    /// Until power fails.
    left: Option<u64>,
    /// Cuts while writing, and while erasing.
    cuts: (u64, u64),
    rewritten: u64,
}

impl<const WORD: usize, const PAGE: usize> Flash<WORD, PAGE> {
    /// A flash that held something else before.
    pub fn new(pages: usize, seed: u64) -> Self {
        let size = pages * PAGE;
        let mut random = Random(seed);
        let bytes: Vec<u8> = (0..size).map(|_| random.below(256) as u8).collect();
        let states = vec![State::Written; size / WORD];
        Self { meant: bytes.clone(), bytes, states, random, left: None, cuts: (0, 0), rewritten: 0 }
    }

    /// Power fails after so many bytes are written; an erasure counts as 40 of them.
    pub fn arm(&mut self, bytes: u64) {
        self.left = Some(bytes);
    }

    /// Whether power has failed.
    pub fn is_dead(&self) -> bool {
        self.left == Some(0)
    }

    /// Power is back. What was being written or erased when it failed reads otherwise each time.
    pub fn start(&mut self) {
        self.left = None;
        // A page has one way of being undefined at a time, so that old headers appear again.
        let mut mode = 0;
        for word in 0..self.states.len() {
            if word % (PAGE / WORD) == 0 {
                mode = self.random.below(5);
            }
            let way = match self.states[word] {
                State::Blank | State::Written => continue,
                State::Cut => self.random.below(5),
                State::Lost => mode,
            };
            for at in word * WORD..(word + 1) * WORD {
                let (meant, noise) = (self.meant[at], self.random.below(256) as u8);
                self.bytes[at] = match way {
                    0 => meant,
                    1 => 0xff,
                    2 => meant | noise,
                    3 => noise,
                    _ if self.random.below(2) == 0 => meant,
                    _ => 0xff,
                };
            }
        }
    }

    /// Cuts so far, while writing and while erasing.
    pub fn cuts(&self) -> (u64, u64) {
        self.cuts
    }

    /// Words that were written although a write of them was cut before, for they read as erased.
    pub fn rewritten(&self) -> u64 {
        self.rewritten
    }

    fn reads_blank(&self, word: usize) -> bool {
        self.bytes[word * WORD..(word + 1) * WORD].iter().all(|byte| *byte == 0xff)
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn span(&self, offset: u32, length: usize, unit: usize) -> Result<usize, NorFlashErrorKind> {
        let offset = offset as usize;
        if self.is_dead() {
            Err(NorFlashErrorKind::Other)
        } else if offset + length > self.bytes.len() {
            Err(NorFlashErrorKind::OutOfBounds)
        } else if !offset.is_multiple_of(unit) || !length.is_multiple_of(unit) {
            Err(NorFlashErrorKind::NotAligned)
        } else {
            Ok(offset)
        }
    }

    /// Uses up power for so many bytes. `Err`: it fails after so many.
    fn spend(&mut self, bytes: u64) -> Result<(), u64> {
        match &mut self.left {
            Some(left) if *left <= bytes => Err(std::mem::take(left)),
            Some(left) => {
                *left -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl<const WORD: usize, const PAGE: usize> ErrorType for Flash<WORD, PAGE> {
    type Error = NorFlashErrorKind;
}

impl<const WORD: usize, const PAGE: usize> ReadNorFlash for Flash<WORD, PAGE> {
    const READ_SIZE: usize = if WORD < 8 { WORD } else { 8 };

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = self.span(offset, bytes.len(), Self::READ_SIZE)?;
        bytes.copy_from_slice(&self.bytes[at..at + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const WORD: usize, const PAGE: usize> NorFlash for Flash<WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let length = to.checked_sub(from).ok_or(NorFlashErrorKind::OutOfBounds)? as usize;
        let from = self.span(from, length, PAGE)?;
        for page in (from..from + length).step_by(PAGE) {
            let words = page / WORD..(page + PAGE) / WORD;
            if self.spend(ERASURE).is_err() {
                self.cuts.1 += 1;
                let (bytes, meant) = (&self.bytes, &mut self.meant);
                meant[page..page + PAGE].copy_from_slice(&bytes[page..page + PAGE]);
                self.states[words].fill(State::Lost);
                return Err(NorFlashErrorKind::Other);
            }
            self.bytes[page..page + PAGE].fill(0xff);
            self.states[words].fill(State::Blank);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let at = self.span(offset, bytes.len(), WORD)?;
        let words = at / WORD..(at + bytes.len()) / WORD;
        for word in words.clone() {
            match self.states[word] {
                State::Blank => {}
                // Nothing shows that a write was begun here before the last start.
                State::Cut if self.reads_blank(word) => self.rewritten += 1,
                state => panic!("word {word} is written and was {state:?} before"),
            }
        }
        self.meant[at..at + bytes.len()].copy_from_slice(bytes);
        match self.spend(bytes.len() as u64) {
            Ok(()) => {
                self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
                self.states[words].fill(State::Written);
                Ok(())
            }
            Err(done) => {
                self.cuts.0 += 1;
                // In order, up to the word that is cut; or all of them at once.
                let (first, last) = match self.random.below(2) {
                    0 => (words.start + done as usize / WORD, words.start + done as usize / WORD),
                    _ => (words.start, words.end - 1),
                };
                let first = first.min(words.end - 1);
                self.states[words.start..first].fill(State::Written);
                let end = first * WORD;
                self.bytes[at..end].copy_from_slice(&bytes[..end - at]);
                self.states[first..=last.min(words.end - 1)].fill(State::Cut);
                Err(NorFlashErrorKind::Other)
            }
        }
    }
}

/// Another flash, whose reads are counted, and of whose writes one is reported as failed although it is made.
#[derive(Debug)]
pub struct Observed<F> {
    flash: F,
    /// Bytes read.
    pub read: u64,
    /// Writes before that one.
    denied: Option<u32>,
}

impl<F> Observed<F> {
    /// All writes are reported as they are.
    pub const fn new(flash: F) -> Self {
        Self { flash, read: 0, denied: None }
    }

    /// The write after so many is denied.
    pub const fn denying(flash: F, writes: u32) -> Self {
        Self { flash, read: 0, denied: Some(writes) }
    }
}

impl<F: NorFlash<Error = NorFlashErrorKind>> ErrorType for Observed<F> {
    type Error = NorFlashErrorKind;
}

impl<F: NorFlash<Error = NorFlashErrorKind>> ReadNorFlash for Observed<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.read += bytes.len() as u64;
        self.flash.read(at, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: NorFlash<Error = NorFlashErrorKind>> NorFlash for Observed<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.flash.erase(from, to)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.flash.write(at, bytes)?;
        let denied = self.denied == Some(0);
        self.denied = self.denied.and_then(|writes| writes.checked_sub(1));
        if denied { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_is_undefined_and_the_rest_is_kept() {
        let mut flash = Flash::<4, 64>::new(2, 1);
        flash.erase(0, 128).unwrap();
        flash.write(0, &[1, 2, 3, 4]).unwrap();
        flash.arm(6);
        assert!(flash.write(4, &[0; 12]).is_err() && flash.is_dead());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50 {
            flash.start();
            let mut read = [0; 16];
            flash.read(0, &mut read).unwrap();
            assert_eq!(read[..4], [1, 2, 3, 4]);
            seen.insert(read);
        }
        assert!(seen.len() > 3, "{seen:?}");
        flash.arm(20);
        assert!(flash.erase(64, 128).is_err() && flash.is_dead());
        assert_eq!(flash.cuts(), (1, 1));
    }

    #[test]
    #[should_panic(expected = "written and was Written before")]
    fn a_word_is_written_once() {
        let mut flash = Flash::<4, 64>::new(1, 1);
        flash.erase(0, 64).unwrap();
        flash.write(8, &[0xff; 4]).unwrap();
        flash.write(8, &[0; 4]).unwrap();
    }
}
