//! Common names that no text gives: with NUL, empty, of other types of string. Part of the matrix.

use barepg_testkit::pki::{Spec, Workshop};

use crate::cases::{Case, LEAF, case, differs};

const PLAIN: &str = "basicConstraints=critical,CA:FALSE";

/// Types of strings (X.680).
const UTF8: u8 = 0x0c;
const NUMERIC: u8 = 0x12;
const PRINTABLE: u8 = 0x13;
const TELETEX: u8 = 0x14;
const IA5: u8 = 0x16;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;

/// A name of the files, the names of the certificate's host, the common names.
type Row = (&'static str, &'static str, &'static [(u8, &'static [u8])]);

const ROWS: &[Row] = &[
    ("cn-nul", "", &[(UTF8, b"localhost\0.x.y")]),
    ("cn-nul-printable", "", &[(PRINTABLE, b"localhost\0.x.y")]),
    ("cn-nul-first", "", &[(UTF8, b"\0localhost")]),
    ("cn-nul-last", "", &[(UTF8, b"localhost\0")]),
    ("cn-nul-alone", "", &[(UTF8, b"\0")]),
    ("cn-nul-then-good", "", &[(UTF8, b"x\0y"), (UTF8, b"localhost")]),
    ("cn-good-then-nul", "", &[(UTF8, b"localhost"), (UTF8, b"x\0y")]),
    ("cn-nul-good-name", "DNS:localhost", &[(UTF8, b"localhost\0.x.y")]),
    ("cn-nul-other-name", "DNS:other.test", &[(UTF8, b"localhost\0.x.y")]),
    ("cn-nul-address", "IP:127.0.0.1", &[(UTF8, b"localhost\0.x.y")]),
    ("cn-none", "", &[]),
    ("cn-empty", "", &[(UTF8, b"")]),
    ("cn-empty-then-good", "", &[(UTF8, b""), (UTF8, b"localhost")]),
    ("cn-good-then-empty", "", &[(UTF8, b"localhost"), (UTF8, b"")]),
    ("cn-empty-good-name", "DNS:localhost", &[(UTF8, b"")]),
    ("cn-printable", "", &[(PRINTABLE, b"localhost")]),
    ("cn-teletex", "", &[(TELETEX, b"localhost")]),
    ("cn-ia5", "", &[(IA5, b"localhost")]),
    ("cn-numeric", "", &[(NUMERIC, b"localhost")]),
    ("cn-bmp", "", &[(BMP, b"\0l\0o\0c\0a\0l\0h\0o\0s\0t")]),
    ("cn-bmp-bytes", "", &[(BMP, b"localhost1")]),
    ("cn-universal", "", &[(UNIVERSAL, b"\0\0\0l\0\0\0o")]),
    ("cn-blank", "", &[(UTF8, b"localhost ")]),
];

/// Makes the certificates.
pub fn make(w: &Workshop) {
    for (name, hosts, common_names) in ROWS {
        let named = format!("{LEAF}{hosts}");
        let extensions = if hosts.is_empty() { PLAIN } else { &named };
        w.make_named(&Spec { extensions, ..Spec::leaf(name, "root") }, common_names);
    }
}

/// The rows of the matrix.
pub fn all() -> Vec<Case> {
    let good = ["cn-good-then-nul", "cn-good-then-empty", "cn-printable", "cn-teletex", "cn-ia5"];
    let rows = ROWS.iter().map(|(name, hosts, _)| {
        let is_good = good.contains(name) || *hosts == "DNS:localhost";
        let sent: &'static [&'static str] = Box::leak(Box::new([*name]));
        let case =
            case(name, sent, &["root"], "localhost", is_good.then_some(()).ok_or("HostName"));
        match *name {
            "cn-numeric" => differs(case, "barepg: a NumericString holds no host name"),
            _ => case,
        }
    });
    rows.collect()
}
