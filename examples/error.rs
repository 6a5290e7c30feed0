//! Prints in words the errors that a device kept or sent as 16 bytes, because it has no room for words.
//!
//! ```text
//! cargo run --features std,tls,outbox --example error -- 40000000323335303500000000000101
//! ```
//!
//! The bytes are those of [`Error::to_bytes`](barepg::Error::to_bytes) in hexadecimal digits, of the same version
//! of barepg. Exit status 1: one of them is no error of this build.

use std::process::ExitCode;

use barepg::Error;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_none_or(|word| word.starts_with('-')) {
        println!("usage: error HEXADECIMAL-DIGITS...");
        let is_help = arguments.iter().any(|word| matches!(&**word, "--help" | "-h"));
        return if is_help { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut failed = false;
    for digits in &arguments {
        match bytes(digits).and_then(Error::from_bytes) {
            Some(error) => println!("{error}"),
            None => {
                eprintln!("{digits}: no error of this build");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// 32 hexadecimal digits.
fn bytes(digits: &str) -> Option<[u8; 16]> {
    // A sign is no digit, though the parser of numbers takes one.
    let is_plain = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| is_plain)?;
    Some(number.to_be_bytes())
}
