//! SHA-256's compression function for bare targets: 16 rounds unrolled, so that no value moves from
//! one working variable to the next. A login takes a twentieth longer than with that of crate sha2,
//! and 5 KB of flash less. With TLS that one is linked anyway, and serves here too.
//!
//! Source: FIPS 180-4, sections 4.1.2, 4.2.2 and 6.2.2.

#[rustfmt::skip]
const KEYS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5,
    0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3,
    0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc,
    0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13,
    0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3,
    0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5,
    0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208,
    0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Adds a block to a chaining value.
#[inline(never)]
pub(super) fn compress(state: &mut [u32; 8], block: &[u8; 64]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let mut variables = *state;
    let (keys, _) = KEYS.as_chunks();
    for (index, keys) in keys.iter().enumerate() {
        if index > 0 {
            schedule(&mut words);
        }
        sixteen_rounds(&mut variables, keys, &words);
    }
    for (sum, variable) in state.iter_mut().zip(variables) {
        *sum = sum.wrapping_add(variable);
    }
}

/// The next 16 words of the message schedule.
fn schedule(words: &mut [u32; 16]) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = words;
    macro_rules! next {
        ($($word:ident $early:ident $middle:ident $late:ident),*) => {$(
            *$word = $word
                .wrapping_add($early.rotate_right(7) ^ $early.rotate_right(18) ^ *$early >> 3)
                .wrapping_add(*$middle)
                .wrapping_add($late.rotate_right(17) ^ $late.rotate_right(19) ^ *$late >> 10);
        )*};
    }
    next!(a b j o, b c k p, c d l a, d e m b, e f n c, f g o d, g h p e, h i a f);
    next!(i j b g, j k c h, k l d i, l m e j, m n f k, n o g l, o p h m, p a i n);
}

/// After sixteen rounds every variable is where it was.
#[allow(unused_assignments, reason = "no round comes after the last")]
#[inline]
fn sixteen_rounds(variables: &mut [u32; 8], keys: &[u32; 16], words: &[u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *variables;
    let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, ka, kb, kc, kd, ke, kf] = *keys;
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf] = *words;
    let mut differed = b ^ c;
    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $k:ident $w:ident) => {
            $h = $h
                .wrapping_add($e.rotate_right(6) ^ $e.rotate_right(11) ^ $e.rotate_right(25))
                .wrapping_add($g ^ $e & ($f ^ $g))
                .wrapping_add($k)
                .wrapping_add($w);
            $d = $d.wrapping_add($h);
            // The majority of a, b and c; a ^ b is the next round's b ^ c.
            let differ = $a ^ $b;
            $h = $h
                .wrapping_add($a.rotate_right(2) ^ $a.rotate_right(13) ^ $a.rotate_right(22))
                .wrapping_add($b ^ differ & differed);
            differed = differ;
        };
    }
    round!(a b c d e f g h k0 w0);
    round!(h a b c d e f g k1 w1);
    round!(g h a b c d e f k2 w2);
    round!(f g h a b c d e k3 w3);
    round!(e f g h a b c d k4 w4);
    round!(d e f g h a b c k5 w5);
    round!(c d e f g h a b k6 w6);
    round!(b c d e f g h a k7 w7);
    round!(a b c d e f g h k8 w8);
    round!(h a b c d e f g k9 w9);
    round!(g h a b c d e f ka wa);
    round!(f g h a b c d e kb wb);
    round!(e f g h a b c d kc wc);
    round!(d e f g h a b c kd wd);
    round!(c d e f g h a b ke we);
    round!(b c d e f g h a kf wf);
    *variables = [a, b, c, d, e, f, g, h];
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::digest::generic_array::GenericArray;

    #[test]
    fn compresses_as_the_crate_does() {
        let (mut ours, mut theirs) = ([0x1234_5678, 1, 2, 3, 4, 5, 6, u32::MAX], [0; 8]);
        theirs.copy_from_slice(&ours);
        let mut block = [0; 64];
        for seed in 0..500_u32 {
            for (at, byte) in block.iter_mut().enumerate() {
                *byte ^= (seed.wrapping_mul(0x9e37_79b1) >> (at & 15)).to_le_bytes()[at & 3];
            }
            compress(&mut ours, &block);
            sha2::compress256(&mut theirs, &[*GenericArray::from_slice(&block)]);
            assert_eq!(ours, theirs, "{seed}");
        }
    }
}
