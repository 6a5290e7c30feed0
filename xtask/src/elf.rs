//! Reads what a firmware image costs, and where its marks are, from a 32-bit little-endian ELF
//! file (System V ABI, chapter 4).

use std::fs;
use std::path::Path;

/// A section that occupies memory on the target.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    pub size: u32,
    pub writable: bool,
    pub in_file: bool,
}

/// The parts of an image that are measured.
#[derive(Debug, Default)]
pub struct Image {
    pub sections: Vec<Section>,
    /// Name and address; the lowest bit of a Thumb function's address is cleared.
    pub symbols: Vec<(String, u32)>,
}

impl Image {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Image, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        parse(&bytes).ok_or(format!("{} is not a 32-bit little-endian ELF file", path.display()))
    }

    /// Bytes of flash: code, constants and the initial values of variables.
    pub fn flash(&self) -> u32 {
        self.sections.iter().filter(|section| section.in_file).map(|section| section.size).sum()
    }

    /// Bytes of statically allocated RAM: variables, zeroed or not. Not the stack.
    pub fn static_ram(&self) -> u32 {
        let reserved = |name: &str| name == ".stack" || name == ".heap";
        self.sections
            .iter()
            .filter(|section| section.writable && !reserved(&section.name))
            .map(|section| section.size)
            .sum()
    }
}

const SHT_SYMTAB: u32 = 2;
const SHT_NOBITS: u32 = 8;
const SHF_WRITE: u32 = 1;
const SHF_ALLOC: u32 = 2;

struct Header {
    name: u32,
    kind: u32,
    flags: u32,
    offset: usize,
    size: u32,
    link: u32,
}

fn parse(bytes: &[u8]) -> Option<Image> {
    if bytes.get(..6)? != b"\x7fELF\x01\x01" {
        return None;
    }
    let table = usize::try_from(word(bytes, 32)?).ok()?;
    let entry = usize::from(half(bytes, 46)?);
    let count = usize::from(half(bytes, 48)?);
    let names = usize::from(half(bytes, 50)?);
    let mut headers = Vec::new();
    for index in 0..count {
        let at = table.checked_add(index.checked_mul(entry)?)?;
        let field = |n: usize| word(bytes, at.checked_add(n * 4)?);
        headers.push(Header {
            name: field(0)?,
            kind: field(1)?,
            flags: field(2)?,
            offset: usize::try_from(field(4)?).ok()?,
            size: field(5)?,
            link: field(6)?,
        });
    }
    let names = headers.get(names)?.offset;
    let mut image = Image::default();
    for header in &headers {
        if header.flags & SHF_ALLOC != 0 && header.size > 0 {
            image.sections.push(Section {
                name: string(bytes, names, header.name)?,
                size: header.size,
                writable: header.flags & SHF_WRITE != 0,
                in_file: header.kind != SHT_NOBITS,
            });
        }
        if header.kind == SHT_SYMTAB {
            let strings = headers.get(usize::try_from(header.link).ok()?)?.offset;
            for index in 0..usize::try_from(header.size).ok()? / 16 {
                let at = header.offset + index * 16;
                let name = string(bytes, strings, word(bytes, at)?)?;
                // A section or file symbol has no use here.
                if !name.is_empty() {
                    image.symbols.push((name, word(bytes, at + 4)? & !1));
                }
            }
        }
    }
    Some(image)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn string(bytes: &[u8], table: usize, at: u32) -> Option<String> {
    let rest = bytes.get(table.checked_add(usize::try_from(at).ok()?)?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
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
    fn refuses_what_is_not_a_firmware_image() {
        assert!(parse(b"").is_none());
        assert!(parse(b"\x7fELF\x02\x01").is_none());
        assert!(parse(b"\x7fELF\x01\x01").is_none());
        assert!(parse(&std::fs::read("/proc/self/exe").unwrap()).is_none());
    }
}
