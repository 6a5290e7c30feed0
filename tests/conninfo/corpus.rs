//! Connection strings by the thousand: ordinary ones, strange ones, damaged ones.

/// A small repeatable source of choices (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const KEYWORDS: &[(&str, &[&str])] = &[
    ("user", TEXT),
    ("password", TEXT),
    ("dbname", TEXT),
    ("options", &["-c a=b", "-c statement_timeout=5s", "endpoint=ep-x-1", ""]),
    ("application_name", TEXT),
    ("fallback_application_name", TEXT),
    ("host", HOSTS),
    ("hostaddr", &["127.0.0.1", "::1", "10.0.0.1,10.0.0.2", "", ","]),
    (
        "port",
        &["5432", "1", "65535", "0", "65536", "x", "5432,5433", "", ",", " 7 ", "+8", "1,2,3"],
    ),
    ("connect_timeout", NUMBERS),
    ("keepalives", NUMBERS),
    ("keepalives_idle", NUMBERS),
    ("keepalives_interval", NUMBERS),
    ("keepalives_count", NUMBERS),
    ("tcp_user_timeout", NUMBERS),
    ("client_encoding", &["UTF8", "utf-8", "Unicode", "LATIN1", "auto", ""]),
    (
        "sslmode",
        &["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "", "Require", "on"],
    ),
    ("sslnegotiation", &["postgres", "direct", "", "x"]),
    ("sslcert", TEXT),
    ("sslkey", TEXT),
    ("sslrootcert", &["root.crt", "system", "/a b/c", ""]),
    ("sslsni", &["0", "1", "yes"]),
    ("channel_binding", &["disable", "prefer", "require", "", "no"]),
    (
        "require_auth",
        &[
            "scram-sha-256",
            "md5,password",
            "!none",
            "!md5,!password",
            "none",
            "md5,!none",
            "md5,md5",
            "gss",
            "sspi,none",
            "oauth",
            "",
            ",",
            "x",
            "MD5",
        ],
    ),
    ("min_protocol_version", VERSIONS),
    ("max_protocol_version", VERSIONS),
    ("scram_client_key", KEYS),
    ("scram_server_key", KEYS),
    (
        "target_session_attrs",
        &["any", "read-write", "read-only", "primary", "standby", "prefer-standby", "", "master"],
    ),
    ("load_balance_hosts", &["disable", "random", "", "1"]),
    ("passfile", TEXT),
    ("requiressl", &["1", "0", ""]),
];

const RARE: &[&str] = &[
    "service",
    "sslcompression",
    "sslcrl",
    "gssencmode",
    "krbsrvname",
    "replication",
    "tty",
    "authtype",
    "User",
    "usr",
    "oauth_issuer",
    "sslpassword",
    "ssl",
    "é",
    "user name",
];

const TEXT: &[&str] = &[
    "a",
    "test",
    "postgres",
    "x y",
    "it's",
    r"back\slash",
    "",
    "=",
    "a=b",
    "ключ",
    "päss",
    "%41",
    "100%",
    " lead",
    "trail ",
    "tab\tnl\n",
    "'",
    r"\",
    "a,b",
    "@",
    ":/?#[]@!$&()*+,;=",
    "\u{a0}",
    "$uper'\\'\"",
];
const HOSTS: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "::1",
    "a,b",
    "a,,c",
    "/tmp",
    "/run/postgresql,db",
    "@abstract",
    "db.example.com",
    "",
    ",",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "10",
    "-1",
    " 5 ",
    "+3",
    "2147483647",
    "2147483648",
    "",
    "1s",
    "0x10",
    "007",
    "\t2",
];
const VERSIONS: &[&str] = &["3.0", "3.2", "latest", "3.1", "3", ""];
const KEYS: &[&str] = &[
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "/////////////////////////////////////////+8=",
    "AAEC",
    "not base64",
    "",
];

/// `keyword=value` pairs.
pub fn pairs(dice: &mut Dice) -> String {
    let mut text = blanks(dice, 0);
    for _ in 0..dice.below(6) {
        let (keyword, value) = pair(dice);
        text.push_str(keyword);
        text.push_str(&blanks(dice, 0));
        text.push('=');
        text.push_str(&blanks(dice, 0));
        text.push_str(&quoted(dice, value));
        // Between two pairs libpq asks for a blank only where the value is not quoted.
        text.push_str(&blanks(dice, if dice.0 & 7 == 0 { 0 } else { 1 }));
    }
    text
}

/// URIs.
pub fn uri(dice: &mut Dice) -> String {
    let mut text = String::from(dice.of(&["postgresql://", "postgres://"]));
    if dice.one_in(2) {
        let user = dice.of(TEXT);
        text.push_str(&encoded(dice, user));
        if dice.one_in(2) {
            text.push(':');
            let password = dice.of(TEXT);
            text.push_str(&encoded(dice, password));
        }
        text.push('@');
    }
    for n in 0..[0, 1, 1, 1, 1, 2, 3][dice.below(7)] {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&match dice.below(5) {
            0 => String::from(dice.of(&["[::1]", "[fe80::1%25eth0]", "[2001:db8::7]", "[]", "[x"])),
            1 => encoded(dice, "/var/run/postgresql"),
            _ => {
                let host = dice.of(HOSTS);
                encoded(dice, host)
            }
        });
        if dice.one_in(2) {
            text.push(':');
            text.push_str(dice.of(&["5432", "5433", "1", "", "%31", "x", "70000"]));
        }
    }
    if dice.one_in(2) {
        text.push('/');
        if !dice.one_in(3) {
            let name = dice.of(TEXT);
            text.push_str(&encoded(dice, name));
        }
    }
    for n in 0..[0, 0, 1, 2, 3][dice.below(5)] {
        text.push(if n == 0 { '?' } else { '&' });
        let (keyword, value) = pair(dice);
        match dice.below(8) {
            0 => text.push_str(dice.of(&["ssl=true", "ssl=1", "ssl=false", "a", "=", "user=a=b"])),
            _ => {
                text.push_str(keyword);
                text.push('=');
                text.push_str(&encoded(dice, value));
            }
        }
    }
    text
}

/// Strings of either form with one to three characters put in, taken out or replaced.
pub fn damaged(dice: &mut Dice) -> String {
    let text = if dice.one_in(2) { pairs(dice) } else { uri(dice) };
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(3) {
        let any =
            dice.of(&["'", "\\", "=", "%", "&", "?", "/", ":", "@", "[", "]", ",", " ", "\t"]);
        let any = any.chars().next().unwrap_or(' ');
        let at = dice.below(chars.len() + 1);
        match dice.below(3) {
            0 => chars.insert(at, any),
            1 if at < chars.len() => chars[at] = any,
            _ if at < chars.len() => drop(chars.remove(at)),
            _ => {}
        }
    }
    chars.into_iter().collect()
}

fn pair(dice: &mut Dice) -> (&'static str, &'static str) {
    if dice.one_in(40) {
        return (dice.of(RARE), dice.of(&["", "0", "1", "disable", "x", "true"]));
    }
    let (keyword, values) = KEYWORDS[dice.below(KEYWORDS.len())];
    // The first values of each list are good; most strings are to mean something.
    let value = if dice.one_in(4) { dice.of(values) } else { values[dice.below(2)] };
    (keyword, value)
}

fn blanks(dice: &mut Dice, least: usize) -> String {
    let more = if dice.one_in(4) { dice.below(3) } else { 0 };
    (0..least + more).map(|_| dice.of(&[" ", " ", " ", "\t", "\n", "\r", "\x0b", "\x0c"])).collect()
}

/// A value as a careful or a careless person writes it.
fn quoted(dice: &mut Dice, value: &str) -> String {
    let escape = |value: &str, also: &str| -> String {
        let special = |c| c == '\'' || c == '\\' || also.contains(c);
        value.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
    };
    match dice.below(10) {
        0 => String::from(value),
        1 => format!("'{value}'"),
        2..6 => escape(value, " \t\n"),
        _ => format!("'{}'", escape(value, "")),
    }
}

fn encoded(dice: &mut Dice, value: &str) -> String {
    let careless = dice.one_in(12);
    let eager = dice.one_in(4);
    let upper = dice.one_in(2);
    let mut text = String::new();
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte);
        if (plain && !(eager && dice.one_in(3))) || (careless && byte.is_ascii()) {
            text.push(char::from(byte));
        } else if upper {
            text.push_str(&format!("%{byte:02X}"));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    if dice.one_in(30) {
        text.push_str(dice.of(&["%", "%4", "%zz", "%00", "%ff", " ", "%20", "\t"]));
    }
    text
}
