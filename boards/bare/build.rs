//! These programs are linked to be looked at, not to be run: any layout does.

fn main() {
    println!("cargo:rustc-link-arg-bins=--entry=start");
    println!("cargo:rustc-link-arg-bins=--gc-sections");
}
