//! The chip's registers, in raw mode.

use embedded_hal::spi::SpiDevice;
use w5500_ll::eh1::vdm;
use w5500_ll::net::Eui48Addr;
use w5500_ll::{
    BufferSize, LinkStatus, Mode, Protocol, Registers, SOCKETS, Sn, SocketCommand, SocketInterrupt,
    SocketInterruptMask, SocketMode, SocketStatus,
};

use crate::{FRAME, StartError};

/// The one socket of the chip that can be raw.
const RAW: Sn = Sn::Sn0;

/// Content of the register VERSIONR (data sheet, section 4.1).
const VERSION: u8 = 4;

/// How often a command or a reset is looked at before it counts as lost. The chip takes a few clock
/// cycles for one, less than a look at it over SPI.
const LOOKS: u32 = 200;

/// Polls without a frame between two looks at whether the chip is still set up.
const CARE: u8 = 100;

/// How long the chip may take to send a frame, in milliseconds. Without a cable it sends none, and
/// setting it up every two seconds does no harm.
const SENDING_MS: i64 = 2000;

type Done<SPI, T = ()> = Result<T, StartError<<SPI as embedded_hal::spi::ErrorType>::Error>>;

#[derive(Debug)]
pub(crate) struct Chip<SPI> {
    registers: vdm::W5500<SPI>,
    mac: [u8; 6],
    interrupt: bool,
    /// Polls until the chip is looked after.
    care: u8,
    last: LastFrame,
    resets: u32,
}

/// What became of the frame that was sent last.
#[derive(Debug)]
enum LastFrame {
    Sent,
    /// It may not have left yet.
    Sending,
    /// The same, and it has been waited for since then.
    Awaited(i64),
}

impl<SPI: SpiDevice> Chip<SPI> {
    pub(crate) fn start(spi: SPI, mac: [u8; 6]) -> Done<SPI, Self> {
        let registers = vdm::W5500::new(spi);
        let mut chip =
            Self { registers, mac, interrupt: false, care: CARE, last: LastFrame::Sent, resets: 0 };
        chip.set_up()?;
        Ok(chip)
    }

    pub(crate) fn enable_interrupt(&mut self) -> Result<(), SPI::Error> {
        self.interrupt = true;
        self.set_interrupt()
    }

    pub(crate) fn link_up(&mut self) -> Result<bool, SPI::Error> {
        Ok(self.registers.phycfgr()?.lnk() == LinkStatus::Up)
    }

    pub(crate) fn resets(&self) -> u32 {
        self.resets
    }

    pub(crate) fn release(self) -> SPI {
        self.registers.free()
    }

    /// The next frame, taken out of the chip; its length. After garbage the chip is set up again.
    pub(crate) fn receive(&mut self, buffer: &mut [u8; FRAME]) -> Option<usize> {
        self.take(buffer).unwrap_or_else(|_| {
            self.restart();
            None
        })
    }

    /// Now and then, while nothing comes: whether the chip is still set up.
    fn look_after(&mut self) {
        self.care = self.care.saturating_sub(1);
        if self.care == 0 {
            self.care = CARE;
            if !self.is_raw().unwrap_or(false) {
                self.restart();
            }
        }
    }

    /// Whether the last frame has left, so that another can be sent. A chip that sends nothing for
    /// long is set up again.
    pub(crate) fn has_room(&mut self, now_ms: i64) -> bool {
        let since = match self.last {
            LastFrame::Sent => return true,
            LastFrame::Sending => now_ms,
            LastFrame::Awaited(since) => since,
        };
        if self.registers.sn_ir(RAW).is_ok_and(|raised| raised.sendok_raised())
            && self.registers.set_sn_ir(RAW, SocketInterrupt::SENDOK_MASK).is_ok()
        {
            self.last = LastFrame::Sent;
            return true;
        }
        self.last = LastFrame::Awaited(since);
        if now_ms.saturating_sub(since) > SENDING_MS {
            self.restart();
        }
        false
    }

    /// Sends a frame; it is lost if the chip does not take it, as on any network.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        if self.put(frame).is_err() {
            self.restart();
        }
    }

    fn set_up(&mut self) -> Done<SPI> {
        let version = self.registers.version()?;
        if version != VERSION {
            return Err(StartError::NotThere(version));
        }
        self.registers.set_mr(Mode::DEFAULT.rst())?;
        let mut looks = 0;
        while self.registers.mr()? != Mode::DEFAULT {
            looks += 1;
            if looks > LOOKS {
                return Err(StartError::NoReaction);
            }
        }
        self.registers.set_shar(&Eui48Addr::from(self.mac))?;
        // All of the chip's memory is for the one socket.
        for socket in SOCKETS {
            let size = if socket == RAW { BufferSize::KB16 } else { BufferSize::KB0 };
            self.registers.set_sn_rxbuf_size(socket, size)?;
            self.registers.set_sn_txbuf_size(socket, size)?;
        }
        let mode = SocketMode::DEFAULT.set_protocol(Protocol::Macraw).enable_mfen();
        self.registers.set_sn_mr(RAW, mode)?;
        self.command(SocketCommand::Open)?;
        if !self.is_raw()? {
            return Err(StartError::NoReaction);
        }
        self.set_interrupt()?;
        Ok(())
    }

    fn set_interrupt(&mut self) -> Result<(), SPI::Error> {
        let mask = SocketInterruptMask::ALL_MASKED;
        let mask = if self.interrupt { mask.unmask_recv() } else { mask };
        self.registers.set_sn_imr(RAW, mask)?;
        self.registers.set_simr(u8::from(self.interrupt))
    }

    fn is_raw(&mut self) -> Result<bool, SPI::Error> {
        Ok(self.registers.sn_sr(RAW)? == Ok(SocketStatus::Macraw))
    }

    /// Gives the socket a command, and sees it taken.
    fn command(&mut self, command: SocketCommand) -> Done<SPI> {
        self.registers.set_sn_cr(RAW, command)?;
        for _ in 0..LOOKS {
            if self.registers.sn_cr(RAW)? == 0 {
                return Ok(());
            }
        }
        Err(StartError::NoReaction)
    }

    /// Sets the chip up again. What fails now is tried at the next poll.
    fn restart(&mut self) {
        self.resets = self.resets.saturating_add(1);
        self.last = LastFrame::Sent;
        self.care = if self.set_up().is_ok() { CARE } else { 0 };
    }

    fn take(&mut self, buffer: &mut [u8; FRAME]) -> Done<SPI, Option<usize>> {
        if self.interrupt {
            // Before the look: a frame that comes in between pulls the pin again.
            self.registers.set_sn_ir(RAW, SocketInterrupt::RECV_MASK)?;
        }
        let waiting = self.waiting()?;
        if waiting == 0 {
            self.look_after();
            return Ok(None);
        }
        // Before each frame its length, these two bytes included.
        let place = self.registers.sn_rx_rd(RAW)?;
        let mut header = [0; 2];
        self.registers.sn_rx_buf(RAW, place, &mut header)?;
        let total = u16::from_be_bytes(header);
        let length = usize::from(total.saturating_sub(2));
        let frame = buffer.get_mut(..length).filter(|_| length > 0 && total <= waiting);
        let frame = frame.ok_or(StartError::NoReaction)?;
        self.registers.sn_rx_buf(RAW, place.wrapping_add(2), frame)?;
        self.registers.set_sn_rx_rd(RAW, place.wrapping_add(total))?;
        self.command(SocketCommand::Recv)?;
        Ok(Some(length))
    }

    /// Bytes received. The register changes while its halves are read: two equal looks count.
    fn waiting(&mut self) -> Result<u16, SPI::Error> {
        let mut before = self.registers.sn_rx_rsr(RAW)?;
        for _ in 0..LOOKS {
            if before == 0 {
                break;
            }
            let again = self.registers.sn_rx_rsr(RAW)?;
            if again == before {
                break;
            }
            before = again;
        }
        Ok(before)
    }

    fn put(&mut self, frame: &[u8]) -> Done<SPI> {
        let place = self.registers.sn_tx_wr(RAW)?;
        self.registers.set_sn_tx_buf(RAW, place, frame)?;
        let length = u16::try_from(frame.len()).unwrap_or(0);
        self.registers.set_sn_tx_wr(RAW, place.wrapping_add(length))?;
        self.command(SocketCommand::Send)?;
        self.last = LastFrame::Sending;
        Ok(())
    }
}
