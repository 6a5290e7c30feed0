//! Rows of the matrix about names: what constraints bind, and when two names are the same.

use barepg_testkit::pki::{Spec, Workshop};

use crate::cases::{CA, Case, LEAF, case, differs};

/// Makes every certificate that the cases name. The roots and `int` are there.
pub fn make(w: &Workshop) {
    let constrained = |name: &str, rules: &str| {
        let extensions = format!("{CA}\nnameConstraints=critical,{rules}");
        let subject = format!("/CN={name}");
        w.make(&Spec {
            issuer: Some("root"),
            extensions: &extensions,
            ..Spec::root(name, &subject)
        });
    };
    constrained("nc-evil", "excluded;dirName:evil\n[evil]\nO=Evil Corp");
    constrained("nc-acme", "permitted;dirName:acme\n[acme]\nO=Acme");
    constrained("nc-no-address", "excluded;IP:0.0.0.0/0.0.0.0");
    constrained("nc-sparse", "permitted;IP:127.0.0.0/255.0.255.0");
    constrained("nc-host-mail", "permitted;email:example.test");
    constrained("nc-no-mail", "excluded;email:.example.test");

    let plain = "basicConstraints=critical,CA:FALSE";
    let leaf = |name: &str, issuer: &str, subject: &str, names: &str| {
        let extensions = match names {
            "" => plain.to_string(),
            names => format!("{LEAF}{names}"),
        };
        w.make(&Spec { subject, extensions: &extensions, ..Spec::leaf(name, issuer) });
    };
    leaf("evil", "nc-evil", "/O=Evil Corp/CN=x", "DNS:localhost");
    leaf("evil-case", "nc-evil", "/O=EVIL corp/OU=y/CN=x", "DNS:localhost");
    leaf("evil-space", "nc-evil", "/O=  Evil   Corp /CN=x", "DNS:localhost");
    leaf("good-corp", "nc-evil", "/O=Good Corp/CN=x", "DNS:localhost");
    leaf("evil-later", "nc-evil", "/C=AT/O=Evil Corp/CN=x", "DNS:localhost");
    leaf("evil-soft", "nc-evil", "/O=Evil\u{ad} Corp/CN=x", "DNS:localhost");
    leaf("acme-case", "nc-acme", "/O=ACME/CN=x", "DNS:localhost");
    leaf("acme-other", "nc-acme", "/O=Acme Two/CN=x", "DNS:localhost");
    leaf("acme-none", "nc-acme", "/CN=x", "DNS:localhost");
    leaf("address-cn", "nc-no-address", "/CN=127.0.0.1", "");
    leaf("address-cn-dns", "nc-no-address", "/CN=127.0.0.1", "DNS:other.test");
    leaf("address-dns", "nc-no-address", "/CN=x", "DNS:127.0.0.1");
    leaf("address-none", "nc-no-address", "/CN=x", "DNS:localhost");
    leaf("sparse", "nc-sparse", "/CN=x", "IP:127.0.0.1");
    leaf("mail-in", "nc-host-mail", "/CN=x/emailAddress=a@example.test", "DNS:localhost");
    leaf("mail-out", "nc-host-mail", "/CN=x/emailAddress=a@other.test", "DNS:localhost");
    leaf("mail-san", "nc-host-mail", "/CN=x", "DNS:localhost,email:a@Example.Test");
    leaf("mail-below", "nc-no-mail", "/CN=x/emailAddress=a@b.example.test", "DNS:localhost");
    leaf("mail-at", "nc-no-mail", "/CN=x/emailAddress=a@example.test", "DNS:localhost");

    // One key under names that are the same, and one that is not.
    let twin = |name, subject, sign| {
        let issuer = Some("root");
        w.make(&Spec { key: "=int", issuer, sign, ..Spec::root(name, subject) });
    };
    twin("int-capitals", "/CN=INTERMEDIATE", "-sha256");
    twin("int-spaces", "/CN=  Intermediate ", "-sha256");
    twin("int-longer", "/CN=Intermediate s", "-sha256");
    // A signature that this driver does not know.
    twin("int-sha224", "/CN=Intermediate", "-sha224");
}

/// The rows.
pub fn all() -> Vec<Case> {
    const ROOT: &[&str] = &["root"];
    const OK: Result<(), &str> = Ok(());
    const OUT: Result<(), &str> = Err("NameConstraints");
    const L: &str = "localhost";
    const A: &str = "127.0.0.1";
    let every = "barepg: constraints bind every text that may be compared with the host";
    let sparse = "barepg: a mask has its ones before its zeros";
    let unicode = "barepg: what Unicode may drop from an excluded name is like anything";
    vec![
        case("excluded organization", &["evil", "nc-evil"], ROOT, L, OUT),
        case("excluded, other case, below", &["evil-case", "nc-evil"], ROOT, L, OUT),
        case("excluded, other spaces", &["evil-space", "nc-evil"], ROOT, L, OUT),
        case("not excluded", &["good-corp", "nc-evil"], ROOT, L, OK),
        case("excluded at another place", &["evil-later", "nc-evil"], ROOT, L, OK),
        differs(case("excluded, soft hyphen", &["evil-soft", "nc-evil"], ROOT, L, OUT), unicode),
        case("permitted, other case", &["acme-case", "nc-acme"], ROOT, L, OK),
        case("permitted, longer", &["acme-other", "nc-acme"], ROOT, L, OUT),
        case("permitted, not there", &["acme-none", "nc-acme"], ROOT, L, OUT),
        case("no address, none", &["address-none", "nc-no-address"], ROOT, L, OK),
        differs(
            case("no address, in common name", &["address-cn", "nc-no-address"], ROOT, A, OUT),
            every,
        ),
        differs(
            case(
                "no address, in common name beside dNSName",
                &["address-cn-dns", "nc-no-address"],
                ROOT,
                A,
                OUT,
            ),
            every,
        ),
        differs(
            case("no address, as dNSName", &["address-dns", "nc-no-address"], ROOT, A, OUT),
            every,
        ),
        differs(case("sparse mask", &["sparse", "nc-sparse"], ROOT, A, OUT), sparse),
        case("mail in the subject permitted", &["mail-in", "nc-host-mail"], ROOT, L, OK),
        case("mail in the subject not permitted", &["mail-out", "nc-host-mail"], ROOT, L, OUT),
        case("mail permitted", &["mail-san", "nc-host-mail"], ROOT, L, OK),
        case("mail below excluded", &["mail-below", "nc-no-mail"], ROOT, L, OUT),
        case("mail beside excluded", &["mail-at", "nc-no-mail"], ROOT, L, OK),
        case("issuer in capitals", &["via-int", "int-capitals"], ROOT, L, OK),
        case("issuer with spaces", &["via-int", "int-spaces"], ROOT, L, OK),
        case("issuer of another name", &["via-int", "int-longer"], ROOT, L, Err("UnknownIssuer")),
        case("unknown algorithm, another way", &["via-int", "int-sha224", "int"], ROOT, L, OK),
    ]
}
