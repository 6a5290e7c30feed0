//! Hosts that are an address to libpq though not written in full, and kinds of keys and signatures beside those
//! of `cases`.

use barepg_testkit::pki::{Spec, Workshop};

use crate::cases::{CA, Case, LEAF, case, differs};

pub fn make(w: &Workshop) {
    let plain = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth";
    let subject = |name, subject, names: &str| {
        let names = format!("{LEAF}{names}");
        let extensions = if names.ends_with('=') { plain } else { &names };
        w.make(&Spec { subject, extensions, ..Spec::leaf(name, "root") });
    };
    subject("short", "/CN=127.1", "");
    subject("short-ip", "/CN=127.1", "IP:10.0.0.1");
    subject("short-dns", "/CN=127.1", "DNS:other.test");
    subject("short-wild", "/CN=*.1", "");
    subject("short-name", "/CN=x", "DNS:127.1");
    subject("hex-ip", "/CN=0x7f.1", "IP:10.0.0.1");
    subject("octal-ip", "/CN=0177.0.0.1", "IP:10.0.0.1");
    subject("number-ip", "/CN=2130706433", "IP:10.0.0.1");
    subject("digit-ip", "/CN=3.example.test", "IP:10.0.0.1");
    subject("digit-label-ip", "/CN=3com.test", "IP:10.0.0.1");
    subject("zone-ip", "/CN=fe80::1%lo", "IP:10.0.0.1");
    subject("mapped-ip", "/CN=x", "IP:10.0.0.1,IP:::ffff:10.0.0.1");
    subject("four-ip", "/CN=x", "IP:10.0.0.1");
    subject("cn-six", "/CN=::1", "IP:10.0.0.1");
    subject("cn-six-long", "/CN=0:0:0:0:0:0:0:1", "");

    let key = |name, key, issuer, sign| w.make(&Spec { key, sign, ..Spec::leaf(name, issuer) });
    let ca = |name, subject, key, issuer, sign| {
        let extensions = CA;
        w.make(&Spec { key, sign, issuer: Some(issuer), extensions, ..Spec::root(name, subject) });
    };
    ca("int-p521", "/CN=P521", "P-521", "root", "-sha256");
    ca("int-ed448", "/CN=Ed448", "ed448", "root", "-sha256");
    key("via-p521", "P-256", "int-p521", "-sha256");
    key("via-ed448", "P-256", "int-ed448", "");
    w.make(&Spec { extensions: "", issuer: Some("root"), ..Spec::root("int-v1", "/CN=Int V1") });
    key("via-v1", "P-256", "int-v1", "-sha256");
    key("pss-key", "rsa-pss:2048", "root", "-sha256");
    ca("int-pss", "/CN=PSS", "rsa-pss:2048", "root", "-sha256");
    key("via-pss", "P-256", "int-pss", "-sha256");
}

const ROOT: &[&str] = &["root"];
const OK: Result<(), &str> = Ok(());
const L: &str = "localhost";
const UNKNOWN: Result<(), &str> = Err("UnsupportedAlgorithm");
const HOST: Result<(), &str> = Err("HostName");

pub fn all() -> Vec<Case> {
    let algorithm = "barepg: P-521 and Ed448 are not served";
    let full = "barepg: addresses have all their parts";
    vec![
        case("short address in the common name", &["short"], ROOT, "127.1", OK),
        case("short address, beside another address", &["short-ip"], ROOT, "127.1", HOST),
        case("hex address, beside another address", &["hex-ip"], ROOT, "0x7f.1", HOST),
        case("octal address, beside another address", &["octal-ip"], ROOT, "0177.0.0.1", HOST),
        case("a number, beside an address", &["number-ip"], ROOT, "2130706433", HOST),
        differs(case("short address, beside a dNSName", &["short-dns"], ROOT, "127.1", HOST), full),
        differs(case("short address, wildcard", &["short-wild"], ROOT, "127.1", HOST), full),
        case("short address as dNSName", &["short-name"], ROOT, "127.1", OK),
        case("a name with a digit, beside an address", &["digit-ip"], ROOT, "3.example.test", OK),
        case("a digit in a label, beside an address", &["digit-label-ip"], ROOT, "3com.test", OK),
        case("a zone, beside an address", &["zone-ip"], ROOT, "fe80::1%lo", OK),
        case("version 4 in 6", &["mapped-ip"], ROOT, "::ffff:10.0.0.1", OK),
        case("version 4 in 6 for 4", &["four-ip"], ROOT, "::ffff:10.0.0.1", HOST),
        case("version 6 in the common name, beside 4", &["cn-six"], ROOT, "::1", HOST),
        case("version 6 spelt otherwise in the common name", &["cn-six-long"], ROOT, "::1", HOST),
        differs(
            case("intermediate with P-521", &["via-p521", "int-p521"], ROOT, L, UNKNOWN),
            algorithm,
        ),
        differs(
            case("intermediate with Ed448", &["via-ed448", "int-ed448"], ROOT, L, UNKNOWN),
            algorithm,
        ),
        differs(
            case("a key for RSASSA-PSS alone", &["pss-key"], ROOT, L, Err("Alert")),
            "barepg: keys of id-RSASSA-PSS are not served",
        ),
        differs(
            case("intermediate with such a key", &["via-pss", "int-pss"], ROOT, L, UNKNOWN),
            "barepg: keys of id-RSASSA-PSS are not served",
        ),
        case("intermediate of version 1", &["via-v1", "int-v1"], ROOT, L, Err("NotCa")),
    ]
}
