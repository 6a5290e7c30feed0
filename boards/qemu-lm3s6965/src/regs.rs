//! Registers of the LM3S6965 that are used here, by the names of its data sheet (Texas
//! Instruments, "Stellaris LM3S6965 Microcontroller").

/// A register at a fixed address.
#[derive(Clone, Copy)]
pub struct Reg(*mut u32);

// SAFETY: an address; every access is a single volatile one.
unsafe impl Sync for Reg {}

impl Reg {
    const fn at(address: usize) -> Self {
        Self(core::ptr::without_provenance_mut(address))
    }

    pub fn read(self) -> u32 {
        // SAFETY: only built below, from addresses of registers of this chip.
        unsafe { self.0.read_volatile() }
    }

    pub fn write(self, value: u32) {
        // SAFETY: as for `read`.
        unsafe { self.0.write_volatile(value) }
    }

    pub fn set(self, bits: u32) {
        self.write(self.read() | bits);
    }
}

/// System control: raw interrupt status (bit 6: PLL locked), run-mode clock, clock gates.
pub static RIS: Reg = Reg::at(0x400F_E050);
pub static RCC: Reg = Reg::at(0x400F_E060);
pub static RCGC1: Reg = Reg::at(0x400F_E104);
pub static RCGC2: Reg = Reg::at(0x400F_E108);
/// The hardware address, kept in the flash's user registers, three bytes in each.
pub static USER_REG0: Reg = Reg::at(0x400F_E1E0);
pub static USER_REG1: Reg = Reg::at(0x400F_E1E4);

/// General-purpose timer 0.
pub mod timer0 {
    use super::Reg;

    /// Its line in the interrupt controller.
    pub const INTERRUPT: u8 = 19;
    pub static GPTMCFG: Reg = Reg::at(0x4003_0000);
    pub static GPTMTAMR: Reg = Reg::at(0x4003_0004);
    pub static GPTMCTL: Reg = Reg::at(0x4003_000C);
    pub static GPTMIMR: Reg = Reg::at(0x4003_0018);
    pub static GPTMICR: Reg = Reg::at(0x4003_0024);
    pub static GPTMTAILR: Reg = Reg::at(0x4003_0028);
}

/// Ethernet controller.
pub mod mac {
    use super::Reg;

    /// Its line in the interrupt controller.
    pub const INTERRUPT: u8 = 42;
    /// Raw interrupt status when read, acknowledge when written. Bit 0: a frame was received.
    pub static MACRIS: Reg = Reg::at(0x4004_8000);
    pub static MACIM: Reg = Reg::at(0x4004_8004);
    pub static MACRCTL: Reg = Reg::at(0x4004_8008);
    pub static MACTCTL: Reg = Reg::at(0x4004_800C);
    pub static MACDATA: Reg = Reg::at(0x4004_8010);
    pub static MACIA0: Reg = Reg::at(0x4004_8014);
    pub static MACIA1: Reg = Reg::at(0x4004_8018);
    /// Frames waiting in the receive FIFO.
    pub static MACNP: Reg = Reg::at(0x4004_8034);
    /// Bit 0: send what is in the transmit FIFO; reads as 1 until it is gone.
    pub static MACTR: Reg = Reg::at(0x4004_8038);

    pub const RX_INTERRUPT: u32 = 1;
    /// MACRCTL: receiver on, reject frames with a bad checksum, empty the FIFO.
    pub const RXEN: u32 = 1;
    pub const BADCRC: u32 = 1 << 3;
    pub const RSTFIFO: u32 = 1 << 4;
    /// MACTCTL: transmitter on, pad short frames, append the checksum, full duplex.
    pub const TXEN: u32 = 1;
    pub const PADEN: u32 = 1 << 1;
    pub const CRC: u32 = 1 << 2;
    pub const DUPLEX: u32 = 1 << 4;
}

/// UART 0.
#[cfg(feature = "defmt")]
pub mod uart0 {
    use super::Reg;

    pub static UARTDR: Reg = Reg::at(0x4000_C000);
    /// Bit 5: the transmit FIFO is full.
    pub static UARTFR: Reg = Reg::at(0x4000_C018);
    pub static UARTIBRD: Reg = Reg::at(0x4000_C024);
    pub static UARTFBRD: Reg = Reg::at(0x4000_C028);
    pub static UARTLCRH: Reg = Reg::at(0x4000_C02C);
    pub static UARTCTL: Reg = Reg::at(0x4000_C030);
    /// Port A, whose pins 0 and 1 the UART uses: alternate function, digital enable.
    pub static GPIOAFSEL: Reg = Reg::at(0x4000_4420);
    pub static GPIODEN: Reg = Reg::at(0x4000_451C);
}
