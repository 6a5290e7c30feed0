//! How deep the stack went, found by painting it.
//!
//! The boards put the stack below the variables (`memory.x`): an overflow then runs out of RAM
//! instead of into the variables. QEMU's Cortex-M boards drop such accesses silently, so the
//! floor is painted too and looked at in the end.

const PAINT: u32 = 0xC0DE_57AC;

/// Words at the floor that must never be touched.
const FLOOR: usize = 16;

/// Bytes below the painting function that are left alone, for its own calls.
const SPARE: usize = 256;

unsafe extern "C" {
    // From memory.x: the lowest and, one past, the highest address of the stack.
    static mut _stack_end: u32;
    static mut _stack_start: u32;
}

fn bounds() -> (*mut u32, *mut u32) {
    (&raw mut _stack_end, &raw mut _stack_start)
}

/// Paints the free part of the stack. Call it first in `main`.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let end = (&raw const here).wrapping_byte_sub(SPARE);
    let (mut place, _) = bounds();
    while place.cast_const() < end {
        // SAFETY: between the stack's floor and the stack pointer, where nothing lives.
        unsafe { place.write_volatile(PAINT) };
        place = place.wrapping_add(1);
    }
}

/// Most bytes of stack in use so far.
pub fn high_water() -> usize {
    let (mut place, start) = bounds();
    // SAFETY: within the stack.
    while place < start && unsafe { place.read_volatile() } == PAINT {
        place = place.wrapping_add(1);
    }
    start.addr() - place.addr()
}

/// Whether the lowest words of the stack are as they were painted.
pub fn floor_intact() -> bool {
    let (floor, _) = bounds();
    // SAFETY: within the stack, which is longer than the floor.
    (0..FLOOR).all(|i| unsafe { floor.wrapping_add(i).read_volatile() } == PAINT)
}
