//! Hands the chip's memory map and cortex-m-rt's script to the linker.

use std::{env, fs, path::PathBuf};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let pico2 = env::var_os("CARGO_FEATURE_PICO2").is_some();
    // Neither has the name that the linker asks for, which it would find here before.
    let script = if pico2 { "pico2.x" } else { "pico.x" };
    fs::copy(script, out.join("memory.x")).expect(script);
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed={script}");
}
