//! The certificates of the matrix: what the server sends, what is trusted, for which host.

use barepg_testkit::pki::{Spec, Workshop};

/// One row.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    /// Files whose certificates the server sends, in this order; the first has the key.
    pub sent: &'static [&'static str],
    /// Files whose certificates are trusted.
    pub trusted: &'static [&'static str],
    /// `None` stands for `verify-ca`.
    pub host: Option<&'static str>,
    /// What barepg says; `Ok` or the name of the error.
    pub barepg: Result<(), &'static str>,
    /// Set where libpq, in both versions, says something else, with the reason.
    pub differs: Option<&'static str>,
}

pub const fn case(
    name: &'static str,
    sent: &'static [&'static str],
    trusted: &'static [&'static str],
    host: &'static str,
    barepg: Result<(), &'static str>,
) -> Case {
    Case { name, sent, trusted, host: Some(host), barepg, differs: None }
}

pub const fn differs(mut case: Case, reason: &'static str) -> Case {
    case.differs = Some(reason);
    case
}

const fn any_host(mut case: Case) -> Case {
    case.host = None;
    case
}

pub const LEAF: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=serverAuth\nsubjectAltName=";
pub const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";
const PSS: &str = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:";

/// Makes every certificate the cases name.
pub fn make(w: &Workshop) {
    let ext = |names: &str| format!("{LEAF}{names}");
    let with = |extra: &str| format!("{LEAF}DNS:localhost,IP:127.0.0.1\n{extra}");
    let leaf = |name, issuer, extensions: &str| {
        w.make(&Spec { extensions, ..Spec::leaf(name, issuer) });
    };
    let ca = |name, subject, issuer, extensions: &str| {
        w.make(&Spec { issuer: Some(issuer), extensions, ..Spec::root(name, subject) });
    };

    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::root("other-root", "/CN=Other Root"));
    w.make(&Spec::root("fake-root", "/CN=Root"));
    w.make(&Spec { extensions: "", ..Spec::root("v1-root", "/CN=V1 Root") });
    w.make(&Spec { key: "=root", ..Spec::root("renamed-root", "/CN=Renamed") });
    let no_bc = "keyUsage=critical,keyCertSign";
    w.make(&Spec { extensions: no_bc, ..Spec::root("no-bc-root", "/CN=No BC") });
    let dates = Some(("20200101000000Z", "20210101000000Z"));
    w.make(&Spec { dates, ..Spec::root("expired-root", "/CN=Expired Root") });
    w.make(&Spec {
        extensions: &format!("{CA}\nextendedKeyUsage=clientAuth"),
        ..Spec::root("client-root", "/CN=Client Root")
    });

    ca("int", "/CN=Intermediate", "root", CA);
    ca("int2", "/CN=Intermediate 2", "int", CA);
    w.make(&Spec {
        key: "=int",
        issuer: Some("other-root"),
        ..Spec::root("int-cross", "/CN=Intermediate")
    });
    ca("int-no-ca", "/CN=No CA", "root", "basicConstraints=critical,CA:FALSE");
    ca("int-no-sign", "/CN=No Sign", "root", "basicConstraints=CA:TRUE\nkeyUsage=digitalSignature");
    ca("int-path0", "/CN=Path 0", "root", "basicConstraints=critical,CA:TRUE,pathlen:0");
    ca("int-below", "/CN=Below", "int-path0", CA);
    ca("int-eku", "/CN=Int EKU", "root", &format!("{CA}\nextendedKeyUsage=clientAuth"));
    ca("int-crit", "/CN=Int Crit", "root", &format!("{CA}\n1.2.3.4=critical,ASN1:UTF8String:x"));
    ca("int-ns", "/CN=Int NS", "root", &format!("{CA}\nnsCertType=critical,sslCA"));
    ca("int-ns-client", "/CN=Int NS Client", "root", &format!("{CA}\nnsCertType=client"));
    let nc = |rule: &str| format!("{CA}\nnameConstraints=critical,{rule}");
    ca("int-nc", "/CN=NC", "root", &nc("permitted;DNS:localhost"));
    ca("int-nc-other", "/CN=NC Other", "root", &nc("permitted;DNS:example.test"));
    ca("int-nc-out", "/CN=NC Out", "root", &nc("excluded;DNS:localhost"));
    ca("int-nc-ip", "/CN=NC IP", "root", &nc("permitted;IP:10.0.0.0/255.0.0.0"));
    ca("int-nc-ip-ok", "/CN=NC IP OK", "root", &nc("permitted;IP:127.0.0.0/255.0.0.0"));
    ca("int-nc-mail", "/CN=NC Mail", "root", &nc("permitted;email:example.test"));
    w.make(&Spec {
        issuer: Some("root"),
        dates,
        ..Spec::root("int-expired", "/CN=Expired Intermediate")
    });
    ca("deep1", "/CN=Deep 1", "root", CA);
    ca("deep2", "/CN=Deep 2", "deep1", CA);
    ca("deep3", "/CN=Deep 3", "deep2", CA);
    ca("deep4", "/CN=Deep 4", "deep3", CA);
    ca("deep5", "/CN=Deep 5", "deep4", CA);

    for (name, issuer) in [
        ("good", "root"),
        ("via-int", "int"),
        ("via-int2", "int2"),
        ("from-other", "other-root"),
        ("from-fake", "fake-root"),
        ("from-v1", "v1-root"),
        ("from-renamed", "renamed-root"),
        ("from-no-bc", "no-bc-root"),
        ("from-client-root", "client-root"),
        ("via-no-ca", "int-no-ca"),
        ("via-leaf", "good"),
        ("via-no-sign", "int-no-sign"),
        ("via-below", "int-below"),
        ("via-path0", "int-path0"),
        ("via-int-eku", "int-eku"),
        ("via-int-crit", "int-crit"),
        ("via-int-ns", "int-ns"),
        ("via-int-ns-client", "int-ns-client"),
        ("via-nc", "int-nc"),
        ("via-nc-other", "int-nc-other"),
        ("via-nc-out", "int-nc-out"),
        ("via-nc-ip", "int-nc-ip"),
        ("via-nc-ip-ok", "int-nc-ip-ok"),
        ("via-nc-mail", "int-nc-mail"),
        ("via-int-expired", "int-expired"),
        ("via-deep4", "deep4"),
        ("via-deep5", "deep5"),
    ] {
        w.make(&Spec::leaf(name, issuer));
    }
    w.make(&Spec { dates, ..Spec::leaf("expired", "root") });
    w.make(&Spec { dates, ..Spec::leaf("from-expired", "expired-root") });
    let future = Some(("20400101000000Z", "20450101000000Z"));
    w.make(&Spec { dates: future, ..Spec::leaf("future", "root") });
    let far = Some(("20200101000000Z", "20990101000000Z"));
    w.make(&Spec { dates: far, ..Spec::leaf("until-2099", "root") });

    // Self-signed, as the manual's recipes make them.
    let own = |name, key, subject, extensions: &str| {
        w.make(&Spec { key, issuer: None, subject, extensions, ..Spec::leaf(name, "") });
    };
    own("self-ca", "P-256", "/CN=localhost", "basicConstraints=CA:TRUE");
    own("self-ca-rsa", "rsa:2048", "/CN=localhost", "basicConstraints=CA:TRUE");
    own("self-v1", "P-256", "/CN=localhost", "");

    // Names.
    leaf("san2", "root", &ext("DNS:other.test,DNS:localhost"));
    leaf("wild", "root", &ext("DNS:*.example.test"));
    leaf("wild-tld", "root", &ext("DNS:*.test"));
    leaf("wild-part", "root", &ext("DNS:a*.example.test"));
    leaf("wild-ip", "root", &ext("DNS:*.0.0.1"));
    for (name, pattern) in [
        ("dotted", "localhost."),
        ("shouted", "LOCALHOST"),
        ("underscore", "my_host.test"),
        ("wild-underscore", "*.my_zone.test"),
        ("wild-alone", "*"),
        ("wild-dot", "*."),
        ("wild-second", "a.*.test"),
        ("wild-twice", "*.*.test"),
        ("wild-start", "*a.test"),
        ("wild-stars", "**.test"),
        ("wild-shouted", "*.EXAMPLE.TEST"),
        ("wild-name", "*.localhost"),
        ("bracketed", "[::1]"),
    ] {
        leaf(name, "root", &ext(&format!("DNS:{pattern}")));
    }
    // dNSNames that the program makes of no text: with a NUL, and empty.
    let names = "basicConstraints=critical,CA:FALSE\nsubjectAltName=DER:";
    let localhost_nul = "30:10:82:0e:6c:6f:63:61:6c:68:6f:73:74:00:2e:78:2e:79";
    leaf("nul", "root", &format!("{names}{localhost_nul}"));
    let nul_localhost =
        "30:1b:82:0e:6c:6f:63:61:6c:68:6f:73:74:00:2e:78:2e:79:82:09:6c:6f:63:61:6c:68:6f:73:74";
    leaf("nul-then-good", "root", &format!("{names}{nul_localhost}"));
    leaf("san5", "root", &ext("DNS:a,DNS:b,DNS:c,DNS:d,DNS:localhost"));
    let long = format!("{}.example.test", "long-label.".repeat(9).trim_end_matches('.'));
    leaf("san-long", "root", &ext(&format!("DNS:{long},DNS:localhost")));
    leaf("dns-ip", "root", &ext("DNS:127.0.0.1"));
    leaf("dns-only", "root", &ext("DNS:localhost"));
    leaf("ip-other", "root", &ext("IP:10.0.0.1"));
    leaf("ip6", "root", &ext("IP:::1,IP:127.0.0.1"));
    let plain = "basicConstraints=critical,CA:FALSE";
    let subject = |name, subject, extensions: &str| {
        w.make(&Spec { subject, extensions, ..Spec::leaf(name, "root") });
    };
    subject("cn", "/CN=localhost", plain);
    subject("cn-wild", "/CN=*.example.test", plain);
    subject("cn-v1", "/CN=localhost", "");
    subject("cn-ip", "/CN=127.0.0.1", plain);
    subject("cn-san-other", "/CN=localhost", &ext("DNS:other.test"));
    subject("cn-ip-san", "/CN=localhost", &ext("IP:10.0.0.1"));
    subject("cn-ip-dns-san", "/CN=127.0.0.1", &ext("DNS:other.test"));
    subject("cn-first", "/CN=localhost/CN=other.test", plain);
    subject("cn-second", "/CN=other.test/CN=localhost", plain);
    subject("multi-rdn", "/O=Acme+CN=localhost", plain);
    subject("many-rdn", "/C=AT/ST=a/L=b/O=c/OU=d/OU=e/OU=f/OU=g/CN=localhost", plain);
    subject("no-cn", "/O=Acme", plain);
    subject("empty-name", "/CN=localhost", &format!("{names}30:02:82:00"));

    // Extensions of the server's certificate.
    leaf("eku-client", "root", "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:localhost");
    leaf("eku-any", "root", "extendedKeyUsage=anyExtendedKeyUsage\nsubjectAltName=DNS:localhost");
    for (name, types) in [
        ("ns-client", "client,email"),
        ("ns-client-crit", "critical,client"),
        ("ns-server", "server"),
        ("ns-server-crit", "critical,server"),
        ("ns-both", "client,server"),
        ("ns-ca", "sslCA"),
    ] {
        leaf(name, "root", &with(&format!("nsCertType={types}")));
    }
    leaf("ns-client-alone", "root", "nsCertType=client\nsubjectAltName=DNS:localhost");
    leaf("ku-encipher", "root", "keyUsage=critical,keyEncipherment\nsubjectAltName=DNS:localhost");
    leaf("ku-sign-only", "root", "keyUsage=critical,keyCertSign\nsubjectAltName=DNS:localhost");
    leaf("crit", "root", &with("1.2.3.4=critical,ASN1:UTF8String:x"));
    leaf("not-crit", "root", &with("1.2.3.4=ASN1:UTF8String:x"));
    let many: String = (0..10).map(|n| format!("1.2.3.{n}=ASN1:UTF8String:x\n")).collect();
    leaf("many-ext", "root", &with(&many));
    leaf("policy-crit", "root", &with("certificatePolicies=critical,1.2.3.4"));

    // Keys and signatures.
    let key = |name, key, issuer, sign| w.make(&Spec { key, sign, ..Spec::leaf(name, issuer) });
    w.make(&Spec { key: "P-384", sign: "-sha384", ..Spec::root("root-p384", "/CN=P384") });
    w.make(&Spec { key: "rsa:2048", ..Spec::root("root-rsa", "/CN=RSA 2048") });
    w.make(&Spec { key: "rsa:4096", ..Spec::root("root-rsa4", "/CN=RSA 4096") });
    w.make(&Spec { key: "ed25519", sign: "", ..Spec::root("root-ed", "/CN=Ed25519") });
    key("p384-under-p256", "P-384", "root", "-sha256");
    key("p521-under-p256", "P-521", "root", "-sha256");
    key("rsa-under-p256", "rsa:2048", "root", "-sha256");
    key("p256-under-p384", "P-256", "root-p384", "-sha384");
    key("p256-under-p384-sha256", "P-256", "root-p384", "-sha256");
    key("p384-chain", "P-384", "root-p384", "-sha384");
    key("p256-sha384", "P-256", "root", "-sha384");
    key("p256-sha512", "P-256", "root", "-sha512");
    key("p256-under-rsa", "P-256", "root-rsa", "-sha256");
    key("rsa2048-chain", "rsa:2048", "root-rsa", "-sha256");
    key("rsa3072-chain", "rsa:3072", "root-rsa", "-sha256");
    key("rsa2056-chain", "rsa:2056", "root-rsa", "-sha256");
    key("rsa4096-chain", "rsa:4096", "root-rsa4", "-sha256");
    key("rsa-sha512", "rsa:2048", "root-rsa", "-sha512");
    key("pss-digest", "rsa:2048", "root-rsa", const_pss("digest"));
    key("pss-max", "rsa:2048", "root-rsa", const_pss("max"));
    key("pss-zero", "P-256", "root-rsa", const_pss("0"));
    key("ed-chain", "ed25519", "root-ed", "");
    key("p256-under-ed", "P-256", "root-ed", "");
}

fn const_pss(salt: &str) -> &'static str {
    Box::leak(format!("{PSS}{salt}").into_boxed_str())
}

const ROOT: &[&str] = &["root"];
const OK: Result<(), &str> = Ok(());
const L: &str = "localhost";

/// The rows.
pub fn all() -> Vec<Case> {
    let partial = "barepg trusts any certificate in sslrootcert as given, not only roots";
    let strict_ca = "barepg: a version 3 certificate signs others only with basicConstraints CA";
    let p521 = "no P-521 in the TLS library";
    let depth = "barepg bounds a chain at four intermediates";
    vec![
        // Chains.
        case("leaf under root", &["good"], ROOT, L, OK),
        case("leaf, intermediate", &["via-int", "int"], ROOT, L, OK),
        case("leaf, two intermediates", &["via-int2", "int2", "int"], ROOT, L, OK),
        case("chain with its root", &["via-int", "int", "root"], ROOT, L, OK),
        case("chain out of order", &["via-int2", "root", "int", "int2"], ROOT, L, OK),
        case("useless certificate sent", &["via-int", "other-root", "int"], ROOT, L, OK),
        case("intermediate missing", &["via-int"], ROOT, L, Err("UnknownIssuer")),
        differs(case("intermediate trusted, leaf sent", &["via-int"], &["int"], L, OK), partial),
        differs(
            case("intermediate trusted and sent", &["via-int", "int"], &["int"], L, OK),
            partial,
        ),
        differs(case("leaf itself trusted", &["good"], &["good"], L, OK), partial),
        differs(
            case("cross-signed, dead end first", &["via-int", "int-cross", "int"], ROOT, L, OK),
            "barepg tries every certificate of the issuer's name, libpq the first",
        ),
        case("cross-signed, dead end last", &["via-int", "int", "int-cross"], ROOT, L, OK),
        case("cross-signed, other root", &["via-int", "int-cross"], &["other-root"], L, OK),
        case("several roots", &["good"], &["other-root", "fake-root", "root"], L, OK),
        case("self-signed, trusted", &["self-ca"], &["self-ca"], L, OK),
        case("self-signed RSA, trusted", &["self-ca-rsa"], &["self-ca-rsa"], L, OK),
        case("self-signed v1, trusted", &["self-v1"], &["self-v1"], L, OK),
        case("self-signed, not trusted", &["self-ca"], ROOT, L, Err("UnknownIssuer")),
        case("another authority", &["from-other"], ROOT, L, Err("UnknownIssuer")),
        case("authority of the same name", &["from-fake"], ROOT, L, Err("BadSignature")),
        case(
            "authority of the same name, its root sent",
            &["from-fake", "fake-root"],
            ROOT,
            L,
            Err("BadSignature"),
        ),
        case(
            "another authority, its root sent",
            &["from-other", "other-root"],
            ROOT,
            L,
            Err("UnknownIssuer"),
        ),
        case("root of version 1", &["from-v1"], &["v1-root"], L, OK),
        case("issuer's name does not fit", &["from-renamed"], ROOT, L, Err("UnknownIssuer")),
        differs(
            case(
                "root without basicConstraints",
                &["from-no-bc"],
                &["no-bc-root"],
                L,
                Err("NotCa"),
            ),
            strict_ca,
        ),
        case("CA:FALSE as authority", &["via-no-ca", "int-no-ca"], ROOT, L, Err("NotCa")),
        case("leaf as authority", &["via-leaf", "good"], ROOT, L, Err("NotCa")),
        case(
            "authority without keyCertSign",
            &["via-no-sign", "int-no-sign"],
            ROOT,
            L,
            Err("KeyUsage"),
        ),
        case("path length kept", &["via-path0", "int-path0"], ROOT, L, OK),
        case(
            "path length exceeded",
            &["via-below", "int-below", "int-path0"],
            ROOT,
            L,
            Err("PathLength"),
        ),
        case("four intermediates", &["via-deep4", "deep4", "deep3", "deep2", "deep1"], ROOT, L, OK),
        differs(
            case(
                "five intermediates",
                &["via-deep5", "deep5", "deep4", "deep3", "deep2", "deep1"],
                ROOT,
                L,
                Err("TooMuchWork"),
            ),
            depth,
        ),
        // Dates.
        case("expired", &["expired"], ROOT, L, Err("Expired")),
        case("not yet valid", &["future"], ROOT, L, Err("NotYetValid")),
        case("valid until 2099", &["until-2099"], ROOT, L, OK),
        case("intermediate expired", &["via-int-expired", "int-expired"], ROOT, L, Err("Expired")),
        case("root expired", &["from-expired"], &["expired-root"], L, Err("Expired")),
        // Extensions.
        case("extKeyUsage clientAuth", &["eku-client"], ROOT, L, Err("ExtendedKeyUsage")),
        case("extKeyUsage any", &["eku-any"], ROOT, L, Err("ExtendedKeyUsage")),
        case(
            "intermediate for clients",
            &["via-int-eku", "int-eku"],
            ROOT,
            L,
            Err("ExtendedKeyUsage"),
        ),
        case(
            "root for clients",
            &["from-client-root"],
            &["client-root"],
            L,
            Err("ExtendedKeyUsage"),
        ),
        case("nsCertType client", &["ns-client"], ROOT, L, Err("KeyUsage")),
        case("nsCertType client and nothing else", &["ns-client-alone"], ROOT, L, Err("KeyUsage")),
        case("nsCertType client, critical", &["ns-client-crit"], ROOT, L, Err("KeyUsage")),
        case("nsCertType of an authority", &["ns-ca"], ROOT, L, Err("KeyUsage")),
        case("nsCertType server", &["ns-server"], ROOT, L, OK),
        case("nsCertType server, critical", &["ns-server-crit"], ROOT, L, OK),
        case("nsCertType client and server", &["ns-both"], ROOT, L, OK),
        case("authority with nsCertType", &["via-int-ns", "int-ns"], ROOT, L, OK),
        case(
            "authority with nsCertType client",
            &["via-int-ns-client", "int-ns-client"],
            ROOT,
            L,
            OK,
        ),
        case("keyUsage keyEncipherment", &["ku-encipher"], ROOT, L, OK),
        case("keyUsage keyCertSign", &["ku-sign-only"], ROOT, L, Err("KeyUsage")),
        case("unknown critical extension", &["crit"], ROOT, L, Err("CriticalExtension")),
        case("unknown extension", &["not-crit"], ROOT, L, OK),
        case(
            "unknown critical above",
            &["via-int-crit", "int-crit"],
            ROOT,
            L,
            Err("CriticalExtension"),
        ),
        case("fourteen extensions", &["many-ext"], ROOT, L, OK),
        case("critical policy", &["policy-crit"], ROOT, L, OK),
        case("name permitted", &["via-nc", "int-nc"], ROOT, L, OK),
        case(
            "name not permitted",
            &["via-nc-other", "int-nc-other"],
            ROOT,
            L,
            Err("NameConstraints"),
        ),
        case("name excluded", &["via-nc-out", "int-nc-out"], ROOT, L, Err("NameConstraints")),
        case("address permitted", &["via-nc-ip-ok", "int-nc-ip-ok"], ROOT, L, OK),
        case("address not permitted", &["via-nc-ip", "int-nc-ip"], ROOT, L, Err("NameConstraints")),
        case("mail constraint, no mail", &["via-nc-mail", "int-nc-mail"], ROOT, L, OK),
        // Names.
        case("another host", &["good"], ROOT, "other.test", Err("HostName")),
        any_host(case("no host asked", &["san2"], ROOT, L, OK)),
        case("second name", &["san2"], ROOT, L, OK),
        case("fifth name", &["san5"], ROOT, L, OK),
        case("case of the name", &["good"], ROOT, "LocalHost", OK),
        case("trailing dot", &["good"], ROOT, "localhost.", Err("HostName")),
        case("wildcard", &["wild"], ROOT, "a.example.test", OK),
        case("wildcard, two labels", &["wild"], ROOT, "a.b.example.test", Err("HostName")),
        case("wildcard, no label", &["wild"], ROOT, "example.test", Err("HostName")),
        case("wildcard of a top domain", &["wild-tld"], ROOT, "a.test", OK),
        case("wildcard in a label", &["wild-part"], ROOT, "ab.example.test", Err("HostName")),
        differs(
            case("wildcard over an address", &["wild-ip"], ROOT, "127.0.0.1", Err("HostName")),
            "barepg: a wildcard never stands for a part of an address",
        ),
        case("name in upper case", &["shouted"], ROOT, L, OK),
        case("both in upper case", &["shouted"], ROOT, "LOCALHOST", OK),
        case("trailing dot in the name", &["dotted"], ROOT, L, Err("HostName")),
        case("trailing dot in both", &["dotted"], ROOT, "localhost.", OK),
        case("underscore", &["underscore"], ROOT, "my_host.test", OK),
        case("underscore under a wildcard", &["wild-underscore"], ROOT, "a_b.my_zone.test", OK),
        case("wildcard in upper case", &["wild-shouted"], ROOT, "a.example.test", OK),
        case("wildcard, trailing dot", &["wild"], ROOT, "a.example.test.", Err("HostName")),
        case("wildcard alone", &["wild-alone"], ROOT, L, Err("HostName")),
        case("wildcard alone, a dot", &["wild-dot"], ROOT, "localhost.", Err("HostName")),
        case("wildcard in the second label", &["wild-second"], ROOT, "a.b.test", Err("HostName")),
        case("two wildcards", &["wild-twice"], ROOT, "a.b.test", Err("HostName")),
        case("wildcard before a letter", &["wild-start"], ROOT, "ba.test", Err("HostName")),
        case("two stars", &["wild-stars"], ROOT, "a.test", Err("HostName")),
        case("wildcard before the name itself", &["wild-name"], ROOT, L, Err("HostName")),
        case("wildcard, an empty label", &["wild-tld"], ROOT, ".test", Err("HostName")),
        differs(
            case(
                "wildcard, an empty second label",
                &["wild-tld"],
                ROOT,
                "a..test",
                Err("HostName"),
            ),
            "barepg: a wildcard stands for one label",
        ),
        case("address in brackets", &["ip6"], ROOT, "[::1]", Err("HostName")),
        case("address in brackets as dNSName", &["bracketed"], ROOT, "[::1]", OK),
        differs(
            case("address in short", &["good"], ROOT, "127.1", Err("HostName")),
            "barepg: addresses have all their parts",
        ),
        case("NUL in a dNSName", &["nul"], ROOT, L, Err("HostName")),
        case("NUL in a dNSName before the host's", &["nul-then-good"], ROOT, L, Err("HostName")),
        case("common name beside an empty dNSName", &["empty-name"], ROOT, L, Err("HostName")),
        case("name longer than 64", &["san-long"], ROOT, L, OK),
        case("address", &["good"], ROOT, "127.0.0.1", OK),
        case("address of version 6", &["ip6"], ROOT, "::1", OK),
        case("address as dNSName", &["dns-ip"], ROOT, "127.0.0.1", OK),
        case("another address", &["ip-other"], ROOT, "127.0.0.1", Err("HostName")),
        case("common name", &["cn"], ROOT, L, OK),
        case("common name, wildcard", &["cn-wild"], ROOT, "a.example.test", OK),
        case("common name, version 1", &["cn-v1"], ROOT, L, OK),
        case("common name, address", &["cn-ip"], ROOT, "127.0.0.1", OK),
        case("common name beside dNSName", &["cn-san-other"], ROOT, L, Err("HostName")),
        case("common name beside iPAddress", &["cn-ip-san"], ROOT, L, OK),
        case("address in common name beside dNSName", &["cn-ip-dns-san"], ROOT, "127.0.0.1", OK),
        case("first common name", &["cn-first"], ROOT, L, OK),
        case("second common name", &["cn-second"], ROOT, L, Err("HostName")),
        case("several attributes in one part", &["multi-rdn"], ROOT, L, OK),
        case("nine parts", &["many-rdn"], ROOT, L, OK),
        case("no common name", &["no-cn"], ROOT, L, Err("HostName")),
        // Keys and signatures.
        case("P-384 under P-256", &["p384-under-p256"], ROOT, L, OK),
        differs(case("P-521 under P-256", &["p521-under-p256"], ROOT, L, Err("Alert")), p521),
        case("RSA under P-256", &["rsa-under-p256"], ROOT, L, OK),
        case("P-256 under P-384", &["p256-under-p384"], &["root-p384"], L, OK),
        case("P-256 under P-384, SHA-256", &["p256-under-p384-sha256"], &["root-p384"], L, OK),
        case("P-384", &["p384-chain"], &["root-p384"], L, OK),
        case("P-256, SHA-384", &["p256-sha384"], ROOT, L, OK),
        case("P-256, SHA-512", &["p256-sha512"], ROOT, L, OK),
        case("P-256 under RSA", &["p256-under-rsa"], &["root-rsa"], L, OK),
        case("RSA 2048", &["rsa2048-chain"], &["root-rsa"], L, OK),
        case("RSA 2056", &["rsa2056-chain"], &["root-rsa"], L, OK),
        case("RSA 3072", &["rsa3072-chain"], &["root-rsa"], L, OK),
        case("RSA 4096", &["rsa4096-chain"], &["root-rsa4"], L, OK),
        case("RSA, SHA-512", &["rsa-sha512"], &["root-rsa"], L, OK),
        case("RSA-PSS", &["pss-digest"], &["root-rsa"], L, OK),
        case("RSA-PSS, longest salt", &["pss-max"], &["root-rsa"], L, OK),
        case("RSA-PSS, no salt", &["pss-zero"], &["root-rsa"], L, OK),
        case("Ed25519", &["ed-chain"], &["root-ed"], L, OK),
        case("P-256 under Ed25519", &["p256-under-ed"], &["root-ed"], L, OK),
    ]
}
