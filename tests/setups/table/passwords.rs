//! The password file.

use super::Content::{self, Bytes, Copy, Directory, Fifo, Link, Text};
use super::{Setup, Versions, setup};

const PASS: &str = ".pgpass";
const OK: &str = "scram_user test tls";
const TO: &str = "{to} user=scram_user";
const LINE: &str = "localhost:{P}:test:scram_user:scram_user_pw\n";

/// A password file with this text.
fn text(name: &str, text: &'static str) -> Setup {
    setup(name, TO).file(PASS, Text(text))
}

fn file(name: &str, content: Content) -> Setup {
    setup(name, TO).file(PASS, content)
}

pub fn all() -> Vec<Setup> {
    vec![
        setup("no password file", TO).says("password"),
        text("password file", LINE).wants(OK),
        text("wildcards", "*:*:*:*:scram_user_pw\n").wants(OK),
        text("no line end", "*:*:*:*:scram_user_pw").wants(OK),
        text("CR LF", "*:*:*:*:scram_user_pw\r\n").wants(OK),
        text("two CR", "*:*:*:*:scram_user_pw\r\r\n").wants(OK),
        text("blank lines and comments", "\n# *:*:*:*:x\n\n#\n*:*:*:*:scram_user_pw\n").wants(OK),
        text("a comment after a blank", " # x\n*:*:*:*:scram_user_pw\n").wants(OK),
        text("a line of another", "*:*:*:u:x\nh:*:*:*:x\n*:1:*:*:x\n*:*:d:*:x\n*:*:*:*:scram_user_pw\n")
            .wants(OK),
        text("the first line that fits decides", "*:*:*:*:x\n*:*:*:*:scram_user_pw\n"),
        text("the first line has no password", "*:*:*:*:\n*:*:*:*:scram_user_pw\n"),
        text("a line of four fields", "*:*:*:*\n*:*:*:*:scram_user_pw\n").wants(OK),
        text("a sixth field", "*:*:*:*:scram_user_pw:more\n").wants(OK),
        text("a blank after the password", "*:*:*:*:scram_user_pw \n"),
        text("a blank before the line", " *:*:*:*:scram_user_pw\n"),
        text("escapes", "local\\host:{P}:te\\st:scram\\_user:scram\\_user\\_pw\n").wants(OK),
        text("a backslash at the end", "*:*:*:*:scram_user_pw\\\n"),
        text("a star and more", "*t:*:*:*:scram_user_pw\n"),
        text("a star that is escaped", "\\*:*:*:*:scram_user_pw\n"),
        text("an empty field", ":*:*:*:scram_user_pw\n"),
        text("part of the host", "local:*:*:*:scram_user_pw\n"),
        text("more than the host", "localhosts:*:*:*:scram_user_pw\n"),
        text("case of the host", "LOCALHOST:*:*:*:scram_user_pw\n"),
        text("hostaddr in place of host", "127.0.0.1:*:*:*:scram_user_pw\n"),
        setup("hostaddr alone", "hostaddr=127.0.0.1 port={P} dbname=test user=scram_user")
            .file(PASS, Text("127.0.0.1:*:*:*:scram_user_pw\n"))
            .wants(OK),
        setup("hostaddr alone, by the name of localhost", "hostaddr=127.0.0.1 port={P} dbname=test user=scram_user")
            .file(PASS, Text(LINE)),
        setup("a host with colons", format!("{TO} host=::1"))
            .file(PASS, Text("::1:{P}:*:scram_user:scram_user_pw\n"))
            .wants(OK),
        setup("a host with colons, escaped", format!("{TO} host=::1"))
            .file(PASS, Text("\\:\\:1:{P}:*:scram_user:scram_user_pw\n"))
            .wants(OK),
        setup("a host with colons, all escaped but one", format!("{TO} host=::1"))
            .file(PASS, Text(":\\:1:*:*:*:scram_user_pw\n"))
            .wants(OK),
        setup("a host that ends with a colon", format!("{TO} host=x:"))
            .file(PASS, Text("x::*:*:*:scram_user_pw\n"))
            .wants(OK),
        setup("a host that begins as the line's", format!("{TO} host=x:y"))
            .file(PASS, Text("x:*:*:*:scram_user_pw\n")),
        setup("a host with a backslash", format!("{TO} host='x\\\\\\\\y'"))
            .file(PASS, Text("x\\\\y:*:*:*:scram_user_pw\n")),
        setup("a host called star", format!("{TO} host=*"))
            .file(PASS, Text("\\*:*:*:*:scram_user_pw\n"))
            .wants(OK),
        setup("no host", "host='' port={P} dbname=test user=scram_user")
            .file(PASS, Text(LINE))
            .wants("scram_user test plain"),
        setup("a UNIX socket by its directory", "host=/tmp/ port={P} dbname=test user=scram_user")
            .file(PASS, Text("/tmp/:*:*:*:scram_user_pw\n"))
            .wants("scram_user test plain"),
        setup("a UNIX socket by the name of localhost", "host=/tmp/ port={P} dbname=test user=scram_user")
            .file(PASS, Text(LINE)),
        // Where the socket is when no host is given was decided when libpq was built: here as for Debian.
        setup("a UNIX socket in /tmp", "host=/tmp port={P} dbname=test user=scram_user")
            .file(PASS, Text("/tmp:*:*:*:scram_user_pw\n"))
            .only(Versions::Only15)
            .wants("scram_user test plain"),
        setup("a UNIX socket in /tmp by the name of localhost", "host=/tmp port={P} dbname=test user=scram_user")
            .only(Versions::Only15)
            .file(PASS, Text(LINE)),
        setup("the usual directory by the name of localhost", "host=/var/run/postgresql port={P} dbname=test user=scram_user")
            .file(PASS, Text(LINE))
            .only(Versions::Only15)
            .wants("scram_user test plain"),
        setup("no host, a socket in /tmp alone", "port={Q} dbname=test user=scram_user")
            .only(Versions::Only15)
            .file(PASS, Text("*:*:*:*:scram_user_pw\n")),
        setup("a socket in /tmp alone", "host=/tmp port={Q} dbname=test user=scram_user")
            .file(PASS, Text("*:*:*:*:scram_user_pw\n"))
            .wants("scram_user test plain"),
        setup("no database but the user's", "host=localhost port={P} user=scram_user")
            .file(PASS, Text("*:*:test:*:x\n*:*:scram_user:*:scram_user_pw\n")),
        setup("an empty dbname", "host=localhost port={P} dbname='' user=scram_user")
            .file(PASS, Text("*:*:scram_user:*:x\n")),
        setup("the password of the string wins", "{scram}")
            .file(PASS, Text("*:*:*:*:x\n"))
            .wants(OK),
        setup("the password of the string is wrong", format!("{TO} password=x"))
            .file(PASS, Text(LINE)),
        setup("the password of the string is empty", format!("{TO} password=''"))
            .file(PASS, Text(LINE))
            .wants(OK),
        text("PGPASSWORD wins", "*:*:*:*:x\n").variable("PGPASSWORD", "scram_user_pw").wants(OK),
        text("PGPASSWORD is wrong", LINE).variable("PGPASSWORD", "x"),
        text("PGPASSWORD is empty", LINE).variable("PGPASSWORD", "").wants(OK),
        setup("passfile", format!("{TO} passfile={{H}}/p")).file("p", Text(LINE)).wants(OK),
        setup("passfile beats the default", format!("{TO} passfile={{H}}/p"))
            .file("p", Text(LINE))
            .file(PASS, Text("*:*:*:*:x\n"))
            .wants(OK),
        setup("passfile is missing", format!("{TO} passfile={{H}}/p")).file(PASS, Text(LINE)),
        setup("passfile is empty", format!("{TO} passfile=''")).file(PASS, Text(LINE)).wants(OK),
        setup("PGPASSFILE", TO).variable("PGPASSFILE", "{H}/p").file("p", Text(LINE)).wants(OK),
        text("PGPASSFILE is empty", LINE).variable("PGPASSFILE", "").wants(OK),
        text("PGPASSFILE is missing", LINE).variable("PGPASSFILE", "{H}/p"),
        text("no home for the password", LINE).variable("HOME", "-"),
        text("empty home for the password", LINE).variable("HOME", ""),
        file("password file is a directory", Directory),
        file("password file is a FIFO", Fifo),
        file("password file is empty", Copy(&["empty"])),
        file("password file is garbage", Copy(&["garbage"])),
        file("password file is a link", Link("real")).file("real", Text(LINE)).wants(OK),
        file("password file is a link to nothing", Link("real")),
        text("password file cannot be read", LINE).mode(PASS, 0),
        text("password file with mode 640", LINE).mode(PASS, 0o640).says("0600"),
        text("password file with mode 604", LINE).mode(PASS, 0o604),
        text("password file with mode 620", LINE).mode(PASS, 0o620),
        text("password file with mode 610", LINE).mode(PASS, 0o610),
        text("password file with mode 400", LINE).mode(PASS, 0o400).wants(OK),
        text("password file with mode 700", LINE).mode(PASS, 0o700).wants(OK),
        text("password file owned by root", LINE).owned_by_root(PASS),
        file("80 kB before the line", Copy(&["filler", "anyone"])).wants(OK),
        file("a long line before the line", Copy(&["long", "blank", "anyone"])).wants(OK),
        file("a long line that would fit", Copy(&["wide", "blank", "anyone"])),
        file("a NUL in another line", Bytes(b"x\0y\n*:*:*:*:scram_user_pw\n")),
        file("a NUL in the password", Bytes(b"*:*:*:*:scram_user_pw\0\n")),
        file("a password that is not UTF-8", Bytes(b"*:*:*:*:\xff\xfe\n")).says("UTF-8"),
        setup("the port with a zero", "host=localhost port=0{P} dbname=test user=scram_user")
            .file(PASS, Text(LINE)),
        setup("the port with a zero, and so in the file", "host=localhost port=0{P} dbname=test user=scram_user")
            .file(PASS, Text("*:0{P}:*:*:scram_user_pw\n"))
            .wants(OK),
        setup(
            "a password for each host",
            "host=nowhere,localhost hostaddr=127.0.0.1,127.0.0.1 port=1,{P} dbname=test user=scram_user",
        )
        .file(PASS, Text("nowhere:*:*:*:x\nlocalhost:*:*:*:scram_user_pw\n"))
        .wants(OK),
    ]
}
