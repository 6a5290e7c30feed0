//! Trusted roots and lists of revoked certificates.

use super::Content::{self, Copy, Directory, Fifo, Link};
use super::{Setup, Versions, setup};

const ROOT: &str = ".postgresql/root.crt";
const CRL: &str = ".postgresql/root.crl";
const TLS: &str = "scram_user test tls";
const PLAIN: &str = "scram_user test plain";

const NO_FALLBACK: &str = "there is no second try without TLS";
const NAMED: &str = "a file that is named must be there";
const CRL_REFUSED: &str = "revocation lists are refused by name";

/// Root files that cannot be used.
const UNUSABLE: [(&str, Content); 9] = [
    ("garbage", Copy(&["garbage"])),
    ("an empty file", Copy(&["empty"])),
    ("blank lines", Copy(&["blank"])),
    ("words", Copy(&["words"])),
    ("broken base64", Copy(&["badbase64"])),
    ("base64 of no certificate", Copy(&["notder"])),
    ("half a certificate", Copy(&["root.cut"])),
    ("DER", Copy(&["root.der"])),
    ("a directory", Directory),
];

pub fn all() -> Vec<Setup> {
    let mut setups = vec![
        setup("no root, require", "{scram} sslmode=require").wants(TLS),
        setup("no root, prefer", "{scram}").wants(TLS),
        setup("no root, verify-ca", "{scram} sslmode=verify-ca"),
        setup("no root, verify-full", "{scram} sslmode=verify-full").says("sslrootcert"),
        setup("another root, require", "{scram} sslmode=require").copy(ROOT, &["other"]),
        setup("another root, prefer", "{scram}").copy(ROOT, &["other"]).differs(NO_FALLBACK),
        setup("another root, allow", "{scram} sslmode=allow").copy(ROOT, &["other"]).wants(PLAIN),
        setup("another root, disable", "{scram} sslmode=disable")
            .copy(ROOT, &["other"])
            .wants(PLAIN),
    ];
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        let conninfo = format!("{{scram}} sslmode={mode}");
        setups.push(setup(format!("root, {mode}"), &conninfo).copy(ROOT, &["root"]).wants(TLS));
    }
    for (what, content) in UNUSABLE {
        for mode in ["require", "verify-full"] {
            setups.push(
                setup(format!("root is {what}, {mode}"), format!("{{scram}} sslmode={mode}"))
                    .file(ROOT, content.clone())
                    .says("sslrootcert"),
            );
        }
        setups.push(
            setup(format!("sslrootcert is {what}"), "{scram} sslmode=require sslrootcert={H}/x")
                .file("x", content),
        );
    }
    setups.extend([
        setup("root is garbage, prefer", "{scram}").copy(ROOT, &["garbage"]).differs(NO_FALLBACK),
        setup("root is garbage, disable", "{scram} sslmode=disable").copy(ROOT, &["garbage"]),
        setup("root is garbage, allow", "{scram} sslmode=allow").copy(ROOT, &["garbage"]),
        setup("root is garbage, server without TLS", "{plain}")
            .copy(ROOT, &["garbage"])
            .differs("what is wrong with the files is found before the server is asked for TLS"),
        setup("root is garbage, UNIX socket", "{scram} host=/tmp hostaddr='' sslmode=verify-full")
            .copy(ROOT, &["garbage"])
            .wants(PLAIN),
        setup("root is a FIFO", "{scram} sslmode=require").file(ROOT, Fifo).hangs(),
        setup("root is a FIFO, disable", "{scram} sslmode=disable").file(ROOT, Fifo).wants(PLAIN),
        setup("root cannot be read", "{scram} sslmode=require").copy(ROOT, &["root"]).mode(ROOT, 0),
        setup("root cannot be read, prefer", "{scram}")
            .copy(ROOT, &["root"])
            .mode(ROOT, 0)
            .differs(NO_FALLBACK),
        setup("root cannot be read, verify-full", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root"])
            .mode(ROOT, 0),
        setup("the directory cannot be searched", "{scram} sslmode=require")
            .copy(ROOT, &["root"])
            .mode(".postgresql", 0),
        setup("the directory cannot be searched, prefer", "{scram}")
            .copy(ROOT, &["root"])
            .mode(".postgresql", 0)
            .differs(NO_FALLBACK),
        setup(
            "the directory of sslrootcert cannot be searched",
            "{scram} sslmode=require sslrootcert={H}/d/root",
        )
        .copy("d/root", &["other"])
        .mode("d", 0)
        .differs("whether a file is there that cannot be looked at is not known: refused"),
        setup("root is a link to nothing", "{scram} sslmode=require").file(ROOT, Link("nothing")),
        setup("root is a link to itself", "{scram} sslmode=require")
            .file(ROOT, Link("root.crt"))
            .differs("whether a file is there that cannot be looked at is not known: refused"),
        setup("root is a link to a root", "{scram} sslmode=verify-full")
            .file(ROOT, Link("{F}/root"))
            .wants(TLS),
        setup("a file in place of the directory", "{scram} sslmode=require")
            .copy(".postgresql", &["words"])
            .wants(TLS),
        setup("sslrootcert is missing, require", "{scram} sslmode=require sslrootcert={H}/x")
            .differs(NAMED)
            .says("sslrootcert"),
        setup(
            "sslrootcert is missing, default is there",
            "{scram} sslmode=require sslrootcert={H}/x",
        )
        .copy(ROOT, &["root"])
        .differs(NAMED),
        setup("sslrootcert is missing, verify-ca", "{scram} sslmode=verify-ca sslrootcert={H}/x"),
        setup("sslrootcert is missing, disable", "{scram} sslmode=disable sslrootcert={H}/x")
            .wants(PLAIN),
        setup("sslrootcert beats the default", "{scram} sslmode=verify-full sslrootcert={F}/root")
            .copy(ROOT, &["garbage"])
            .wants(TLS),
        setup("sslrootcert is empty", "{scram} sslmode=require sslrootcert=''")
            .copy(ROOT, &["other"]),
        setup("sslrootcert is empty, verify-full", "{scram} sslmode=verify-full sslrootcert=''")
            .copy(ROOT, &["root"])
            .wants(TLS),
        setup("sslrootcert is empty, no default", "{scram} sslmode=require sslrootcert=''")
            .wants(TLS),
        setup("PGSSLROOTCERT is empty", "{scram} sslmode=require")
            .variable("PGSSLROOTCERT", "")
            .copy(ROOT, &["other"]),
        setup("PGSSLROOTCERT", "{scram} sslmode=verify-full")
            .variable("PGSSLROOTCERT", "{F}/root")
            .wants(TLS),
        setup("PGSSLROOTCERT is garbage", "{scram} sslmode=require")
            .variable("PGSSLROOTCERT", "{F}/garbage"),
        setup("sslrootcert is relative", "{scram} sslmode=verify-full sslrootcert=here")
            .copy("here", &["root"])
            .wants(TLS),
        setup("sslrootcert has a tilde", "{scram} sslmode=verify-full sslrootcert=~/here")
            .copy("here", &["root"]),
        setup("root and words", "{scram} sslmode=verify-full")
            .copy(ROOT, &["words", "root", "words"])
            .wants(TLS),
        setup("root with CRLF", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root.crlf"])
            .wants(TLS),
        setup("root with CR", "{scram} sslmode=verify-full").copy(ROOT, &["root.cr"]),
        // Newer and older OpenSSL, which the two are built with, say different things.
        setup("root after a byte order mark, libpq 18", "{scram} sslmode=verify-full")
            .copy(ROOT, &["bom", "root"])
            .only(Versions::Only18),
        setup("root after a byte order mark, libpq 15", "{scram} sslmode=verify-full")
            .copy(ROOT, &["bom", "root"])
            .only(Versions::Only15)
            .differs("a file begins with text or with a certificate, as libpq 18 has it"),
        setup("root after a byte order mark and a line", "{scram} sslmode=verify-full")
            .copy(ROOT, &["bom", "words", "root"])
            .wants(TLS),
        setup("root in UTF-16", "{scram} sslmode=verify-full").copy(ROOT, &["root.utf16"]),
        setup("root after words without an end of line", "{scram} sslmode=verify-full")
            .copy(ROOT, &["word", "root"]),
        setup("root after a NUL", "{scram} sslmode=verify-full").copy(ROOT, &["nul", "root"]),
        setup("root after a line of 5,000 bytes", "{scram} sslmode=verify-full")
            .copy(ROOT, &["long.line", "root"])
            .wants(TLS),
        setup("a thousand roots and the right one", "{scram} sslmode=verify-full")
            .copy(ROOT, &["thousand", "root"])
            .wants(TLS),
        setup("the right root and a thousand", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root", "thousand"])
            .wants(TLS),
        setup("a thousand other roots", "{scram} sslmode=verify-full").copy(ROOT, &["thousand"]),
        setup("a thousand times the right root", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root.thousand"])
            .wants(TLS),
        setup("a thousand roots of its name and the right one", "{scram} sslmode=verify-full")
            .copy(ROOT, &["namesakes", "root"])
            .says("too many certificates")
            .differs("eight signatures are checked at most, also by roots of the same name"),
        setup("the right root and a thousand of its name", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root", "namesakes"])
            .wants(TLS),
        setup("two roots", "{scram} sslmode=verify-full").copy(ROOT, &["other", "root"]).wants(TLS),
        setup("root and half a root", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root", "root.cut"]),
        setup("root and broken base64", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root", "badbase64"]),
        setup("root and a list of revoked ones in one file", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root", "revoked.crl"])
            .wants(TLS),
        setup("a list of revoked ones and a root in one file", "{scram} sslmode=verify-full")
            .copy(ROOT, &["revoked.crl", "root"])
            .wants(TLS),
        setup("nothing but a list of revoked ones in the root file", "{scram} sslmode=require")
            .copy(ROOT, &["revoked.crl"]),
        setup("root and a key in one file", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root", "key"])
            .wants(TLS),
        setup("a key and a root in one file", "{scram} sslmode=verify-full")
            .copy(ROOT, &["key", "root"])
            .wants(TLS),
        setup("root by its old label", "{scram} sslmode=verify-full")
            .copy(ROOT, &["trusted"])
            .wants(TLS),
        setup("root after 80 kB of comments", "{scram} sslmode=verify-full")
            .copy(ROOT, &["filler", "root"])
            .wants(TLS),
        setup("root after a long line", "{scram} sslmode=verify-full")
            .copy(ROOT, &["long", "blank", "root"])
            .wants(TLS),
        setup("900 roots of the issuer's name", "{scram} sslmode=require")
            .copy(ROOT, &["other"; 900]),
        setup("the system's roots and the server's", "{scram} sslmode=verify-full")
            .file(ROOT, Content::System("root"))
            .wants(TLS),
        setup("the system's roots", "{scram} sslmode=verify-full")
            .file(ROOT, Content::System("empty"))
            .says("unknown issuer"),
        setup("root, but of another host", "{scram} host=db.test sslmode=verify-full")
            .copy(ROOT, &["root"]),
        setup("root, another host, verify-ca", "{scram} host=db.test sslmode=verify-ca")
            .copy(ROOT, &["root"])
            .wants(TLS),
        setup("no home", "{scram} sslmode=verify-full").copy(ROOT, &["root"]).variable("HOME", "-"),
        setup("empty home", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root"])
            .variable("HOME", ""),
        setup("home with a slash", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root"])
            .variable("HOME", "{H}/")
            .wants(TLS),
        setup("home that is not there", "{scram} sslmode=require")
            .variable("HOME", "{H}/nothing")
            .wants(TLS),
        setup("relative home", "{scram} sslmode=verify-full")
            .copy(ROOT, &["root"])
            .variable("HOME", ".")
            .wants(TLS),
        setup("system roots", "{scram} sslrootcert=system")
            .only(Versions::Only18)
            .says("unknown issuer"),
        setup("system roots, require", "{scram} sslmode=require sslrootcert=system")
            .only(Versions::Only18),
        setup("system roots elsewhere", "{scram} sslrootcert=system")
            .variable("SSL_CERT_FILE", "{F}/root")
            .only(Versions::Only18)
            .wants(TLS),
        setup("system roots in a file that is missing", "{scram} sslrootcert=system")
            .variable("SSL_CERT_FILE", "{H}/nothing")
            .only(Versions::Only18),
        setup("PGSSLROOTCERT=system", "{scram}")
            .variable("PGSSLROOTCERT", "system")
            .variable("SSL_CERT_FILE", "{F}/root")
            .only(Versions::Only18)
            .wants(TLS),
        setup("system roots and a list of revoked ones", "{scram} sslrootcert=system")
            .variable("SSL_CERT_FILE", "{F}/root")
            .copy(CRL, &["revoked.crl"])
            .only(Versions::Only18)
            .wants(TLS),
    ]);
    setups.extend(revoked());
    setups
}

fn revoked() -> Vec<Setup> {
    let with_root = |name: &str, conninfo: &str| setup(name, conninfo).copy(ROOT, &["root"]);
    vec![
        with_root("revoked by the default list", "{scram} sslmode=verify-full")
            .copy(CRL, &["revoked.crl"])
            .says("sslcrl"),
        with_root("revoked by the default list, require", "{scram} sslmode=require")
            .copy(CRL, &["revoked.crl"]),
        with_root("revoked by the default list, prefer", "{scram}")
            .copy(CRL, &["revoked.crl"])
            .differs(NO_FALLBACK),
        with_root("the default list, disable", "{scram} sslmode=disable")
            .copy(CRL, &["revoked.crl"])
            .wants(PLAIN),
        with_root("the default list, UNIX socket", "{scram} host=/tmp hostaddr=''")
            .copy(CRL, &["revoked.crl"])
            .wants(PLAIN),
        with_root("a default list without an entry", "{scram} sslmode=verify-full")
            .copy(CRL, &["empty.crl"])
            .differs(CRL_REFUSED),
        with_root("a default list of garbage", "{scram} sslmode=verify-full")
            .copy(CRL, &["garbage"])
            .differs("a file that cannot be used is not taken for none"),
        with_root("a default list that cannot be read", "{scram} sslmode=verify-full")
            .copy(CRL, &["revoked.crl"])
            .mode(CRL, 0)
            .differs("a file that cannot be used is not taken for none"),
        with_root("a directory in place of the default list", "{scram} sslmode=verify-full")
            .file(CRL, Directory)
            .differs("a file that cannot be used is not taken for none"),
        with_root("a FIFO in place of the default list", "{scram} sslmode=verify-full")
            .file(CRL, Fifo)
            .hangs(),
        setup("a default list without a root", "{scram} sslmode=require")
            .copy(CRL, &["revoked.crl"])
            .wants(TLS),
        setup("a default list, root by name", "{scram} sslmode=verify-full sslrootcert={F}/root")
            .copy(CRL, &["revoked.crl"]),
        with_root("sslcrl", "{scram} sslmode=verify-full sslcrl={F}/revoked.crl").says("sslcrl"),
        with_root("sslcrl without an entry", "{scram} sslmode=verify-full sslcrl={F}/empty.crl")
            .differs(CRL_REFUSED),
        with_root("sslcrl is empty", "{scram} sslmode=verify-full sslcrl=''").wants(TLS),
        with_root("sslcrl is empty, default is there", "{scram} sslmode=verify-full sslcrl=''")
            .copy(CRL, &["revoked.crl"]),
        with_root("sslcrl, disable", "{scram} sslmode=disable sslcrl={F}/revoked.crl")
            .differs(CRL_REFUSED),
        with_root("sslcrl is missing", "{scram} sslmode=verify-full sslcrl={H}/x")
            .differs(CRL_REFUSED),
        with_root("sslcrldir", "{scram} sslmode=verify-full sslcrldir={H}/d")
            .file("d", Directory)
            .says("sslcrldir"),
        with_root("PGSSLCRL", "{scram} sslmode=verify-full")
            .variable("PGSSLCRL", "{F}/revoked.crl")
            .says("sslcrl"),
        with_root("PGSSLCRLDIR", "{scram} sslmode=verify-full")
            .variable("PGSSLCRLDIR", "{H}/d")
            .file("d", Directory)
            .says("sslcrldir"),
        with_root("PGSSLCRL is empty, PGSSLCRLDIR", "{scram} sslmode=verify-full")
            .variable("PGSSLCRL", "")
            .variable("PGSSLCRLDIR", "{H}/d")
            .file("d", Directory)
            .says("sslcrldir"),
        with_root("PGSSLCRL and PGSSLCRLDIR are empty", "{scram} sslmode=verify-full")
            .variable("PGSSLCRL", "")
            .variable("PGSSLCRLDIR", "")
            .wants(TLS),
        with_root(
            "sslcrl in a URI",
            "postgresql://scram_user:scram_user_pw@localhost:{P}/test?hostaddr=127.0.0.1&\
             sslmode=verify-full&sslcrl={F}/revoked.crl",
        )
        .says("sslcrl"),
    ]
}
