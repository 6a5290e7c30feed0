//! Whose a symbol is: crate and module, from its name.

use rustc_demangle::demangle;

/// What has no path: routines of the compiler and of C, entry points, tables.
const NONE: &str = "(C and compiler)";
/// Constants that the compiler named itself.
pub const CONSTANTS: &str = "(constants without a name)";

/// The name as a person reads it, without the hash.
pub fn shown(name: &str) -> String {
    format!("{:#}", demangle(name))
}

/// The crate of a symbol, and its module there. What was compiled for a type or a trait of barepg is
/// barepg's: without it, it would not be there.
pub fn owner(name: &str) -> (String, String) {
    let name = shown(name);
    if name.contains(".Lanon") || name.contains(".llvm.") && !name.contains("::") {
        return (CONSTANTS.to_string(), String::new());
    }
    let paths = paths(&name);
    let path = paths.iter().find(|path| path.starts_with("barepg::")).or(paths.first());
    let Some(path) = path else { return (NONE.to_string(), String::new()) };
    let mut words = path.split("::");
    let krate = words.next().unwrap_or_default().to_string();
    // A type or function ends the modules: they alone are lower case and have something after them.
    let words: Vec<&str> = words.collect();
    let modules: Vec<&str> = words
        .iter()
        .take(words.len().saturating_sub(1).min(2))
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '0'))
        .copied()
        .collect();
    let module = if modules.is_empty() { "(root)".to_string() } else { modules.join("::") };
    (krate, module)
}

/// The paths in a name: `<a::B as c::D>::e` has `a::B` and `c::D`.
fn paths(name: &str) -> Vec<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '{' || c == '}';
    name.split(|c| !word(c))
        .map(|path| path.trim_start_matches(':'))
        .filter(|path| path.contains("::") && path.starts_with(|c: char| c.is_ascii_lowercase()))
        // `a::b::<impl c::D>::e`: a module is last.
        .map(|path| if path.ends_with("::") { format!("{path}impl") } else { path.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_owners() {
        for (name, krate, module) in [
            ("_ZN6barepg6engine6answer4next17h0123456789abcdefE", "barepg", "engine::answer"),
            ("barepg::client::Client::connect", "barepg", "client"),
            ("<F as barepg::wire::encode::Encode>::encode", "barepg", "wire::encode"),
            ("<barepg_counted::server::T as embedded_io::Read>::read", "barepg_counted", "server"),
            (
                "barepg::engine::outcome::<impl barepg::engine::Session>::kind",
                "barepg",
                "engine::outcome",
            ),
            ("core::str::converts::from_utf8", "core", "str::converts"),
            ("<(A,B) as barepg::verbs::params::Params>::values", "barepg", "verbs::params"),
            ("memcpy", NONE, ""),
            ("__aeabi_memclr", NONE, ""),
            (".Lanon.84eaa314f27e.22", CONSTANTS, ""),
        ] {
            assert_eq!(owner(name), (krate.to_string(), module.to_string()), "{name}");
        }
    }
}
