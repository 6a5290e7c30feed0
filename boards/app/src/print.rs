//! Printing without core's formatting: what it has for a text by `{}`, with its paddings, is 0.6 KB of flash,
//! what it has for the numbers of its types 1.5 KB. The crate for emulated boards, semihost, holds this file too.

use core::fmt::Write;

/// Prints texts.
pub(crate) fn print(out: &mut dyn Write, texts: &[&str]) {
    for text in texts {
        let _ = out.write_str(text);
    }
}

/// Prints a text and a number after it.
pub(crate) fn print_number(out: &mut dyn Write, text: &str, number: u32) {
    print(out, &[text]);
    let (mut least, mut rest) = (1, number);
    while rest > 9 {
        (least, rest) = (least * 10, rest / 10);
    }
    while least > 0 {
        let digit = char::from_digit(number / least % 10, 10);
        let _ = out.write_char(digit.unwrap_or('?'));
        least /= 10;
    }
}
