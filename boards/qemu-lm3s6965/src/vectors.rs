//! The interrupts that this chip has, as a device crate would list them: without a list the table has room
//! for 240, 784 bytes of flash more.

/// Interrupts 0 to 43 of the data sheet's table "Interrupts".
const INTERRUPTS: usize = 44;

unsafe extern "C" {
    /// What cortex-m-rt runs for an interrupt without a handler.
    safe fn DefaultHandler();
}

// The two that wake the core are masked again before their handlers could run: see `clock`.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [extern "C" fn(); INTERRUPTS] = {
    extern "C" fn unexpected() {
        DefaultHandler();
    }
    [unexpected; INTERRUPTS]
};
