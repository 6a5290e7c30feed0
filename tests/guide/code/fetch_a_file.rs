use core::ops::ControlFlow;

use barepg::outbox::NorFlash;
use barepg::{Client, Connection, Dial, Pause, Policy, Result, Supervisor};
use embedded_io::Read;
use sha2::{Digest, Sha256};

/// What is to be fetched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct File {
    pub length: u32,
    pub sha256: [u8; 32],
}

/// Why it was not fetched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    /// The server has no file of that name.
    Missing,
    /// It is larger than the flash.
    TooLarge,
    /// What the server has does not have the hash that is beside it.
    Damaged,
    /// The flash reports an error.
    Flash,
    /// It was asked to stop.
    Stopped,
}

const WHAT: &str = "select length(content), sha256 from file where name = $1";

/// A page of it, or NULL if the device has the same. No row: it is another file by now.
const PAGE: &str = "select
    case when sha256(substr(content, $2, $3)) = $4 then null else substr(content, $2, $3) end
    from file where name = $1 and sha256 = $5";

/// A file on its way to flash. A page that is in flash already is only compared, so it goes on where
/// it was after a lost link and after a reset, and of a new version only what differs is sent.
pub struct Download<'a, F> {
    pub flash: F,
    pub name: &'a str,
    pub file: Option<File>,
    /// Bytes that are known to be in flash.
    pub done: u32,
    /// The firmware's other work, between two pages and in pauses; `true` to stop.
    pub meanwhile: &'a dyn Fn() -> bool,
    /// Shows an error to whoever looks after the device.
    pub report: &'a dyn Fn(&Pause<'_>),
}

type Fetched = core::result::Result<File, Trouble>;

impl<F: NorFlash> Download<'_, F> {
    /// Until the file is in flash, its hash verified.
    ///
    /// # Errors
    /// See [`Trouble`]. After all of them it can be called again.
    pub fn run<D: Dial>(
        &mut self,
        client: &mut Client<'_>,
        dialler: &mut D,
        policy: Policy,
    ) -> Fetched {
        let mut supervisor = Supervisor::new(policy);
        client.supervise(dialler, &mut supervisor, self, Self::session, Self::pause)
    }

    fn session(&mut self, conn: &mut Connection) -> Result<ControlFlow<Fetched>> {
        loop {
            let Some(row) = conn.query_opt(WHAT, (self.name,))? else {
                return Ok(ControlFlow::Break(Err(Trouble::Missing)));
            };
            let (length, hash) = row.decode::<(i32, &[u8])>()?;
            let Ok(sha256) = hash.try_into() else {
                return Ok(ControlFlow::Break(Err(Trouble::Damaged)));
            };
            let file = File { length: length as u32, sha256 };
            if self.file.replace(file) != Some(file) {
                self.done = 0;
            }
            if file.length as usize > self.flash.capacity() {
                return Ok(ControlFlow::Break(Err(Trouble::TooLarge)));
            }
            while self.done < file.length {
                if (self.meanwhile)() {
                    return Ok(ControlFlow::Break(Err(Trouble::Stopped)));
                }
                match self.page(conn, file)? {
                    Ok(true) => self.done += F::ERASE_SIZE as u32,
                    // Another file by now.
                    Ok(false) => break,
                    Err(error) => return Ok(ControlFlow::Break(Err(error))),
                }
            }
            if self.done >= file.length {
                let hash = self.hash(0, file.length);
                if hash.is_ok_and(|hash| hash != file.sha256) {
                    // The next time each page is compared again.
                    self.done = 0;
                    return Ok(ControlFlow::Break(Err(Trouble::Damaged)));
                }
                return Ok(ControlFlow::Break(hash.map(|_| file)));
            }
        }
    }

    /// Sees to it that one page is as the server has it; `false`: the server has another file.
    fn page(
        &mut self,
        conn: &mut Connection,
        file: File,
    ) -> Result<core::result::Result<bool, Trouble>> {
        let (from, size) = (self.done, F::ERASE_SIZE as u32);
        let length = size.min(file.length - from);
        let hash = match self.hash(from, length) {
            Ok(hash) => hash,
            Err(error) => return Ok(Err(error)),
        };
        // The server counts from 1.
        let (first, count) = (from as i32 + 1, length as i32);
        let mut rows = conn.query(PAGE, (self.name, first, count, &hash[..], &file.sha256[..]))?;
        let Some(mut row) = rows.next_streamed()? else { return Ok(Ok(false)) };
        let Some(mut content) = row.next_column()? else { return Ok(Ok(false)) };
        if content.length().is_none() {
            return Ok(Ok(true));
        }
        if self.flash.erase(from, from + size).is_err() {
            return Ok(Err(Trouble::Flash));
        }
        let (mut piece, mut at) = ([0xff; 256], from);
        loop {
            let mut filled = 0;
            while filled < piece.len() {
                match content.read(&mut piece[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
            if filled == 0 {
                return Ok(Ok(true));
            }
            piece[filled..].fill(0xff);
            // Whole words.
            let written = filled.next_multiple_of(F::WRITE_SIZE);
            if self.flash.write(at, &piece[..written]).is_err() {
                return Ok(Err(Trouble::Flash));
            }
            at += filled as u32;
        }
    }

    /// The hash of a part of the flash.
    fn hash(&mut self, from: u32, length: u32) -> core::result::Result<[u8; 32], Trouble> {
        let (mut hash, mut piece, mut at) = (Sha256::new(), [0; 256], from);
        while at < from + length {
            let wanted = (from + length - at).min(256) as usize;
            let read = wanted.next_multiple_of(F::READ_SIZE);
            self.flash.read(at, &mut piece[..read]).map_err(|_| Trouble::Flash)?;
            hash.update(&piece[..wanted]);
            at += wanted as u32;
        }
        Ok(hash.finalize().into())
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<Fetched> {
        if pause.begins {
            (self.report)(pause);
        }
        let stop = (self.meanwhile)();
        if stop { ControlFlow::Break(Err(Trouble::Stopped)) } else { ControlFlow::Continue(()) }
    }
}
