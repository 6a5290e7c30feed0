//! Reads what a firmware image costs, and where its symbols are, from an ELF file.

use std::fs;
use std::path::Path;

use object::read::elf::{ElfFile32, ElfFile64};
use object::{
    Endianness, File, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf,
};

/// A section that occupies memory on the target.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub size: u32,
    pub writable: bool,
    pub in_file: bool,
}

/// A function or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// As the linker knows it.
    pub name: String,
    /// The lowest bit of a Thumb function's address is cleared.
    pub address: u32,
    pub size: u32,
    /// It is in memory that is written.
    pub writable: bool,
}

/// The parts of an image that are measured.
#[derive(Debug, Default)]
pub struct Image {
    pub sections: Vec<Section>,
    pub symbols: Vec<Symbol>,
}

impl Image {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Image, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Bytes of flash: code, constants and the initial values of variables.
    pub fn flash(&self) -> u32 {
        self.sections.iter().filter(|section| section.in_file).map(|section| section.size).sum()
    }

    /// Bytes of statically allocated RAM: variables, zeroed or not. Not the stack.
    pub fn static_ram(&self) -> u32 {
        // A dummy keeps addresses free: of code in RAM, seen through its other bus.
        let reserved = |name: &str| name == ".stack" || name == ".heap" || name.ends_with("_dummy");
        self.sections
            .iter()
            .filter(|section| section.writable && !reserved(&section.name))
            .map(|section| section.size)
            .sum()
    }
}

fn parse(bytes: &[u8]) -> Result<Image, String> {
    let file = ElfFile32::<Endianness>::parse(bytes)
        .map(File::Elf32)
        .or_else(|_| ElfFile64::<Endianness>::parse(bytes).map(File::Elf64))
        .map_err(|_| "not an ELF file".to_string())?;
    let small = |size: u64| u32::try_from(size).map_err(|_| "larger than 4 GB".to_string());
    let mut image = Image::default();
    for section in file.sections().filter(|section| section.size() > 0) {
        let (allocated, writable) = flags(&section);
        if allocated {
            image.sections.push(Section {
                name: section.name().unwrap_or("").to_string(),
                size: small(section.size())?,
                writable,
                in_file: section.file_range().is_some(),
            });
        }
    }
    for symbol in file.symbols() {
        let name = symbol.name().unwrap_or("");
        // A section or file symbol has no use here, nor has a mapping symbol.
        if name.is_empty() || name.starts_with('$') || symbol.kind() == SymbolKind::File {
            continue;
        }
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
        image.symbols.push(Symbol {
            name: name.to_string(),
            // Of an address of 64 bits the lower half is enough to find it again.
            address: small(symbol.address() & 0xffff_fffe)?,
            size: small(symbol.size())?,
            writable: section.is_some_and(|section| flags(&section).1),
        });
    }
    Ok(image)
}

/// Whether a section is in memory, and in memory that is written.
fn flags(section: &object::Section<'_, '_>) -> (bool, bool) {
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else { return (false, false) };
    (sh_flags.contains(elf::SHF_ALLOC), sh_flags.contains(elf::SHF_WRITE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, size: u32, writable: bool, in_file: bool) -> Section {
        Section { name: name.into(), size, writable, in_file }
    }

    #[test]
    fn flash_and_ram_share_the_initial_values() {
        let image = Image {
            sections: vec![
                section(".text", 1000, false, true),
                section(".rodata", 100, false, true),
                section(".data", 10, true, true),
                section(".bss", 20, true, false),
                section(".stack", 4096, true, false),
            ],
            symbols: Vec::new(),
        };
        assert_eq!((image.flash(), image.static_ram()), (1110, 30));
    }

    #[test]
    fn a_program_of_this_machine_is_read() {
        let image = Image::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(image.flash() > 100_000);
        let own = image.symbols.iter().find(|symbol| symbol.name.contains("a_program_of_this"));
        assert!(own.is_some_and(|symbol| symbol.size > 0 && !symbol.writable));
    }

    #[test]
    fn refuses_what_is_not_a_firmware_image() {
        for bytes in [&b""[..], b"\x7fELF", b"\x7fELF\x01\x01", b"MZ and more than sixteen bytes"] {
            assert!(parse(bytes).is_err());
        }
    }
}
