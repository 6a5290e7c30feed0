//! Which modules a source file names: by `use`, or by a path in the code that begins with
//! `crate::`, `super::` or `self::`. What is there for tests only is left out.

use super::tokens::{Token, blanked, is_word, tokens};

/// What a file says of modules.
#[derive(Debug, Default)]
pub struct File {
    /// Its path below `src`, with `/`.
    pub path: String,
    /// The module it is: its names from the crate's root.
    pub module: Vec<String>,
    /// What it names.
    pub named: Vec<Named>,
    /// The macros it exports, which are then the root's.
    pub macros: Vec<String>,
    /// Files that are its modules for tests only.
    pub tests: Vec<String>,
}

/// A path from the crate's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    pub path: Vec<String>,
    /// The name it has in the file from then on, where it is of `use`.
    pub name: Option<String>,
}

impl File {
    /// Reads the file that has this path below `src`.
    pub fn read(path: &str, text: &str) -> Self {
        let mut module: Vec<String> = path.split('/').map(str::to_string).collect();
        let name = module.pop().unwrap_or_default();
        match name.trim_end_matches(".rs") {
            "lib" | "mod" => {}
            name => module.push(name.to_string()),
        }
        let code = blanked(text);
        let mut reader = Reader {
            file: File { path: path.to_string(), module, ..File::default() },
            text,
            tokens: tokens(&code),
            at: 0,
            inner: Vec::new(),
            depth: 0,
        };
        reader.read();
        reader.file
    }

    /// Whether this is the root of the crate.
    pub fn is_root(&self) -> bool {
        self.module.is_empty()
    }

    /// The directory of its path.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

struct Reader<'s> {
    file: File,
    text: &'s str,
    tokens: Vec<Token<'s>>,
    at: usize,
    /// The modules written in the file that are open, and the depth of braces around each.
    inner: Vec<(String, usize)>,
    depth: usize,
}

impl<'s> Reader<'s> {
    fn read(&mut self) {
        while self.at < self.tokens.len() {
            match self.word(0) {
                "#" => {
                    self.attributes();
                    continue;
                }
                "use" => {
                    self.at += 1;
                    self.path(true);
                    continue;
                }
                "crate" | "super" | "self" if self.begins_a_path() => {
                    self.path(false);
                    continue;
                }
                "mod" if self.word(2) == "{" => {
                    self.inner.push((self.word(1).to_string(), self.depth));
                }
                "{" => self.depth += 1,
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    self.inner.pop_if(|(_, depth)| *depth == self.depth);
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// The token so many after this one.
    fn word(&self, ahead: usize) -> &'s str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |token| token.line)
    }

    fn begins_a_path(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map_or("", |at| self.tokens[at].text);
        // `pub(in crate::x)` says who may see something, not what is used.
        let visibility = before(1) == "in" && before(2) == "(";
        self.word(1) == "::" && before(1) != "::" && !visibility
    }

    /// Attributes, and the item after them if it is for tests only.
    fn attributes(&mut self) {
        let first = self.at;
        let (mut for_tests, mut exported) = (false, false);
        while self.word(0) == "#" {
            let start = self.at;
            self.at += 1 + usize::from(self.word(1) == "!");
            self.skip_group();
            let words: Vec<&str> = self.tokens[start..self.at].iter().map(|t| t.text).collect();
            for_tests |= words.windows(4).any(|four| four == ["cfg", "(", "test", ")"])
                || words.windows(5).any(|five| five == ["cfg", "(", "all", "(", "test"]);
            exported |= words.contains(&"macro_export");
        }
        if exported && self.word(0) == "macro_rules" {
            self.file.macros.push(self.word(2).to_string());
        }
        if for_tests {
            let item = self.at;
            self.skip_item();
            self.note_test_module(first, item);
        }
    }

    /// Goes past the item that begins here.
    fn skip_item(&mut self) {
        while self.at < self.tokens.len() {
            match self.word(0) {
                "}" => return,
                ";" => {
                    self.at += 1;
                    return;
                }
                "{" => return self.skip_group(),
                "(" | "[" => self.skip_group(),
                _ => self.at += 1,
            }
        }
    }

    /// Goes past the brackets that open here.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.word(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Notes the file of `mod name;`, an item just skipped: its attributes and its first token.
    fn note_test_module(&mut self, attributes: usize, item: usize) {
        let words: Vec<&str> = self.tokens[item..self.at].iter().map(|t| t.text).collect();
        let [.., "mod", name, ";"] = words[..] else { return };
        let attributes = self.tokens[attributes].offset..self.tokens[item].offset;
        let attributes = self.text.get(attributes).unwrap_or("");
        let given = attributes.split("path = \"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(name) = given {
            self.file.tests.push(joined(&[self.file.folder(), name]));
        } else {
            let folder = self.file.module.join("/");
            self.file.tests.push(joined(&[&folder, &format!("{name}.rs")]));
            self.file.tests.push(joined(&[&folder, name, "mod.rs"]));
        }
    }

    /// A path, or after `use` a tree of them.
    fn path(&mut self, is_use: bool) {
        let mut start = self.file.module.clone();
        start.extend(self.inner.iter().map(|(name, _)| name.clone()));
        // In `lib.rs`, `use` begins at its modules, or at another crate.
        let mut ours = is_use && self.file.is_root();
        loop {
            match self.word(0) {
                "crate" => start.clear(),
                "super" => drop(start.pop()),
                "self" => {}
                _ => break,
            }
            ours = true;
            self.at += 1;
            if self.word(0) != "::" {
                break;
            }
            self.at += 1;
        }
        if ours {
            self.tree(start, is_use);
        }
    }

    fn tree(&mut self, mut path: Vec<String>, is_use: bool) {
        let line = self.line();
        loop {
            match self.word(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.word(0), "}" | "") {
                        let before = self.at;
                        self.tree(path.clone(), is_use);
                        self.at += usize::from(self.word(0) == "," || self.at == before);
                    }
                    self.at += 1;
                    return;
                }
                "*" | "self" => self.at += 1,
                word if is_word(word) => {
                    path.push(word.to_string());
                    self.at += 1;
                    if self.word(0) == "::" {
                        self.at += 1;
                        continue;
                    }
                }
                // The `<` of a generic argument.
                _ => {}
            }
            break;
        }
        let mut name = path.last().cloned().filter(|_| is_use);
        if is_use && self.word(0) == "as" {
            name = Some(self.word(1).to_string());
            self.at += 2;
        }
        self.file.named.push(Named { line, path, name });
    }
}

fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str, text: &str) -> Vec<String> {
        File::read(path, text).named.iter().map(|named| named.path.join("::")).collect()
    }

    #[test]
    fn use_and_inline_paths_are_found() {
        let text = "use crate::wire::{Reader, backend::{self, tag}, Writer as W};\n\
                    use core::fmt;\n\
                    pub(crate) use super::hash::*;\n\
                    fn f(x: crate::types::Oid) -> Result<(), crate::Error> {\n\
                    crate::log::say(&super::super::limits::MIN_RX, self::g::<u8>())}\n\
                    pub(in crate::auth) fn g() {}";
        let found = [
            "wire::Reader",
            "wire::backend",
            "wire::backend::tag",
            "wire::Writer",
            "auth::hash",
            "types::Oid",
            "Error",
            "log::say",
            "limits::MIN_RX",
            "auth::scram::g",
        ];
        assert_eq!(named("auth/scram.rs", text), found);
    }

    #[test]
    fn a_line_is_that_of_the_name() {
        let file = File::read("a.rs", "use crate::{\n  b::C,\n  d::E as F,\n};");
        let lines: Vec<_> = file.named.iter().map(|named| (named.line, &named.name)).collect();
        assert_eq!(lines, [(2, &Some("C".to_string())), (3, &Some("F".to_string()))]);
    }

    #[test]
    fn modules_inside_of_a_file_are_modules() {
        let text = "mod inner { mod deep { use super::super::x; } use super::y; } use super::z;";
        assert_eq!(named("a/b.rs", text), ["a::b::x", "a::b::y", "a::z"]);
        assert_eq!(named("a/mod.rs", "use super::b;"), ["b"]);
    }

    #[test]
    fn what_is_for_tests_is_left_out() {
        let text = "/// `crate::a`\n#[cfg(test)]\nuse crate::b;\nuse crate::c;\n\
                    #[cfg(test)]\n#[allow(x)]\npub(crate) fn f(a: [u8; 3]) { crate::d::e(\"}\") }\n\
                    #[cfg(all(test, unix))]\nmod tests { use crate::e; }\n\
                    #[cfg(any(test, unix))]\nuse crate::f;\n\
                    struct S { #[cfg(test)] x: crate::g::X }\n\
                    // crate::h\nuse crate::i;";
        assert_eq!(named("x.rs", text), ["c", "f", "i"]);
    }

    #[test]
    fn files_for_tests_are_known() {
        let text =
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod more;\nmod c;";
        assert_eq!(
            File::read("a/b.rs", text).tests,
            ["a/b/tests.rs", "a/b/tests/mod.rs", "a/b_tests.rs"]
        );
        assert_eq!(File::read("a/mod.rs", "#[cfg(test)] mod t;").tests, ["a/t.rs", "a/t/mod.rs"]);
    }

    #[test]
    fn the_root_has_names_from_its_modules() {
        let file = File::read("lib.rs", "mod a;\npub use a::{B, c::D as E};");
        let names: Vec<_> =
            file.named.iter().map(|n| (n.path.join("::"), n.name.clone())).collect();
        let name = |path: &str, name: &str| (path.to_string(), Some(name.to_string()));
        assert_eq!(names, [name("a::B", "B"), name("a::c::D", "E")]);
        let file = File::read("tls/pem.rs", "#[macro_export]\nmacro_rules! pem { () => {} }");
        assert_eq!(file.macros, ["pem"]);
    }
}
