//! Hands esp-hal's script to the linker.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
}
