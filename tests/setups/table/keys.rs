//! Keys of other kinds than P-256, and encrypted ones.

use super::Content::Copy;
use super::certificates::{BOTH, CERT, CRT, KEY, key, pair};
use super::{Content, Setup, setup};

/// With the certificate for an RSA key.
fn rsa(name: impl Into<String>, key: Content) -> Setup {
    pair(name, Copy(&["rsa.crt"]), key)
}

/// With an encrypted key, and a password for it.
fn sealed(
    name: impl Into<String>,
    certificate: &'static [&'static str],
    key: &'static [&'static str],
    password: &str,
) -> Setup {
    setup(name, format!("{BOTH} sslpassword='{password}'"))
        .file("crt", Copy(certificate))
        .file("key", Copy(key))
}

pub fn all() -> Vec<Setup> {
    let mut setups = vec![
        rsa("RSA key", Copy(&["rsa.key"])).wants(CERT),
        rsa("RSA key, PKCS#1", Copy(&["rsa.old"])).wants(CERT),
        rsa("RSA key in DER", Copy(&["rsa.der"])).wants(CERT),
        rsa("RSA key, PKCS#1 in DER", Copy(&["rsa.old.der"])).wants(CERT),
        rsa("RSA key of another", Copy(&["rsa4096.key"])).says("is not the key of"),
        rsa("P-256 key for an RSA certificate", Copy(&["key"])).says("is not the key of"),
        key("RSA key for a P-256 certificate", Copy(&["rsa.key"])).says("is not the key of"),
        key("P-384 key for a P-256 certificate", Copy(&["p384.key"])).says("is not the key of"),
        pair("RSA key of 4096 bits", Copy(&["rsa4096.crt"]), Copy(&["rsa4096.key"])).wants(CERT),
        pair("P-384 key", Copy(&["p384.crt"]), Copy(&["p384.key"])).wants(CERT),
        pair("Ed25519 key", Copy(&["ed25519.crt"]), Copy(&["ed25519.key"])).wants(CERT),
        pair("Ed25519 key in DER", Copy(&["ed25519.crt"]), Copy(&["ed25519.der"])).wants(CERT),
        pair("Ed25519 key of another", Copy(&["ed25519.crt"]), Copy(&["ed25519.other"]))
            .says("is not the key of"),
        key("Ed25519 key for a P-256 certificate", Copy(&["ed25519.key"]))
            .says("is not the key of"),
        pair("P-256 key for an Ed25519 certificate", Copy(&["ed25519.crt"]), Copy(&["key"]))
            .says("is not the key of"),
        pair("P-521 key", Copy(&["p521.crt"]), Copy(&["p521.key"]))
            .says("of a kind that this build does not sign with")
            .differs("keys are P-256, P-384, Ed25519 and RSA"),
        rsa("encrypted RSA key", Copy(&["rsa.enc"])).says("sslkey is encrypted"),
        rsa("encrypted RSA key, older form", Copy(&["aes256.old"])).says("sslkey is encrypted"),
        sealed("sslpassword for a key without", &["rsa.crt"], &["rsa.key"], "secret").wants(CERT),
        sealed("sslpassword is wrong", &["crt"], &["key.enc"], "Secret").says("sslpassword"),
        sealed("sslpassword is longer", &["crt"], &["key.enc"], "secret ").says("sslpassword"),
        sealed("sslpassword is empty, and needed", &["crt"], &["key.enc"], "")
            .says("sslkey is encrypted"),
        sealed("sslpassword is wrong, older form", &["rsa.crt"], &["aes128.old"], "x")
            .says("sslpassword"),
        sealed("sslpassword of another's key", &["crt"], &["rsa.enc"], "secret")
            .says("is not the key of"),
        sealed("sslpassword, scrypt", &["crt"], &["scrypt.enc"], "secret")
            .says("encrypted in a way that is not known")
            .differs("scrypt takes a heap"),
        sealed("sslpassword, PKCS#12's way", &["crt"], &["v1.enc"], "secret")
            .says("encrypted in a way that is not known")
            .differs("keys are derived by PBKDF2"),
        sealed("sslpassword, older form with DES", &["crt"], &["des3.old"], "secret")
            .says("encrypted in a way that is not known")
            .differs("the older form is known with AES"),
        sealed("sslpassword, encrypted key in DER", &["rsa.crt"], &["rsa.enc.der"], "secret"),
        sealed(
            "sslpassword, encrypted key after a certificate",
            &["crt"],
            &["crt", "key.enc"],
            "secret",
        )
        .wants(CERT),
        sealed("sslpassword, encrypted key after words", &["crt"], &["words", "key.enc"], "secret")
            .wants(CERT),
        sealed(
            "sslpassword, encrypted key before another",
            &["crt"],
            &["key.enc", "other.key"],
            "secret",
        )
        .wants(CERT),
        setup(
            "sslpassword, one file for both",
            "{cert} sslcert={H}/b sslkey={H}/b sslpassword=secret",
        )
        .copy("b", &["crt", "key.enc"])
        .wants(CERT),
        setup(
            "sslpassword in a URI",
            "postgresql://cert_user@localhost:{P}/test?\
            sslmode=require&sslcert={H}/crt&sslkey={H}/key&sslpassword=%73ecret",
        )
        .copy("crt", &["crt"])
        .copy("key", &["key.enc"])
        .wants(CERT),
        setup("sslpassword, default files", "{cert} sslpassword=secret")
            .copy(CRT, &["rsa.crt"])
            .copy(KEY, &["rsa.enc"])
            .wants(CERT),
        setup("sslpassword without a key", "{scram} sslpassword=secret")
            .wants("scram_user test tls"),
    ];
    for (certificate, key) in [
        ("crt", "key.enc"),
        ("rsa.crt", "rsa.enc"),
        ("p384.crt", "p384.enc"),
        ("ed25519.crt", "ed25519.enc"),
        ("crt", "iterated.enc"),
        ("crt", "des3.enc"),
        ("rsa.crt", "aes256.old"),
        ("rsa.crt", "aes128.old"),
        ("crt", "aes192.old"),
    ] {
        setups.push(
            setup(format!("sslpassword, {key}"), format!("{BOTH} sslpassword=secret"))
                .copy("crt", Box::leak(Box::new([certificate])))
                .copy("key", Box::leak(Box::new([key])))
                .wants(CERT),
        );
    }
    setups
}
