//! The virtio devices: the network as a smoltcp device, and the entropy source.

use core::cell::RefCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use barepg_smoltcp::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use barepg_smoltcp::smoltcp::time::Instant;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::clock::complete_interrupt;

/// The machine's eight virtio slots; slot n has interrupt line n + 1.
const SLOTS: usize = 0x1000_1000;
const SLOT_SIZE: usize = 0x1000;

/// Two pages for each queue: the network's two and the entropy source's one.
const PAGES: usize = 6;

/// Descriptors of a network queue.
const QUEUE: usize = 4;

const RX_BUFFERS: usize = 2;
/// Bytes of a buffer: a header of up to 12 bytes and a frame of 1514.
const BUFFER: usize = 1528;
const HEADER: usize = 12;

#[repr(C, align(4096))]
struct Pool([[u8; PAGE_SIZE]; PAGES]);

static mut POOL: Pool = Pool([[0; PAGE_SIZE]; PAGES]);
static POOL_USED: AtomicUsize = AtomicUsize::new(0);

/// Memory for the queues from a fixed pool; addresses are physical on this machine.
pub struct Identity;

// SAFETY: pages are handed out once, zeroed and aligned; addresses are the same for the devices.
unsafe impl Hal for Identity {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = POOL_USED.fetch_add(pages, Ordering::Relaxed);
        if first + pages > PAGES {
            // An address of 0 is the crate's word for failure.
            return (0, NonNull::dangling());
        }
        let page = (&raw mut POOL).cast::<u8>().wrapping_add(first * PAGE_SIZE);
        (page.addr() as PhysAddr, NonNull::new(page).unwrap_or(NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // The devices live as long as the firmware.
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(ptr::with_exposed_provenance_mut(address as usize))
            .unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr().expose_provenance() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

type Raw = VirtIONetRaw<Identity, MmioTransport<'static>, QUEUE>;

/// Finds the first device of a kind, with its interrupt line.
fn find(kind: DeviceType) -> Option<(MmioTransport<'static>, u32)> {
    (0..8).find_map(|slot| {
        let header = ptr::with_exposed_provenance_mut::<VirtIOHeader>(SLOTS + slot * SLOT_SIZE);
        // SAFETY: one of the machine's eight slots, which are there even when empty. A device is
        // looked for by kind, so that no slot is used twice.
        let transport = unsafe { MmioTransport::new(NonNull::new(header)?, SLOT_SIZE) }.ok()?;
        if transport.device_type() == kind {
            Some((transport, slot as u32 + 1))
        } else {
            // Dropping it would reset a device that another one may be using.
            core::mem::forget(transport);
            None
        }
    })
}

/// The entropy device.
pub struct Entropy(RefCell<VirtIORng<Identity, MmioTransport<'static>>>);

impl Entropy {
    pub fn start() -> Option<Self> {
        let (transport, _) = find(DeviceType::EntropySource)?;
        Some(Self(RefCell::new(VirtIORng::new(transport).ok()?)))
    }

    /// Fills `buf`; false if the device does not deliver.
    pub fn fill(&self, mut buf: &mut [u8]) -> bool {
        let Ok(mut device) = self.0.try_borrow_mut() else { return false };
        while !buf.is_empty() {
            match device.request_entropy(buf) {
                Ok(n) if n > 0 && n <= buf.len() => buf = &mut core::mem::take(&mut buf)[n..],
                _ => return false,
            }
        }
        true
    }
}

/// The network device's memory.
pub struct Frames {
    rx: [[u8; BUFFER]; RX_BUFFERS],
    tx: [u8; BUFFER],
}

impl Frames {
    pub const fn new() -> Self {
        Self { rx: [[0; BUFFER]; RX_BUFFERS], tx: [0; BUFFER] }
    }
}

/// The network device.
pub struct Nic {
    raw: RefCell<Raw>,
    frames: &'static mut Frames,
    /// The token of the request that each receive buffer waits in.
    tokens: [u16; RX_BUFFERS],
    sending: Sending,
}

pub struct Rx<'a> {
    raw: &'a RefCell<Raw>,
    buffer: &'a mut [u8; BUFFER],
    token: &'a mut u16,
    start: usize,
    length: usize,
}

pub struct Tx<'a> {
    raw: &'a RefCell<Raw>,
    buffer: &'a mut [u8; BUFFER],
    sending: &'a mut Sending,
}

/// The frame that the device has been given and may still read: its token and its length with the
/// header.
struct Sending(Option<(u16, usize)>);

impl Sending {
    /// Waits until the device has read it. It has long done so when the next one is to be sent,
    /// unless frames follow each other.
    fn end(&mut self, raw: &mut Raw, buffer: &[u8; BUFFER]) {
        let Some((token, length)) = self.0.take() else { return };
        while raw.poll_transmit() != Some(token) {
            core::hint::spin_loop();
        }
        // SAFETY: the buffer this request was begun with. A frame it refused is a lost frame.
        let _ = unsafe { raw.transmit_complete(token, buffer.get(..length).unwrap_or(&[])) };
    }

    fn begin(&mut self, raw: &mut Raw, frame: &[u8]) {
        // SAFETY: the buffer is static, and not touched before `end`.
        if let Ok(token) = unsafe { raw.transmit_begin(frame) } {
            self.0 = Some((token, frame.len()));
        }
    }
}

impl Nic {
    /// Starts the device. Returns its hardware address and interrupt line too.
    pub fn start(frames: &'static mut Frames) -> Option<(Self, [u8; 6], u32)> {
        let (transport, line) = find(DeviceType::Network)?;
        let mut raw = Raw::new(transport).ok()?;
        let mut tokens = [0; RX_BUFFERS];
        for (token, buffer) in tokens.iter_mut().zip(&mut frames.rx) {
            // SAFETY: the buffer is static and not touched before the request is complete.
            *token = unsafe { raw.receive_begin(buffer) }.ok()?;
        }
        raw.enable_interrupts();
        let address = raw.mac_address();
        let nic = Self { raw: RefCell::new(raw), frames, tokens, sending: Sending(None) };
        Some((nic, address, line))
    }
}

impl Device for Nic {
    type RxToken<'a> = Rx<'a>;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let mut raw = self.raw.try_borrow_mut().ok()?;
        let Some(done) = raw.poll_receive() else {
            // Nothing left: the interrupt may be taken back. What arrives from here on raises it
            // again.
            raw.ack_interrupt();
            complete_interrupt();
            return None;
        };
        let index = self.tokens.iter().position(|token| *token == done)?;
        let (buffer, token) = (self.frames.rx.get_mut(index)?, self.tokens.get_mut(index)?);
        // SAFETY: the buffer this request was begun with.
        let (start, length) = unsafe { raw.receive_complete(done, buffer) }.ok()?;
        drop(raw);
        let rx = Rx { raw: &self.raw, buffer, token, start, length };
        let sending = &mut self.sending;
        Some((rx, Tx { raw: &self.raw, buffer: &mut self.frames.tx, sending }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        let sending = &mut self.sending;
        Some(Tx { raw: &self.raw, buffer: &mut self.frames.tx, sending })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

impl phy::RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let frame = self.buffer.get(self.start..self.start + self.length).unwrap_or(&[]);
        let result = f(frame);
        if let Ok(mut raw) = self.raw.try_borrow_mut() {
            // SAFETY: as in `start`. There is room: this buffer has just left the queue.
            if let Ok(token) = unsafe { raw.receive_begin(self.buffer) } {
                *self.token = token;
            }
        }
        result
    }
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        if let Ok(mut raw) = self.raw.try_borrow_mut() {
            self.sending.end(&mut raw, self.buffer);
        }
        let header =
            self.raw.try_borrow().ok().and_then(|raw| raw.fill_buffer_header(self.buffer).ok());
        let start = header.unwrap_or(HEADER).min(HEADER);
        let end = start + len.min(BUFFER - HEADER);
        let result = f(self.buffer.get_mut(start..end).unwrap_or(&mut []));
        if let (Some(frame), Ok(mut raw)) = (self.buffer.get(..end), self.raw.try_borrow_mut()) {
            self.sending.begin(&mut raw, frame);
        }
        result
    }
}
