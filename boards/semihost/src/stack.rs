//! How deep the stack went, found by painting it.
//!
//! The boards put the stack below the variables (`memory.x`): an overflow then runs out of RAM
//! instead of into the variables. QEMU's Cortex-M boards drop such accesses silently, so the
//! floor is painted too and looked at in the end.

use crate::print::{print, print_number};

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

/// The lowest word that was used since the painting.
fn lowest() -> *mut u32 {
    let (mut place, start) = bounds();
    // SAFETY: within the stack.
    while place < start && unsafe { place.read_volatile() } == PAINT {
        place = place.wrapping_add(1);
    }
    place
}

/// How deep the stack goes below one place: painted anew at the beginning of a piece of work and
/// looked at at its end, both in the same function or one that it calls.
pub struct Depth {
    /// Lowest word before the piece of work, for the high-water mark of all.
    lowest: *mut u32,
    here: *mut u32,
}

impl Depth {
    /// Begins. Bytes that the caller itself uses do not count, but for a few.
    #[inline(never)]
    pub fn begin() -> Self {
        let mut word = 0u32;
        let here = &raw mut word;
        let lowest = lowest();
        paint();
        Self { lowest, here }
    }

    /// Bytes used since [`begin`](Self::begin), 0 when they were too few to be seen. Puts a mark
    /// where the stack was deepest before, for [`high_water`].
    #[inline(never)]
    pub fn end(self) -> usize {
        let deepest = lowest();
        let used = self.here.addr().saturating_sub(deepest.addr());
        if self.lowest < deepest {
            // SAFETY: within the stack and below everything in use.
            unsafe { self.lowest.write_volatile(!PAINT) };
        }
        if used > SPARE { used } else { 0 }
    }
}

/// How deep the stack goes in the login and in a query, each from the mark at its beginning to the
/// one at its end.
#[derive(Default)]
pub struct Depths {
    current: Option<Depth>,
    used: [usize; 2],
}

impl Depths {
    /// A piece of work begins.
    pub fn begin(&mut self) {
        self.current = Some(Depth::begin());
    }

    /// It ends: 1 is the login, anything else a query.
    pub fn end(&mut self, id: u32) {
        let used = self.current.take().map_or(0, Depth::end);
        let [login, query] = &mut self.used;
        let most = if id == 1 { login } else { query };
        *most = used.max(*most);
    }

    /// Prints the most bytes of each.
    pub fn print(&self, out: &mut dyn core::fmt::Write) {
        let [login, query] = self.used;
        print_number(out, "@login_stack ", login as u32);
        print_number(out, "\n@query_stack ", query as u32);
        print(out, &["\n"]);
    }
}

/// Most bytes of stack in use so far.
pub fn high_water() -> usize {
    let (_, start) = bounds();
    start.addr() - lowest().addr()
}

/// Whether the lowest words of the stack are as they were painted.
pub fn floor_intact() -> bool {
    let (floor, _) = bounds();
    // SAFETY: within the stack, which is longer than the floor.
    (0..FLOOR).all(|i| unsafe { floor.wrapping_add(i).read_volatile() } == PAINT)
}
