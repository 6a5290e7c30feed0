//! A transport whose calls are counted.

use core::cell::Cell;
use embedded_io::{ErrorType, Read, ReadReady, Write};

/// Calls that moved something.
#[derive(Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    pub(crate) flushes: u32,
}

/// Counts the calls of a transport.
pub(crate) struct Counted<'c, T> {
    transport: T,
    calls: &'c Cell<Calls>,
    moved: fn(),
}

impl<'c, T> Counted<'c, T> {
    /// `moved` is told after each call that has moved something.
    pub(crate) const fn new(transport: T, calls: &'c Cell<Calls>, moved: fn()) -> Self {
        Self { transport, calls, moved }
    }

    fn note(&self, f: impl FnOnce(&mut Calls)) {
        let mut calls = self.calls.get();
        f(&mut calls);
        self.calls.set(calls);
        (self.moved)();
    }
}

impl<T: ErrorType> ErrorType for Counted<'_, T> {
    type Error = T::Error;
}

impl<T: Read> Read for Counted<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, T::Error> {
        let n = self.transport.read(buf)?;
        self.note(|calls| calls.reads = calls.reads.wrapping_add(1));
        Ok(n)
    }
}

impl<T: ReadReady> ReadReady for Counted<'_, T> {
    fn read_ready(&mut self) -> Result<bool, T::Error> {
        self.transport.read_ready()
    }
}

impl<T: Write> Write for Counted<'_, T> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, T::Error> {
        let n = self.transport.write(buf)?;
        self.note(|calls| calls.writes = calls.writes.wrapping_add(1));
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), T::Error> {
        self.transport.flush()?;
        self.note(|calls| calls.flushes = calls.flushes.wrapping_add(1));
        Ok(())
    }
}
