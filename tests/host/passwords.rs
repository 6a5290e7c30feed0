//! Passwords outside ASCII: what the server hashed when they were set is what the driver hashes when
//! they are used.

use barepg::ErrorKind;
use barepg::host::Host;
use barepg_testkit::pg::{Cluster, Options};

/// Texts of every kind that SASLprep treats in its own way, and plain ones of many scripts.
fn passwords() -> Vec<String> {
    let mut texts: Vec<String> = [
        "secret",
        "a b",
        "tab\there",
        "Zoë",
        "Müller",
        "÷×",
        "ÀÿÐþ",
        "пароль",
        "密码",
        "パスワード",
        "암호",
        "πάσσωορδ",
        "mật khẩu",
        "sifra\u{161}",
        "I\u{ad}X",
        "\u{aa}",
        "\u{2168}",
        "e\u{301}",
        "\u{e9}",
        "e\u{301}\u{327}",
        "e\u{327}\u{301}",
        "ﬁn",
        "\u{fb03}",
        "ｆｕｌｌ",
        "\u{fdfa}",
        "\u{1100}\u{1161}\u{11a8}",
        "\u{212b}",
        "\u{2126}",
        "\u{0340}a",
        "\u{0344}",
        "a\u{200b}b",
        "a\u{200d}b",
        "\u{fe0f}x",
        "a\u{1806}b",
        "a\u{2060}b",
        "a\u{feff}b",
        "a\u{a0}b",
        "a\u{3000}b",
        "a\u{1680}b",
        "a\u{2003}b",
        "a\u{202f}b",
        "a\u{205f}b",
        "\u{7f}",
        "\u{80}x",
        "\u{85}x",
        "\u{6dd}",
        "\u{70f}",
        "a\u{180e}b",
        "a\u{200e}b",
        "a\u{2028}b",
        "\u{e000}",
        "\u{f0000}",
        "\u{fdd0}",
        "\u{1fffe}",
        "\u{fff9}x",
        "\u{fffd}",
        "\u{2ff0}",
        "\u{341}",
        "\u{202a}x",
        "\u{206a}x",
        "\u{e0001}",
        "\u{e0041}",
        "\u{1d173}",
        "שלום",
        "שלום1",
        "1שלום",
        "שלוםx",
        "سلام",
        "سلام1",
        "\u{627}1\u{628}",
        "\u{627}a\u{628}",
        "\u{627}\u{aa}",
        "\u{5be}",
        "\u{fb1d}",
        "\u{fefb}",
        "\u{221}",
        "\u{234}",
        "\u{3a2}",
        "\u{10400}",
        "\u{1d400}",
        "\u{1f600}",
        "\u{1f9d1}\u{200d}\u{1f680}",
        "\u{20ac}",
        "\u{20b9}",
        "\u{1e9e}",
        "\u{a7b5}",
        "\u{1d7ce}",
        "\u{ad}",
        "\u{ad}\u{200b}",
        "x\u{338}",
        "<\u{338}",
        "\u{f900}",
        "\u{2f800}",
        "\u{2f868}",
        "\u{31350}",
        "\u{0f43}",
        "\u{0958}",
        "\u{1b06}",
        "\u{2474}",
        "\u{32c0}",
        "\u{33ff}",
        "\u{ff21}\u{ff9e}",
        "\u{3099}",
        "か\u{3099}",
        "\u{0}",
        "'quote\"",
        "back\\slash",
        "  blanks  ",
        "%41",
        "{}",
        "=,",
        "\u{10ffff}",
        "\u{10fffd}",
    ]
    .map(String::from)
    .into();
    texts.retain(|text| !text.contains('\0'));
    texts
}

#[test]
fn every_password_logs_in_that_the_server_took() {
    let texts = passwords();
    assert!(texts.len() > 100, "{}", texts.len());
    for major in [15, 18] {
        let cluster = Cluster::start(Options {
            extra_hba: vec![String::from("host all all 127.0.0.1/32 scram-sha-256")],
            ssl: false,
            ..Options::major(major)
        });
        let mut sql = String::from("set password_encryption = 'scram-sha-256';\n");
        for (n, text) in texts.iter().enumerate() {
            let literal: String =
                text.chars().map(|c| format!("\\+{:06X}", u32::from(c))).collect();
            sql.push_str(&format!("create role p{n} login password U&'{literal}';\n"));
        }
        cluster.psql("test", &sql);
        let mut host = Host::new();
        let mut wrong = Vec::new();
        for (n, text) in texts.iter().enumerate() {
            let port = cluster.port();
            let quoted = text.replace('\\', "\\\\").replace('\'', "\\'");
            let conninfo =
                format!("host=127.0.0.1 port={port} dbname=test user=p{n} password='{quoted}'");
            let mut client = host.client(&conninfo).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            if let Err(error) = client.connect() {
                wrong.push(format!("{text:?}: {error}"));
            }
        }
        assert!(wrong.is_empty(), "PostgreSQL {major}: {}", wrong.join("\n"));
        // The other way round: declared prepared, what is not is hashed as it is.
        let n = texts.iter().position(|text| text == "\u{2168}").expect("it is in the list");
        for (password, prepared, good) in
            [("\u{2168}", 0, true), ("\u{2168}", 1, false), ("IX", 1, true), ("IX", 0, true)]
        {
            let conninfo = format!(
                "host=127.0.0.1 port={} dbname=test user=p{n} password={password} \
                 password_prepared={prepared}",
                cluster.port()
            );
            let mut client = host.client(&conninfo).unwrap();
            let result = client.connect().map(|_| ());
            assert_eq!(result.is_ok(), good, "{conninfo}: {result:?}");
        }
    }
}

/// What no test above would notice: that a wrong password is refused.
#[test]
fn another_password_is_refused() {
    let cluster = Cluster::start(Options {
        extra_hba: vec![String::from("host all all 127.0.0.1/32 scram-sha-256")],
        ssl: false,
        ..Options::major(15)
    });
    cluster.psql("test", "create role p login password 'пароль'");
    let mut host = Host::new();
    let conninfo =
        format!("host=127.0.0.1 port={} dbname=test user=p password=пароли", cluster.port());
    let error = host.client(&conninfo).unwrap().connect().map(|_| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error}");
}
