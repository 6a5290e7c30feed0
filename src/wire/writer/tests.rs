//! What a writer puts into slices, counters and drains.

use super::*;
use std::vec::Vec;

fn sample(w: &mut Writer<'_>) -> Result<(), WireError> {
    w.message(b'P', &|w| {
        w.cstr("name")?;
        w.prefixed(&|w| w.bytes(b"0123456789"))?;
        w.u16(7)
    })
}

const SAMPLE: &[u8] = b"P\0\0\0\x19name\0\0\0\0\x0a0123456789\0\x07";

#[test]
fn slice_patches_lengths() {
    let mut buf = [0; 64];
    let mut w = Writer::new(&mut buf);
    sample(&mut w).unwrap();
    let n = w.len();
    assert_eq!(&buf[..n], SAMPLE);
}

#[test]
fn counter_and_drain_agree_with_slice_for_every_buffer_size() {
    assert_eq!(Writer::measure(&sample, &[], Rules::NONE), Ok(SAMPLE.len()));
    for (head, size) in (1..SAMPLE.len() + 2).flat_map(|size| [(0, size), (5, size + 5)]) {
        let mut out = Vec::new();
        let mut buf = std::vec![0; size];
        let mut drain = |b: &mut [u8]| {
            out.extend_from_slice(&b[head..]);
            // The head is the drain's.
            b[..head].fill(0xff);
            Ok(())
        };
        let mut beyond = Beyond::Drain { buf: &mut buf, used: head, head, drain: &mut drain };
        let mut w = Writer::beyond(&mut beyond, Rules::NONE);
        sample(&mut w).unwrap();
        w.finish().unwrap();
        assert_eq!(out, SAMPLE, "buffer of {size}");
    }
}

#[test]
fn full_and_nul_are_refused() {
    for size in 0..SAMPLE.len() {
        let mut buf = std::vec![0; size];
        assert_eq!(sample(&mut Writer::new(&mut buf)), Err(WireError::Full));
    }
    assert_eq!(Writer::new(&mut [0; 9]).cstr("a\0b"), Err(WireError::Nul));
    assert_eq!(Writer::new(&mut [0; 9]).count(65_536), Err(WireError::TooLong));
}
