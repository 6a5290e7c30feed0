//! A model of the chip in raw mode, from its data sheet (version 1.1.0): registers, the memory of
//! socket 0, commands. It hangs on the simulated wire of barepg-smoltcp's tests.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use barepg_smoltcp::smoltcp::phy::{Device, RxToken, TxToken};
use barepg_smoltcp::smoltcp::time::Instant;
use embedded_hal::spi::{ErrorType, Operation, SpiDevice};

use crate::world::End;

/// Bytes of the socket's memory each way, once all of it is the first socket's.
const MEMORY: usize = 16 * 1024;

// Registers of the common block.
const MR: usize = 0x00;
const SHAR: usize = 0x09;
const PHYCFGR: usize = 0x2e;
const VERSIONR: usize = 0x39;

// Registers of a socket.
const SN_MR: usize = 0x00;
const SN_CR: usize = 0x01;
const SN_IR: usize = 0x02;
const SN_SR: usize = 0x03;
const SN_TX_FSR: usize = 0x20;
const SN_TX_RD: usize = 0x22;
const SN_TX_WR: usize = 0x24;
const SN_RX_RSR: usize = 0x26;
const SN_RX_RD: usize = 0x28;
const SN_RX_WR: usize = 0x2a;

/// The chip, and what is done to it from outside.
pub struct Model {
    end: End,
    common: [u8; 0x40],
    socket: [u8; 0x30],
    tx: Vec<u8>,
    rx: Vec<u8>,
    /// Bytes of the two memories, from the registers of their sizes.
    rx_size: usize,
    tx_size: usize,
    /// Nothing answers: all bits read as this.
    pub gone: Option<u8>,
    /// Commands are never taken.
    pub stuck: bool,
    /// Nothing leaves.
    pub mute: bool,
    /// The length before the next frame is this.
    pub garbage: Option<u16>,
    /// Frames that found no room.
    pub dropped: u32,
    /// Bytes that went over the bus.
    pub bytes: u64,
}

/// The bus to it.
#[derive(Clone)]
pub struct Bus(pub Rc<RefCell<Model>>);

impl Model {
    pub fn on(end: End) -> Bus {
        let mut model = Self {
            end,
            common: [0; 0x40],
            socket: [0; 0x30],
            tx: vec![0; MEMORY],
            rx: vec![0; MEMORY],
            rx_size: 2048,
            tx_size: 2048,
            gone: None,
            stuck: false,
            mute: false,
            garbage: None,
            dropped: 0,
            bytes: 0,
        };
        model.reset();
        Bus(Rc::new(RefCell::new(model)))
    }

    /// As at power-up.
    pub fn reset(&mut self) {
        self.common = [0; 0x40];
        self.socket = [0; 0x30];
        self.common[VERSIONR] = 4;
        self.common[PHYCFGR] = 0b1011_1111;
        (self.rx_size, self.tx_size) = (2048, 2048);
    }

    /// The cable is out: bit LNK of PHYCFGR.
    pub fn unplug(&mut self) {
        self.common[PHYCFGR] &= !1;
    }

    fn word(&self, register: usize) -> u16 {
        u16::from_be_bytes([self.socket[register], self.socket[register + 1]])
    }

    fn set_word(&mut self, register: usize, value: u16) {
        self.socket[register..register + 2].copy_from_slice(&value.to_be_bytes());
    }

    fn is_open(&self) -> bool {
        self.socket[SN_SR] == 0x42
    }

    /// Frames that have come go into the memory, each after its length.
    fn receive(&mut self) {
        while self.is_open() {
            let Some((rx, _)) = self.end.receive(Instant::ZERO) else { return };
            let frame = rx.consume(<[u8]>::to_vec);
            // MFEN: to the own address, or to many.
            let filtered = self.socket[SN_MR] & 0x80 != 0;
            if filtered && frame[0] & 1 == 0 && frame[..6] != self.common[SHAR..SHAR + 6] {
                continue;
            }
            let total = frame.len() + 2;
            let used = usize::from(self.word(SN_RX_RSR));
            if used + total > self.rx_size {
                self.dropped += 1;
                continue;
            }
            let length = self.garbage.take().unwrap_or(total as u16);
            let mut place = self.word(SN_RX_WR);
            for byte in length.to_be_bytes().into_iter().chain(frame) {
                self.rx[usize::from(place) % self.rx_size] = byte;
                place = place.wrapping_add(1);
            }
            self.set_word(SN_RX_WR, place);
            self.set_word(SN_RX_RSR, (used + total) as u16);
            self.socket[SN_IR] |= 1 << 2;
        }
    }

    fn command(&mut self, command: u8) {
        match command {
            // OPEN
            0x01 => {
                assert_eq!(self.socket[SN_MR] & 0x0f, 4, "not MACRAW");
                self.socket[SN_IR] = 0;
                for register in [SN_TX_RD, SN_TX_WR, SN_RX_RD, SN_RX_WR, SN_RX_RSR] {
                    self.set_word(register, 0);
                }
                self.set_word(SN_TX_FSR, self.tx_size as u16);
                self.socket[SN_SR] = 0x42;
            }
            // SEND
            0x20 if self.is_open() && !self.mute => {
                let (from, to) = (self.word(SN_TX_RD), self.word(SN_TX_WR));
                let length = usize::from(to.wrapping_sub(from));
                assert_eq!(self.socket[SN_IR] & 1 << 4, 0, "a frame before the last has left");
                assert!((14..=1514).contains(&length), "a frame of {length} bytes");
                let byte = |i: usize| self.tx[(usize::from(from) + i) % self.tx_size];
                let frame: Vec<u8> = (0..length).map(byte).collect();
                if let Some(tx) = self.end.transmit(Instant::ZERO) {
                    tx.consume(length, |room| room.copy_from_slice(&frame));
                }
                self.set_word(SN_TX_RD, to);
                self.socket[SN_IR] |= 1 << 4;
            }
            // RECV
            0x40 if self.is_open() => {
                let used = self.word(SN_RX_WR).wrapping_sub(self.word(SN_RX_RD));
                self.set_word(SN_RX_RSR, used);
            }
            _ => {}
        }
    }

    fn read(&mut self, address: u16, block: u8, data: &mut [u8]) {
        self.receive();
        for (i, byte) in data.iter_mut().enumerate() {
            let place = usize::from(address.wrapping_add(i as u16));
            *byte = match (self.gone, block) {
                (Some(byte), _) => byte,
                (_, 0) => self.common.get(place).copied().unwrap_or(0),
                (_, 1) => self.socket.get(place).copied().unwrap_or(0),
                (_, 3) => self.rx[place % self.rx_size],
                _ => 0,
            };
        }
    }

    fn write(&mut self, address: u16, block: u8, data: &[u8]) {
        if self.gone.is_some() {
            return;
        }
        for (i, &byte) in data.iter().enumerate() {
            let place = usize::from(address.wrapping_add(i as u16));
            match (block, place) {
                (0, MR) if byte & 0x80 != 0 => self.reset(),
                (0, VERSIONR) => {}
                (0, _) => self.common[place] = byte,
                (1, SN_CR) if self.stuck => self.socket[SN_CR] = byte,
                (1, SN_CR) => self.command(byte),
                // Ones clear.
                (1, SN_IR) => self.socket[SN_IR] &= !byte,
                (1, 0x1e) => self.rx_size = usize::from(byte) * 1024,
                (1, 0x1f) => self.tx_size = usize::from(byte) * 1024,
                (1, SN_SR | SN_TX_FSR | 0x21 | SN_RX_RSR | 0x27) => {}
                (1, _) => self.socket[place] = byte,
                (2, _) => {
                    let size = self.tx_size;
                    self.tx[place % size] = byte;
                }
                _ => {}
            }
        }
    }
}

impl ErrorType for Bus {
    type Error = Infallible;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        let mut model = self.0.borrow_mut();
        let [Operation::Write(header), rest] = operations else { panic!("not a header first") };
        let &[high, low, control] = *header else { panic!("a header of {} bytes", header.len()) };
        let (address, block) = (u16::from_be_bytes([high, low]), control >> 3);
        assert_eq!(control & 0b11, 0, "not of variable length");
        model.bytes += 3;
        match rest {
            Operation::Read(data) => {
                assert_eq!(control & 4, 0);
                model.bytes += data.len() as u64;
                model.read(address, block, data);
            }
            Operation::Write(data) => {
                assert_eq!(control & 4, 4);
                model.bytes += data.len() as u64;
                model.write(address, block, data);
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }
}
