#![no_main]
//! The provisioning console, and the flash it saves to: any lines and any flash, without a panic; what was
//! saved is what is loaded, after flipped bits too or not at all; no secret comes out.
//!
//! Input: how many bytes of lines, flips of bits in the flash, the lines.

use barepg::provision::{Console, Loaded, Provisioned, RamFlash, Store};
use libfuzzer_sys::fuzz_target;

/// Not in any dictionary, and not in what the console says.
const SECRET: &str = "Zx9Qw7Lm4T";

const PLACE: usize = 512;

type Parameters = Provisioned<[u8; 256]>;

fuzz_target!(|data: &[u8]| {
    let [count, rest @ ..] = data else { return };
    let (flips, lines) = rest.split_at(usize::from(count % 8).min(rest.len()));
    let mut memory = [0xa5; 2 * PLACE];
    let mut said = String::new();
    let mut parameters = Parameters::new();
    let size = u32::try_from(memory.len()).unwrap();
    let mut saved = None;
    {
        let mut store = Store::new(RamFlash::new(&mut memory), 0, size).unwrap();
        let mut console = Console::new(&mut parameters);
        let secret = format!("\npassword={SECRET}\nshow\ncommit\n");
        for byte in secret.bytes().chain(lines.iter().copied()).chain(*b"\nshow\ncommit\n") {
            if let Some(request) = console.feed(byte, &mut said) {
                let before = said.len();
                console.carry_out(request, &mut store, &mut said);
                if said[before..].starts_with("ok") {
                    saved = Some(described(console.parameters()));
                }
            }
        }
        assert!(!said.contains(SECRET) || lines.windows(3).any(|w| w == &SECRET.as_bytes()[..3]));
        let mut loaded = Parameters::new();
        let found = store.load(&mut loaded).unwrap();
        match &saved {
            // The last thing may have been a wipe.
            None => assert_eq!(found, Loaded::Nothing),
            Some(saved) if found != Loaded::Nothing => assert_eq!(&described(&loaded), saved),
            Some(saved) => assert_eq!(saved, &described(&Parameters::new())),
        }
    }
    for flip in flips.chunks_exact(2) {
        let at = usize::from(u16::from_be_bytes([flip[0], flip[1]]));
        memory[at / 8 % (2 * PLACE)] ^= 1 << (at % 8);
    }
    let mut store = Store::new(RamFlash::new(&mut memory), 0, size).unwrap();
    let mut loaded = Parameters::new();
    // Whole and checked, or nothing.
    if store.load(&mut loaded).is_ok_and(|found| found != Loaded::Nothing) {
        loaded.check().unwrap();
    }
});

/// What can be seen of parameters from outside.
fn described(parameters: &Provisioned) -> String {
    let mut scratch = [0; barepg::limits::PROVISIONED_SCRATCH];
    let config = parameters.config(&mut scratch).map(|config| {
        let password = config.reveal_password().map(str::to_string);
        (format!("{config:?}"), password)
    });
    format!("{:?} {:?} {:?}", config, parameters.root(), parameters.room())
}
