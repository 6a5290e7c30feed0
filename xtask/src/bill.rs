//! `cargo xtask bill`: what is in a firmware image, by crate, module and symbol, and what grew.

mod growth;
mod owner;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use barepg_testkit::provision;

use crate::bare::Compiler;
use crate::boards::{self, Board};
use crate::demo::{self, digits};
use crate::elf::{Image, Symbol};
use crate::setup;
use crate::test::counted::{self, Counted};

pub use growth::since_budgets;
use owner::owner;

/// Symbols that are listed, unless told otherwise.
const TOP: usize = 20;

pub const USAGE: &str = "\
cargo xtask bill [options]

Lists what is in a firmware image: flash by crate, by module of the driver, the largest symbols,
static RAM. Without --board and --elf that of the driver alone, a program of boards/bare.

  --program NAME      which of them; set is what most firmware uses
  --features F        features of the driver, or of the board; without: none
  --board NAME        a board's firmware; then it is run as in the demo, and what logins, queries,
                      stack and traffic cost is listed too, and each verb on a Cortex-M3: logins cold, with
                      kept keys (a reconnect) and with provisioned ones, statements, rows, COPY
  --elf FILE          any firmware, yours too: what of it is barepg (with its symbols: not stripped)
  --since COMMIT      what grew or shrank since then, by symbol (the driver alone)
  --top N             how many symbols; without: 20
";

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    program: String,
    features: Option<String>,
    board: Option<&'static Board>,
    elf: Option<PathBuf>,
    since: Option<String>,
    top: usize,
}

impl Options {
    /// Reads the arguments after `bill`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            program: "set".to_string(),
            features: None,
            board: None,
            elf: None,
            since: None,
            top: TOP,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|v| v.to_string()).ok_or(format!("{word} what?"));
            match *word {
                "--program" => options.program = value()?,
                "--features" => options.features = Some(value()?),
                "--board" => options.board = Some(boards::find(&value()?)?),
                "--elf" => options.elf = Some(value()?.into()),
                "--since" => options.since = Some(value()?),
                "--top" => options.top = value()?.parse().map_err(|_| "--top how many?")?,
                other => return Err(format!("unknown argument of bill: {other}")),
            }
        }
        if options.board.is_some() && options.elf.is_some() {
            return Err("--board or --elf, not both".to_string());
        }
        if options.since.is_some() && (options.board.is_some() || options.elf.is_some()) {
            return Err("--since goes with the driver alone".to_string());
        }
        Ok(options)
    }
}

/// Builds the image where there is none, and lists it.
pub fn run(options: &Options) -> Result<(), String> {
    let features = options.features.as_deref();
    if let Some(elf) = &options.elf {
        print!("{}", list(&Image::read(elf)?, options.top));
        return Ok(());
    }
    let compiler = setup::all()?;
    if let Some(board) = options.board {
        let features: Vec<&str> = features.map(|f| f.split(',').collect()).unwrap_or_default();
        let image = board.build(&compiler, &features, true)?;
        print!("{}", list(&Image::read(&image)?, options.top));
        let mut words = vec!["--board", board.name];
        for (feature, word) in [("tls", "--tls"), ("opengauss", "--opengauss")] {
            if features.contains(&feature) {
                words.push(word);
            }
        }
        demo::run(&demo::Options::parse(&words)?)?;
        print!("{}", verbs(&counted::figures(&compiler)?));
        return Ok(());
    }
    let features = features.unwrap_or_default();
    let image = bare(&compiler, &provision::root(), &boards::target(), features, &options.program)?;
    if let Some(commit) = &options.since {
        print!("{}", growth::since(&compiler, commit, features, &options.program, &image)?);
        return Ok(());
    }
    print!("{}", list(&image, options.top));
    let nothing =
        bare(&compiler, &provision::root(), &boards::target(), features, "empty")?.flash();
    println!(
        "\nless the {} of a program without the driver, as budgets.toml counts: {}",
        digits(nothing.into()),
        digits(image.flash().saturating_sub(nothing).into())
    );
    Ok(())
}

/// What each verb costs on a Cortex-M3, whatever the board: the driver alone, a server in memory.
fn verbs(counted: &Counted) -> String {
    let mut text = "
the driver's verbs on a Cortex-M3, one of each, a server in memory
instructions  stack
"
    .to_string();
    for (name, instructions) in &counted.instructions {
        let stack = counted.stack.iter().find(|(other, _)| other == name);
        let stack = stack.map_or("–".to_string(), |(_, bytes)| digits(*bytes));
        text.push_str(&format!("{:>12}{stack:>7}  {name}\n", digits(*instructions)));
    }
    text
}

/// A program of `boards/bare` in the sources at `root`, built.
fn bare(
    compiler: &Compiler,
    root: &Path,
    target: &Path,
    features: &str,
    program: &str,
) -> Result<Image, String> {
    provision::run(boards::bare(compiler, root, target, features).args(["--bin", program]))?;
    Image::read(&boards::bare_programs(target).join(program))
}

/// The whole list.
fn list(image: &Image, top: usize) -> String {
    let mut text = format!(
        "flash {}, static RAM {} bytes\n",
        digits(image.flash().into()),
        digits(image.static_ram().into())
    );
    for section in &image.sections {
        let kind = match (section.in_file, section.writable) {
            (true, false) => "flash",
            (true, true) => "flash and RAM",
            (false, _) => "RAM",
        };
        text.push_str(&format!("{:>10}  {} ({kind})\n", digits(section.size.into()), section.name));
    }
    let in_flash: Vec<&Symbol> = image.symbols.iter().filter(|symbol| !symbol.writable).collect();
    let named: u32 = in_flash.iter().map(|symbol| symbol.size).sum();
    let read_only = |section: &&crate::elf::Section| section.in_file && !section.writable;
    let all: u32 = image.sections.iter().filter(read_only).map(|section| section.size).sum();
    let mut crates = sums(&in_flash, |symbol| Some(owner(&symbol.name).0));
    crates.push(("(without a symbol)".to_string(), all.saturating_sub(named)));
    text.push_str(&table("code and constants, by crate", crates, usize::MAX));
    let modules = sums(&in_flash, |symbol| {
        let (krate, module) = owner(&symbol.name);
        (krate == "barepg").then_some(module)
    });
    text.push_str(&table("of barepg, by module", modules, usize::MAX));
    let largest = |symbols: Vec<&Symbol>| {
        symbols.into_iter().map(|symbol| (owner::shown(&symbol.name), symbol.size)).collect()
    };
    text.push_str(&table("the largest symbols", largest(in_flash), top));
    let in_ram = image.symbols.iter().filter(|symbol| symbol.writable).collect();
    text.push_str(&table("static RAM, by symbol", largest(in_ram), top));
    text
}

/// Sizes by what `key` says of the symbols.
fn sums(symbols: &[&Symbol], key: impl Fn(&Symbol) -> Option<String>) -> Vec<(String, u32)> {
    let mut sums: BTreeMap<String, u32> = BTreeMap::new();
    for symbol in symbols {
        if let Some(key) = key(symbol) {
            *sums.entry(key).or_default() += symbol.size;
        }
    }
    sums.into_iter().collect()
}

/// The largest lines first.
fn table(title: &str, mut lines: Vec<(String, u32)>, top: usize) -> String {
    lines.retain(|(_, size)| *size > 0);
    lines.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut text = format!("\n{title}\n");
    for (name, size) in lines.iter().take(top) {
        text.push_str(&format!("{:>10}  {name}\n", digits((*size).into())));
    }
    if let Some(rest) = lines.get(top..).filter(|rest| !rest.is_empty()) {
        let size: u32 = rest.iter().map(|(_, size)| size).sum();
        text.push_str(&format!("{:>10}  ({} more)\n", digits(size.into()), rest.len()));
    }
    if lines.is_empty() {
        text.push_str("            none\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Section;

    fn symbol(name: &str, size: u32, writable: bool) -> Symbol {
        Symbol { name: name.into(), address: 0, size, writable }
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let options = Options::parse(&["--program", "full", "--top", "3"]).unwrap();
        assert_eq!((options.program.as_str(), options.top), ("full", 3));
        for wrong in [
            &["--elf"][..],
            &["--elf", "x", "--board", "qemu-lm3s6965"],
            &["--since", "HEAD", "--elf", "x"],
            &["--board", "x"],
            &["--top", "many"],
            &["x"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn everything_in_flash_is_on_the_list_once() {
        let image = Image {
            sections: vec![
                Section { name: ".text".into(), size: 1000, writable: false, in_file: true },
                Section { name: ".bss".into(), size: 64, writable: true, in_file: false },
            ],
            symbols: vec![
                symbol("_ZN6barepg6engine6answer4next17h0123456789abcdefE", 300, false),
                symbol("_ZN6barepg6engine4send5flush17h0123456789abcdefE", 100, false),
                symbol("memcpy", 200, false),
                symbol("_ZN3app7STORAGE17h0123456789abcdefE", 64, true),
            ],
        };
        let text = list(&image, 1);
        for line in [
            "flash 1,000, static RAM 64 bytes",
            "       400  (without a symbol)\n       400  barepg\n       200  (C and compiler)",
            "       300  engine::answer\n       100  engine::send",
            "       300  barepg::engine::answer::next\n       300  (2 more)",
            "        64  app::STORAGE",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
