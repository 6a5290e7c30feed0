//! Client certificates and their keys.

use super::Content::{Bytes, Copy, Directory, Fifo, Link};
use super::{Content, Setup, Versions, setup};

pub(super) const CRT: &str = ".postgresql/postgresql.crt";
pub(super) const KEY: &str = ".postgresql/postgresql.key";
pub(super) const CERT: &str = "cert_user test tls /CN=cert_user";
const NO_FALLBACK: &str = "there is no second try without TLS";
pub(super) const BOTH: &str = "{cert} sslmode=require sslcert={H}/crt sslkey={H}/key";

/// As `cert_user` with the files `crt` and `key` in the home directory.
pub(super) fn pair(name: impl Into<String>, crt: Content, key: Content) -> Setup {
    setup(name, BOTH).file("crt", crt).file("key", key)
}

/// With a usable certificate.
pub(super) fn key(name: impl Into<String>, key: Content) -> Setup {
    pair(name, Copy(&["crt"]), key)
}

/// As `scram_user`, to whom a certificate is no help.
fn of_no_use(name: impl Into<String>) -> Setup {
    setup(name, "{scram} sslmode=require")
}

pub fn all() -> Vec<Setup> {
    let mut setups = vec![
        key("certificate and key", Copy(&["key"])).wants(CERT),
        key("certificate and SEC1 key", Copy(&["sec1"])).wants(CERT),
        key("key after its parameters", Copy(&["params", "sec1"])).wants(CERT),
        key("key after words", Copy(&["words", "key", "words"])).wants(CERT),
        key("key after a certificate", Copy(&["crt", "key"])).wants(CERT),
        key("key before a certificate", Copy(&["key", "crt"])).wants(CERT),
        key("key before another", Copy(&["key", "other.key"])).wants(CERT),
        key("key after another", Copy(&["other.key", "key"])),
        key("key with CR LF", Copy(&["key.crlf"])).wants(CERT),
        key("key in DER", Copy(&["key.der"])).wants(CERT),
        key("key of another", Copy(&["other.key"])),
        key("encrypted key", Copy(&["key.enc"])).says("sslkey"),
        pair("certificate with CR LF", Copy(&["crt.crlf"]), Copy(&["key"])).wants(CERT),
        pair("certificate with blanks at its lines' ends", Copy(&["spaced"]), Copy(&["key"]))
            .wants(CERT),
        pair("certificate in DER", Copy(&["crt.der"]), Copy(&["key"])),
        pair("certificate after words", Copy(&["words", "crt"]), Copy(&["key"])).wants(CERT),
        pair("certificate after a key", Copy(&["key", "crt"]), Copy(&["key"])).wants(CERT),
        pair("certificate and its root", Copy(&["crt", "root"]), Copy(&["key"])).wants(CERT),
        pair("certificate after its root", Copy(&["root", "crt"]), Copy(&["key"])),
        pair("certificate and half another", Copy(&["crt", "crt.cut"]), Copy(&["key"])),
        pair("certificate and a list of revoked ones", Copy(&["crt", "empty.crl"]), Copy(&["key"]))
            .wants(CERT),
        setup("one file for both", "{cert} sslmode=require sslcert={H}/both sslkey={H}/both")
            .copy("both", &["crt", "key"])
            .wants(CERT),
        setup("one file for both, key first", "{cert} sslcert={H}/both sslkey={H}/both")
            .copy("both", &["key", "crt"])
            .wants(CERT),
        setup(
            "one file for both and the root",
            "{cert} sslmode=verify-full sslrootcert={H}/all sslcert={H}/all sslkey={H}/all",
        )
        .copy("all", &["crt", "key", "root"])
        .wants(CERT),
        setup("one file for both, too open", "{cert} sslcert={H}/both sslkey={H}/both")
            .copy("both", &["crt", "key"])
            .mode("both", 0o644),
        setup("the default files", "{cert}").copy(CRT, &["crt"]).copy(KEY, &["key"]).wants(CERT),
        setup("the default files and root", "{cert} sslmode=verify-full")
            .copy(".postgresql/root.crt", &["root"])
            .copy(CRT, &["crt"])
            .copy(KEY, &["key"])
            .wants(CERT),
        setup("one default file for both", "{cert} sslkey={H}/.postgresql/postgresql.crt")
            .copy(CRT, &["crt", "key"])
            .wants(CERT),
        setup("no default certificate", "{cert}").copy(KEY, &["key"]),
        setup("no default key", "{cert}").copy(CRT, &["crt"]),
        setup("no default key, both in the certificate's file", "{cert}")
            .copy(CRT, &["crt", "key"]),
        of_no_use("no default key, and it is not needed").copy(CRT, &["crt"]),
        setup("sslcert with the default key", "{cert} sslcert={F}/crt")
            .copy(KEY, &["key"])
            .wants(CERT),
        setup("sslkey with the default certificate", "{cert} sslkey={H}/key")
            .copy(CRT, &["crt"])
            .copy("key", &["key"])
            .wants(CERT),
        setup("sslcert and sslkey are empty", "{cert} sslcert='' sslkey=''")
            .copy(CRT, &["crt"])
            .copy(KEY, &["key"])
            .wants(CERT),
        setup("PGSSLCERT and PGSSLKEY", "{cert}")
            .variable("PGSSLCERT", "{H}/crt")
            .variable("PGSSLKEY", "{H}/key")
            .copy("crt", &["crt"])
            .copy("key", &["key"])
            .wants(CERT),
        setup("PGSSLCERT and PGSSLKEY are empty", "{cert}")
            .variable("PGSSLCERT", "")
            .variable("PGSSLKEY", "")
            .copy(CRT, &["crt"])
            .copy(KEY, &["key"])
            .wants(CERT),
        setup("a certificate that is not asked for", "{scram} sslcert={H}/crt sslkey={H}/key")
            .copy("crt", &["scram.crt"])
            .copy("key", &["scram.key"])
            .wants("scram_user test tls /CN=scram_user"),
        setup(
            "files over the UNIX socket",
            "{scram} host=/tmp hostaddr='' sslcert={H}/x sslkey={H}/x",
        )
        .copy("x", &["garbage"])
        .wants("scram_user test plain"),
        setup("sslcert is missing", "{scram} sslcert={H}/x")
            .copy(CRT, &["crt"])
            .copy(KEY, &["key"])
            .wants("scram_user test tls"),
        setup("sslcert is missing, and needed", "{cert} sslcert={H}/x sslkey={H}/key")
            .copy("key", &["key"])
            .says("sslcert"),
        setup("sslcert is below a file", "{scram} sslcert={F}/words/x")
            .wants("scram_user test tls"),
        setup("sslkey without a certificate", "{scram} sslkey={F}/garbage")
            .wants("scram_user test tls"),
        setup("sslkey is missing", "{cert} sslmode=require sslcert={F}/crt sslkey={H}/x")
            .says("sslkey"),
        setup("sslkey is a link", BOTH)
            .copy("crt", &["crt"])
            .copy("real", &["key"])
            .file("key", Link("real"))
            .wants(CERT),
        setup("sslkey names an engine", "{cert} sslmode=require sslcert={F}/crt sslkey=e:k")
            .copy("e:k", &["key"])
            .says("sslkey"),
        setup("sslcert and sslkey, disable", "{scram} sslmode=disable sslcert={H}/x sslkey={H}/x")
            .file("x", Fifo)
            .wants("scram_user test plain"),
        setup("key is a FIFO, disable", "{scram} sslmode=disable sslcert={F}/crt sslkey={H}/x")
            .file("x", Fifo)
            .wants("scram_user test plain"),
        key("key is a FIFO", Fifo).says("sslkey"),
        pair("certificate is a FIFO", Fifo, Copy(&["key"])).hangs(),
        setup(
            "sslcertmode=allow",
            "{cert} sslmode=require sslcertmode=allow sslcert={H}/crt sslkey={H}/key",
        )
        .copy("crt", &["crt"])
        .copy("key", &["key"])
        .only(Versions::Only18)
        .wants(CERT),
        setup("sslcertmode=disable", "{scram} sslmode=require sslcertmode=disable")
            .copy(CRT, &["garbage"])
            .only(Versions::Only18)
            .differs("sslcertmode is refused by name"),
        setup("sslpassword is empty", format!("{BOTH} sslpassword=''"))
            .copy("crt", &["crt"])
            .copy("key", &["key"])
            .wants(CERT),
        setup("a certificate that no one asks for", "{unasking} sslcert={H}/crt sslkey={H}/key")
            .copy("crt", &["crt"])
            .copy("key", &["key"])
            .wants("scram_user test tls"),
        setup(
            "no one asks for it, key of another",
            "{unasking} sslmode=require sslcert={H}/crt sslkey={H}/key",
        )
        .copy("crt", &["crt"])
        .copy("key", &["other.key"])
        .says("sslkey"),
        setup(
            "no one asks for it, key is garbage",
            "{unasking} sslmode=require sslcert={H}/crt sslkey={H}/key",
        )
        .copy("crt", &["crt"])
        .copy("key", &["garbage"])
        .says("sslkey"),
        key("key owned by root, 0640", Copy(&["key"]))
            .owned_by_root("key")
            .mode("key", 0o640)
            .wants(CERT),
        key("key owned by root, 0644", Copy(&["key"])).owned_by_root("key").mode("key", 0o644),
        key("key owned by root, 0660", Copy(&["key"])).owned_by_root("key").mode("key", 0o660),
        key("key owned by root, 0600", Copy(&["key"])).owned_by_root("key").mode("key", 0o600),
    ];
    for mode in [0o644, 0o640, 0o604, 0o660, 0o620, 0o610, 0o601] {
        setups.push(key(format!("key with mode {mode:o}"), Copy(&["key"])).mode("key", mode));
    }
    for mode in [0o400, 0o700] {
        let key = key(format!("key with mode {mode:o}"), Copy(&["key"])).mode("key", mode);
        setups.push(key.wants(CERT));
    }
    for (what, content) in [
        ("garbage", Copy(&["garbage"])),
        ("an empty file", Copy(&["empty"])),
        ("words", Copy(&["words"])),
        ("broken base64", Copy(&["badbase64"])),
        ("half of it", Copy(&["key.cut"])),
        ("a directory", Directory),
        ("a NUL", Bytes(b"\0")),
    ] {
        setups.push(key(format!("key is {what}"), content.clone()).says("sslkey"));
        setups.push(pair(format!("certificate is {what}"), content.clone(), Copy(&["key"])));
        setups.push(of_no_use(format!("default certificate is {what}")).file(CRT, content.clone()));
        setups.push(
            of_no_use(format!("default key is {what}"))
                .copy(CRT, &["scram.crt"])
                .file(KEY, content),
        );
    }
    setups.extend([
        key("key cannot be read", Copy(&["key"])).mode("key", 0),
        pair("certificate cannot be read", Copy(&["crt"]), Copy(&["key"])).mode("crt", 0),
        of_no_use("default certificate cannot be read").copy(CRT, &["crt"]).mode(CRT, 0),
        of_no_use("default certificate is a link to itself").file(CRT, Link("postgresql.crt")),
        of_no_use("default key alone is garbage")
            .copy(KEY, &["garbage"])
            .wants("scram_user test tls"),
        setup("default certificate is garbage, prefer", "{scram}")
            .copy(CRT, &["garbage"])
            .differs(NO_FALLBACK),
    ]);
    setups
}
