//! Two copies in flash, of which one is always good.
//!
//! ```text
//! header   magic u16, version u8, 0, rank u32, bytes of text u16, bytes of root u16, CRC of both u32,
//!          12 of 0, CRC of the header u32
//! seals    4 of 32 bytes, each blank or the header inverted
//! content  the parameters, the root certificate, 0xff up to 32 bytes
//! ```
//! All of it little-endian, twice: in the two halves of the region, each of whole pages.
//!
//! A copy counts when it is sealed, which happens when all else of it has been written and read again. So
//! what power leaves of a copy that was being written never counts; its seal alone may read as written at
//! one start and as cut at the next. Hence two rules. A new copy replaces the one of the lower rank, and the other is
//! sealed once more before: only then its seal is beyond doubt. And where nothing counts both places are
//! erased, so that nothing of before comes back.

use embedded_storage::nor_flash::NorFlash;
use zeroize::Zeroize;

use super::{ProvisionError, Provisioned, capacity};
use crate::flash::{Crc, Device, FlashError};

/// Bytes of the header, of a seal, and of what is read and written at a time.
const UNIT: u32 = 32;

/// Seals of a copy: one when it is made, the others before the other copy is erased. More than one of those is
/// needed only where power fails in between.
const SEALS: u32 = 4;

/// Where the content begins.
const HEAD: u32 = UNIT * (1 + SEALS);

const MAGIC: u16 = 0x6270;

/// The format described above.
const VERSION: u8 = 1;

/// What was found in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Loaded {
    /// No parameters: a new device, or a wiped one. The memory is empty.
    Nothing,
    /// Those that were saved last.
    Newest,
    /// The last good ones: the other copy is damaged, or power failed while it was saved. Save them again, so
    /// that there are two.
    LastGood,
}

/// Parameters in flash: two copies with a checksum. Power may fail at any moment; the last good copy stays.
///
/// Any [`NorFlash`], also a `&mut` of one, so that an outbox takes another part of the same flash.
#[derive(Debug)]
pub struct Store<F> {
    device: Device<F>,
    start: u32,
    /// Bytes of each of the two places.
    place: u32,
}

impl<F: NorFlash> Store<F> {
    /// The parameters in a part of the flash, in bytes from its beginning: from here to here. Each half is a
    /// multiple of what is erased at a time and of 32 bytes, and holds the parameters and 160 bytes more.
    ///
    /// # Errors
    /// [`ProvisionError::Region`].
    pub fn new(flash: F, from: u32, to: u32) -> Result<Self, ProvisionError> {
        let erased = u32::try_from(F::ERASE_SIZE).unwrap_or(u32::MAX);
        let place = to.checked_sub(from).ok_or(ProvisionError::Region)? >> 1;
        let fits = |n: u32, unit: u32| n.checked_rem(unit) == Some(0);
        let beyond = usize::try_from(to).map_or(true, |to| to > flash.capacity());
        let odd = to.wrapping_sub(from) & 1 != 0;
        if beyond || odd || place <= HEAD {
            return Err(ProvisionError::Region);
        }
        if !(fits(from, erased) && fits(place, erased) && fits(from, UNIT) && fits(place, UNIT)) {
            return Err(ProvisionError::Region);
        }
        Ok(Self { device: Device::new(flash), start: from, place })
    }

    /// Reads the newest copy that is good.
    ///
    /// # Errors
    /// [`ProvisionError::Foreign`]. [`ProvisionError::Capacity`]: the memory is smaller than that of the
    /// firmware image that saved them. As [`Provisioned::check`]: that image had features that this one has not.
    /// What the flash reports. The memory is empty then.
    pub fn load(&mut self, parameters: &mut Provisioned) -> Result<Loaded, ProvisionError> {
        parameters.clear();
        let places = [self.look(0)?, self.look(1)?];
        let Some((index, header)) = self.best(places)? else { return Ok(Loaded::Nothing) };
        let room = parameters.refill(header.text.into(), header.root.into())?;
        let read = self.read_content(index, room);
        // It was good a moment ago.
        let read = read.and_then(|crc| match crc == header.crc {
            true => parameters.check(),
            false => Err(FlashError::Failed.into()),
        });
        if let Err(error) = read {
            parameters.clear();
            return Err(error);
        }
        let other = places.into_iter().nth(1_usize.saturating_sub(index)).unwrap_or(Place::Blank);
        Ok(match other {
            Place::Blank => Loaded::Newest,
            Place::Sealed(other) if other.rank < header.rank => Loaded::Newest,
            Place::Sealed(_) | Place::Doubtful => Loaded::LastGood,
        })
    }

    /// Saves the parameters, in place of the older copy. When this returns, they are what a start finds.
    ///
    /// # Errors
    /// As [`Provisioned::check`]; [`ProvisionError::Capacity`]: the region is too small;
    /// [`ProvisionError::Foreign`]. Nothing was written. What the flash reports: the last good copy is as
    /// it was.
    pub fn save(&mut self, parameters: &Provisioned) -> Result<(), ProvisionError> {
        parameters.check()?;
        let (content, text) = parameters.parts();
        let have = usize::try_from(self.place.saturating_sub(HEAD)).unwrap_or(0);
        if content.len() > have {
            return Err(capacity(content.len(), have));
        }
        // The memory is no larger.
        let length = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let (text, root) = (length(text), length(content.len().saturating_sub(text)));
        let places = [self.look(0)?, self.look(1)?];
        let (index, rank) = match self.best(places)? {
            Some((best, header)) => {
                let index = 1_usize.saturating_sub(best);
                if let Some(Place::Sealed(_)) = places.get(index) {
                    self.seal_again(best, &header)?;
                }
                (index, header.rank.saturating_add(1))
            }
            None => {
                self.erase(1)?;
                (0, 1)
            }
        };
        self.erase(index)?;
        let crc = Crc::new().with(content).end();
        let header = Header { rank, text, root, crc };
        let mut at = HEAD;
        for piece in content.chunks(32) {
            let mut unit = [0xff; 32];
            unit.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
            let written = self.device.write(self.at(index, at), &unit);
            unit.zeroize();
            written?;
            at = at.wrapping_add(UNIT);
        }
        self.device.write(self.at(index, 0), &header.encode())?;
        // All of it together, as a start will see it.
        if self.look(index)? != Place::Doubtful || !self.is_intact(index, &header)? {
            return Err(FlashError::Worn.into());
        }
        self.device.write(self.at(index, UNIT), &header.seal())?;
        Ok(())
    }

    /// Erases both copies, and looks that they are gone.
    ///
    /// # Errors
    /// What the flash reports: the newer copy may still be there; call it again.
    pub fn wipe(&mut self) -> Result<(), ProvisionError> {
        let rank = |place| match place {
            Ok(Place::Sealed(header)) => header.rank,
            _ => 0,
        };
        // The older one first: it must not be the last good one, not even for a moment.
        let first = usize::from(rank(self.look(1)) < rank(self.look(0)));
        self.erase(first)?;
        self.erase(1_usize.saturating_sub(first))
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.device.flash
    }

    fn at(&self, index: usize, offset: u32) -> u32 {
        let place = if index == 0 { 0 } else { self.place };
        self.start.wrapping_add(place).wrapping_add(offset)
    }

    /// The copy of the highest rank that is good.
    fn best(&mut self, places: [Place; 2]) -> Result<Option<(usize, Header)>, ProvisionError> {
        let mut best: Option<(usize, Header)> = None;
        for (index, place) in places.into_iter().enumerate() {
            if let Place::Sealed(header) = place
                && best.is_none_or(|(_, other)| other.rank < header.rank)
                && self.is_intact(index, &header)?
            {
                best = Some((index, header));
            }
        }
        Ok(best)
    }

    /// What is in a place, by its header and seals.
    #[inline(never)]
    fn look(&mut self, index: usize) -> Result<Place, ProvisionError> {
        let mut bytes = [0; 32];
        self.device.read(self.at(index, 0), &mut bytes)?;
        let Some((version, header)) = Header::decode(&bytes) else {
            return Ok(if self.is_blank(index)? { Place::Blank } else { Place::Doubtful });
        };
        if version != VERSION {
            return Err(ProvisionError::Foreign);
        }
        for seal in 1..=SEALS {
            self.device.read(self.at(index, seal.wrapping_mul(UNIT)), &mut bytes)?;
            if bytes == header.seal() {
                return Ok(Place::Sealed(header));
            }
        }
        Ok(Place::Doubtful)
    }

    fn is_blank(&mut self, index: usize) -> Result<bool, ProvisionError> {
        let (mut at, mut bytes, mut blank) = (0, [0; 32], true);
        while at < self.place {
            self.device.read(self.at(index, at), &mut bytes)?;
            blank &= bytes == [0xff; 32];
            at = at.saturating_add(UNIT);
        }
        Ok(blank)
    }

    /// Writes a seal to the first of the places for one that reads as erased.
    fn seal_again(&mut self, index: usize, header: &Header) -> Result<(), ProvisionError> {
        for seal in 1..=SEALS {
            let at = self.at(index, seal.wrapping_mul(UNIT));
            let mut bytes = [0; 32];
            self.device.read(at, &mut bytes)?;
            if bytes == [0xff; 32] {
                return Ok(self.device.write(at, &header.seal())?);
            }
        }
        // Power failed that often in one of them: one will be whole.
        Ok(())
    }

    fn erase(&mut self, index: usize) -> Result<(), ProvisionError> {
        self.device.erase(self.at(index, 0), self.at(index, self.place))?;
        if self.is_blank(index)? { Ok(()) } else { Err(FlashError::Worn.into()) }
    }

    fn is_intact(&mut self, index: usize, header: &Header) -> Result<bool, ProvisionError> {
        let length = header.length();
        if length > self.place.saturating_sub(HEAD) {
            return Ok(false);
        }
        let crc = self.pieces(index, length, &mut |_| ())?;
        Ok(crc == header.crc)
    }

    /// Reads a copy's content to where it is wanted. Returns its CRC.
    fn read_content(&mut self, index: usize, room: &mut [u8]) -> Result<u32, ProvisionError> {
        let length = u32::try_from(room.len()).unwrap_or(0);
        let mut room = room.iter_mut();
        self.pieces(index, length, &mut |piece| {
            piece.iter().zip(&mut room).for_each(|(from, to)| *to = *from);
        })
    }

    #[inline(never)]
    fn pieces(
        &mut self,
        index: usize,
        length: u32,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<u32, ProvisionError> {
        let (mut crc, mut left, mut at) = (Crc::new(), length, HEAD);
        let mut unit = [0; 32];
        while left > 0 {
            self.device.read(self.at(index, at), &mut unit)?;
            let piece = usize::try_from(left.min(UNIT)).unwrap_or(0);
            let piece = unit.get(..piece).unwrap_or(&[]);
            crc = crc.with(piece);
            take(piece);
            left = left.saturating_sub(UNIT);
            at = at.saturating_add(UNIT);
        }
        unit.zeroize();
        Ok(crc.end())
    }
}

/// What is in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// All of it is erased.
    Blank,
    /// Something that does not count.
    Doubtful,
    /// A copy that counts, if its content is good.
    Sealed(Header),
}

/// The header of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Higher than that of any copy before.
    rank: u32,
    text: u16,
    root: u16,
    /// Of the content.
    crc: u32,
}

impl Header {
    fn length(&self) -> u32 {
        u32::from(self.text).wrapping_add(u32::from(self.root))
    }

    fn encode(&self) -> [u8; 32] {
        let ([m, n], [a, b, c, d]) = (MAGIC.to_le_bytes(), self.rank.to_le_bytes());
        let ([t, u], [r, s]) = (self.text.to_le_bytes(), self.root.to_le_bytes());
        let [w, x, y, z] = self.crc.to_le_bytes();
        let mut bytes = [0; 32];
        let fields = [m, n, VERSION, 0, a, b, c, d, t, u, r, s, w, x, y, z];
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        if let Some((head, end)) = bytes.split_last_chunk_mut::<4>() {
            *end = Crc::new().with(head).end().to_le_bytes();
        }
        bytes
    }

    /// The version, and the header if it is of this one.
    fn decode(bytes: &[u8; 32]) -> Option<(u8, Self)> {
        let [m, n, version, _, a, b, c, d, t, u, r, s, w, x, y, z, ..] = *bytes;
        let (head, crc) = bytes.split_last_chunk::<4>()?;
        // A later version keeps magic, version and CRC where they are.
        let is_whole = Crc::new().with(head).end() == u32::from_le_bytes(*crc);
        let header = Self {
            rank: u32::from_le_bytes([a, b, c, d]),
            text: u16::from_le_bytes([t, u]),
            root: u16::from_le_bytes([r, s]),
            crc: u32::from_le_bytes([w, x, y, z]),
        };
        (is_whole && u16::from_le_bytes([m, n]) == MAGIC).then_some((version, header))
    }

    fn seal(&self) -> [u8; 32] {
        self.encode().map(|byte| !byte)
    }
}
