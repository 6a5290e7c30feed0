//! How a host, an address, a word, a list is spelt, and which of several givers counts.

use super::Content::{Directory, Link, Text};
use super::{Setup, Versions, setup};

const TLS: &str = "scram_user test tls";
const ROOT: &str = ".postgresql/root.crt";
const NO_HOST: &str =
    "port={P} dbname=test user=scram_user password=scram_user_pw connect_timeout=40";
const NO_PORT: &str = "host=localhost dbname=test user=scram_user password=scram_user_pw";

const IN_FULL: &str = "addresses are written in full";
const NAMED: &str = "a file that is named must be there";
const SNI: &str = "sslsni is 0 or 1";
const REFUSED: &str = "refused by name";

/// A host's spelling, with a root and `verify-full`.
fn verified(name: &'static str, host: &'static str) -> Setup {
    setup(format!("{name}, verify-full"), format!("{NO_HOST} sslmode=verify-full {host}"))
        .copy(ROOT, &["root"])
}

fn word(text: &'static str) -> Setup {
    setup(format!("the word {text}"), format!("{{scram}} {text}"))
}

pub fn all() -> Vec<Setup> {
    let mut all = vec![
        verified("host in capitals", "host=LOCALHOST"),
        verified("host with a dot", "host=localhost. hostaddr=127.0.0.1"),
        verified("host with a dot, no address", "host=localhost."),
        verified("host is a blank", "host=' ' hostaddr=127.0.0.1"),
        verified("host with a blank", "host='localhost ' hostaddr=127.0.0.1"),
        verified("host with a line end", "host='localhost\n' hostaddr=127.0.0.1"),
        verified("hostaddr alone", "hostaddr=127.0.0.1"),
        verified("hostaddr alone, version 6", "hostaddr=::1"),
        verified("hostaddr with a zone", "host=localhost hostaddr=::1%lo"),
        verified("hostaddr with the number of a zone", "host=localhost hostaddr=::1%1"),
        verified("hostaddr with a zone that is not there", "host=localhost hostaddr=::1%zz"),
        verified("hostaddr alone with a zone", "hostaddr=::1%lo"),
        verified("host is version 6", "host=::1"),
        verified("host is version 6 in full", "host=0:0:0:0:0:0:0:1"),
        verified("host is version 6 with a zone", "host=::1%lo"),
        verified("host is version 6 in brackets", "host=[::1]"),
        verified("host is version 4 in 6", "host=::ffff:127.0.0.1"),
        verified("host is version 4 in 6, address", "host=127.0.0.1 hostaddr=::ffff:127.0.0.1"),
        verified("host is version 4 in 6, written in hex", "host=::ffff:7f00:1"),
        verified("host is a short address", "host=127.1").differs(IN_FULL),
        verified("host is an octal address", "host=0177.0.0.1").differs(IN_FULL),
        verified("host is an address with zeros", "host=127.0.0.01").differs(IN_FULL),
        verified("host is a hex address", "host=0x7f.0.0.1").differs(IN_FULL),
        verified("host is a number", "host=2130706433").differs(IN_FULL),
        verified("host is another address of this machine", "host=127.0.0.2"),
        verified("host is any address", "host=0.0.0.0"),
        verified("host is a directory with an address", "host=/tmp hostaddr=127.0.0.1"),
        verified("host is a wildcard", "host=*.test hostaddr=127.0.0.1"),
        verified("the second host is good", "host=nowhere.invalid,localhost port={P},{P}"),
        verified("the second host has another name", "host=db.test,localhost hostaddr=127.0.0.1,127.0.0.1"),
        verified("the second address is good", "host=localhost,localhost hostaddr=127.0.0.1,127.0.0.1 port=1,{P}"),
        verified("the first is a socket that is not there", "host=/nowhere,localhost"),
        verified("the first is a socket", "host=/tmp,localhost"),
        verified("the first is empty", "host=,localhost"),
        verified("the second is empty", "host=localhost,"),
        verified("an address of one is empty", "host=localhost,localhost hostaddr=,127.0.0.1"),
        verified("a blank after the comma", "host='nowhere.invalid, localhost'"),
        verified("an address with a blank after the comma", "host=a,localhost hostaddr='127.0.0.1, 127.0.0.1'"),
        verified("the first is without TLS", "host=localhost,localhost port={Q},{P}"),
        verified("the second is without TLS", "host=db.test,localhost hostaddr=127.0.0.1,127.0.0.1 port={P},{Q}"),
        verified("ports of two for one", "host=localhost port={P},{P}"),
        verified("a port is empty", "host=localhost,localhost port=,{P}"),
        verified("port with blanks", "host=localhost port=' {P} '"),
        verified("port with a plus", "host=localhost port=+{P}"),
        verified("port with a letter", "host=localhost port={P}x"),
        verified("port is below zero", "host=localhost port=-1"),
        verified("the last of two hosts counts", "host=nowhere.invalid host=localhost"),
        verified("the last of two modes counts", "host=localhost sslmode=disable"),
        setup("wrong password at the first of two", "{to} host=localhost,localhost hostaddr=127.0.0.1,127.0.0.1 user=scram_user password=x"),
        setup("a mode that the first of two refuses", "{scram} host=a,b hostaddr=127.0.0.1,127.0.0.1 port={Q},{P} sslmode=require"),
        setup("a binding that the first of two refuses", "{scram} host=a,b hostaddr=127.0.0.1,127.0.0.1 port={Q},{P} channel_binding=require"),
        setup("a list of hosts in PGHOST and one port", NO_HOST)
            .variable("PGHOST", "nowhere.invalid,localhost").wants(TLS),
        setup("host of the string, two addresses of PGHOSTADDR", "{scram} hostaddr=''")
            .variable("PGHOSTADDR", "127.0.0.1,127.0.0.1"),
        setup("one host, PGHOSTADDR with two", format!("{NO_HOST} host=localhost"))
            .variable("PGHOSTADDR", "127.0.0.1,127.0.0.1"),
        setup("one host, PGPORT with two", NO_PORT)
            .variable("PGPORT", "{P},{P}"),
        setup("PGPORT is a word", NO_PORT)
            .variable("PGPORT", "x"),
        setup("PGPORT with blanks", NO_PORT)
            .variable("PGPORT", " {P} ").wants(TLS),
        setup("PGHOST is a blank", NO_HOST).variable("PGHOST", " "),
        setup("PGREQUIRESSL is 10", "{plain}").variable("PGREQUIRESSL", "10"),
        setup("PGREQUIRESSL is true", "{plain}").variable("PGREQUIRESSL", "true"),
        setup("PGREQUIRESSL after a blank", "{plain}").variable("PGREQUIRESSL", " 1"),
        setup("PGREQUIRESSL is empty", "{plain}").variable("PGREQUIRESSL", ""),
        setup("PGREQUIRESSL and PGSSLMODE", "{plain}").variable("PGREQUIRESSL", "1").variable("PGSSLMODE", "prefer"),
        setup("PGREQUIRESSL and an empty PGSSLMODE", "{plain}").variable("PGREQUIRESSL", "1").variable("PGSSLMODE", ""),
        setup("PGREQUIRESSL and an empty sslmode", "{plain} sslmode=''").variable("PGREQUIRESSL", "1"),
        setup("PGREQUIRESSL and requiressl=0", "{plain} requiressl=0").variable("PGREQUIRESSL", "1"),
        setup("requiressl=1", "{plain} requiressl=1"),
        setup("requiressl=1, then sslmode", "{plain} requiressl=1 sslmode=prefer"),
        setup("sslmode, then requiressl=1", "{plain} sslmode=prefer requiressl=1"),
        setup("sslmode=require, then requiressl=0", "{plain} sslmode=require requiressl=0"),
        setup("ssl=true in a URI", "postgresql://scram_user:scram_user_pw@localhost:{Q}/test?ssl=true"),
        setup("ssl=false in a URI", "postgresql://scram_user:scram_user_pw@localhost:{Q}/test?ssl=false"),
        setup("ssl=true beats PGSSLMODE", "postgresql://scram_user:scram_user_pw@localhost:{Q}/test?ssl=true")
            .variable("PGSSLMODE", "disable"),
        setup("a URI with version 6, verify-full", "postgresql://scram_user:scram_user_pw@[::1]:{P}/test?sslmode=verify-full")
            .copy(ROOT, &["root"]),
        setup("a URI with a zone", "postgresql://scram_user:scram_user_pw@[::1%25lo]:{P}/test?sslmode=require"),
        setup("a URI with two hosts", "postgresql://scram_user:scram_user_pw@nowhere.invalid:1,localhost:{P}/test?sslmode=require").wants(TLS),
        setup("a URI with an empty host", "postgresql://scram_user:scram_user_pw@:{P}/test"),
        setup("a URI with an empty password, in the file", "postgresql://scram_user:@localhost:{P}/test")
            .file(".pgpass", Text("*:*:*:*:scram_user_pw\n")).wants(TLS),
        setup("a URI with an empty password, in the variable", "postgresql://scram_user:@localhost:{P}/test")
            .variable("PGPASSWORD", "scram_user_pw"),
        setup("an empty password, in the variable", "{to} user=scram_user password=''")
            .variable("PGPASSWORD", "scram_user_pw"),
        setup("an empty password, in variable and file", "{to} user=scram_user password=''")
            .variable("PGPASSWORD", "x").file(".pgpass", Text("*:*:*:*:scram_user_pw\n")),
        setup("password is a blank", "{to} user=scram_user password=' '")
            .file(".pgpass", Text("*:*:*:*:scram_user_pw\n")),
        setup("PGPASSWORD with a blank", "{to} user=scram_user").variable("PGPASSWORD", "scram_user_pw "),
        setup("PGPASSWORD with a line end", "{to} user=scram_user").variable("PGPASSWORD", "scram_user_pw\n"),
        setup("passfile and PGPASSFILE", "{to} user=scram_user passfile={H}/a")
            .file("a", Text("*:*:*:*:scram_user_pw\n")).file("b", Text("*:*:*:*:x\n"))
            .variable("PGPASSFILE", "{H}/b").wants(TLS),
        setup("passfile is empty, PGPASSFILE", "{to} user=scram_user passfile=''")
            .file("b", Text("*:*:*:*:scram_user_pw\n")).variable("PGPASSFILE", "{H}/b"),
        setup("passfile is empty, PGPASSFILE is wrong", "{to} user=scram_user passfile=''")
            .file(".pgpass", Text("*:*:*:*:scram_user_pw\n")).file("b", Text("*:*:*:*:x\n"))
            .variable("PGPASSFILE", "{H}/b"),
        setup("sslrootcert is empty, PGSSLROOTCERT", "{scram} sslmode=verify-full sslrootcert=''")
            .variable("PGSSLROOTCERT", "{F}/root"),
        setup("sslrootcert is empty, PGSSLROOTCERT is another", "{scram} sslmode=require sslrootcert=''")
            .variable("PGSSLROOTCERT", "{F}/other"),
        setup("sslrootcert beats PGSSLROOTCERT", "{scram} sslmode=require sslrootcert={F}/root")
            .variable("PGSSLROOTCERT", "{F}/other"),
        setup("sslrootcert is a blank", "{scram} sslmode=require sslrootcert=' '").differs(NAMED).copy(ROOT, &["root"]),
        setup("sslrootcert is a blank, verify-full", "{scram} sslmode=verify-full sslrootcert=' '").copy(ROOT, &["root"]),
        setup("sslrootcert with a blank", "{scram} sslmode=verify-full sslrootcert='{F}/root '"),
        setup("sslrootcert=SYSTEM", "{scram} sslmode=require sslrootcert=SYSTEM").differs(NAMED),
        setup("sslrootcert is a file called system", "{scram} sslmode=verify-full sslrootcert=./system")
            .copy("system", &["root"]).wants(TLS),
        setup("sslrootcert through a linked directory", "{scram} sslmode=verify-full sslrootcert={H}/l/root")
            .file("l", Link("{F}")).wants(TLS),
        setup("the default directory is a link", "{scram} sslmode=verify-full")
            .copy("d/root.crt", &["root"]).file(".postgresql", Link("{H}/d")).wants(TLS),
        setup("the default directory is a link to nothing", "{scram} sslmode=require")
            .file(".postgresql", Link("{H}/none")),
        setup("the default directory is a link to itself", "{scram} sslmode=require")
            .file(".postgresql", Link("{H}/.postgresql")),
        setup("the default directory is empty", "{scram} sslmode=require").file(".postgresql", Directory).wants(TLS),
        setup("sslrootcert with a slash at the end", "{scram} sslmode=require sslrootcert={H}/r/").copy("r", &["root"]).differs(NAMED),
        setup("system roots, mode by a variable", "{scram} sslrootcert=system").only(Versions::Only18).variable("PGSSLMODE", "require"),
        setup("PGSSLROOTCERT=system, mode", "{scram} sslmode=require").only(Versions::Only18).variable("PGSSLROOTCERT", "system"),
        setup("PGSSLROOTCERT=system, PGREQUIRESSL", "{scram}").only(Versions::Only18).variable("PGSSLROOTCERT", "system").variable("PGREQUIRESSL", "1"),
        setup("system roots in an empty variable", "{scram} sslrootcert=system").only(Versions::Only18).variable("SSL_CERT_FILE", ""),
        setup("system roots in a relative file", "{scram} sslrootcert=system").copy("r", &["root"]).variable("SSL_CERT_FILE", "r").only(Versions::Only18),
        setup("system roots in a directory", "{scram} sslrootcert=system").only(Versions::Only18).file("r", Directory).variable("SSL_CERT_FILE", "{H}/r"),
        setup("system roots in garbage", "{scram} sslrootcert=system").only(Versions::Only18).copy("r", &["garbage"]).variable("SSL_CERT_FILE", "{H}/r"),
        setup("system roots in an empty file", "{scram} sslrootcert=system").only(Versions::Only18).copy("r", &["empty"]).variable("SSL_CERT_FILE", "{H}/r"),
        setup("system roots are another", "{scram} sslrootcert=system").only(Versions::Only18).variable("SSL_CERT_FILE", "{F}/other"),
        setup("binding without TLS", "{scram} sslmode=disable channel_binding=require"),
        setup("binding over the socket", format!("{NO_HOST} host=/tmp channel_binding=require")),
        setup("binding, and a method without it", "{scram} sslmode=require channel_binding=require require_auth=md5").only(Versions::Only18),
        setup("binding, and its method", "{scram} sslmode=require channel_binding=require require_auth=scram-sha-256").only(Versions::Only18).wants(TLS),
        setup("binding, and all but its method", "{scram} sslmode=require channel_binding=require require_auth=!scram-sha-256").only(Versions::Only18),
        setup("binding, and a password in clear", "{to} user=pass_user password=pass_user_pw sslmode=require channel_binding=require"),
        setup("binding, and a certificate", "{cert} sslmode=require channel_binding=require sslcert={F}/crt sslkey={H}/key").copy("key", &["key"]),
        setup("no binding, and its method", "{scram} sslmode=require channel_binding=disable require_auth=scram-sha-256").only(Versions::Only18).wants(TLS),
        setup("none allowed, and a certificate", "{cert} sslmode=require require_auth=none sslcert={F}/crt sslkey={H}/key").copy("key", &["key"]).only(Versions::Only18),
        setup("scram asked for, and a certificate", "{cert} sslmode=require require_auth=scram-sha-256 sslcert={F}/crt sslkey={H}/key").copy("key", &["key"]).only(Versions::Only18),
        setup("direct, verified", "{scram} sslmode=verify-full sslnegotiation=direct").copy(ROOT, &["root"]).only(Versions::Only18),
        setup("direct, with disable", "{scram} sslmode=disable sslnegotiation=direct").only(Versions::Only18),
        setup("direct, with prefer", "{scram} sslmode=prefer sslnegotiation=direct").only(Versions::Only18),
        setup("direct over the socket", format!("{NO_HOST} host=/tmp sslmode=require sslnegotiation=direct")).only(Versions::Only18),
        setup("direct over the socket, prefer", format!("{NO_HOST} host=/tmp sslnegotiation=direct")).only(Versions::Only18),
        setup("direct of a variable, with prefer", "{scram}").variable("PGSSLNEGOTIATION", "direct").only(Versions::Only18),
        setup("PGSSLNEGOTIATION is empty", "{scram}").variable("PGSSLNEGOTIATION", "").only(Versions::Only18),
        setup("PGSSLCERTMODE is empty", "{scram}").variable("PGSSLCERTMODE", "").only(Versions::Only18),
        setup("PGSSLCERTMODE=require, no certificate asked", "{unasking} sslmode=require").variable("PGSSLCERTMODE", "require").only(Versions::Only18),
        setup("PGSSLSNI is empty", "{scram}").differs(SNI).variable("PGSSLSNI", ""),
        setup("PGCHANNELBINDING in capitals", "{scram}").variable("PGCHANNELBINDING", "REQUIRE"),
        setup("PGTARGETSESSIONATTRS is empty", "{scram}").variable("PGTARGETSESSIONATTRS", ""),
        setup("PGLOADBALANCEHOSTS is empty", "{scram}").variable("PGLOADBALANCEHOSTS", "").only(Versions::Only18),
        setup("PGMINPROTOCOLVERSION is empty", "{scram}").variable("PGMINPROTOCOLVERSION", "").only(Versions::Only18),
        setup("PGGSSENCMODE is empty", "{scram}").variable("PGGSSENCMODE", ""),
        setup("PGREQUIREPEER is empty", "{scram}").variable("PGREQUIREPEER", ""),
        setup("PGSSLMINPROTOCOLVERSION is empty", "{scram}").variable("PGSSLMINPROTOCOLVERSION", ""),
        setup("PGSSLMAXPROTOCOLVERSION is empty", "{scram}").variable("PGSSLMAXPROTOCOLVERSION", ""),
        setup("PGSSLMINPROTOCOLVERSION is unknown", "{scram}").variable("PGSSLMINPROTOCOLVERSION", "TLSv2"),
        setup("PGSSLCOMPRESSION is empty", "{scram}").variable("PGSSLCOMPRESSION", ""),
        setup("PGSERVICEFILE is empty", "{scram}").variable("PGSERVICEFILE", ""),
        setup("PGSERVICEFILE is missing", "{scram}").variable("PGSERVICEFILE", "{H}/none"),
        setup("PGUSER with a blank", "{to} password=scram_user_pw").variable("PGUSER", "scram_user "),
        setup("user is a blank, PGUSER", "{to} user=' ' password=scram_user_pw").variable("PGUSER", "scram_user"),
        setup("user is empty, PGUSER, dbname left out", "host=localhost port={P} user='' password=scram_user_pw").variable("PGUSER", "scram_user"),
        setup("PGDATABASE is a string of its own", "host=localhost port={P} user=scram_user password=scram_user_pw")
            .variable("PGDATABASE", "dbname=test sslmode=disable"),
        setup("PGAPPNAME outside ASCII", "{scram}").variable("PGAPPNAME", "\u{fc}"),
    ];
    for text in [
        "sslmode=''",
        "sslmode=' '",
        "sslmode=' require'",
        "sslmode='require '",
        "sslmode=REQUIRE",
        "sslmode=verify_full",
        "channel_binding=''",
        "channel_binding=' require'",
        "channel_binding=on",
        "channel_binding=Require",
        "sslsni=''",
        "sslsni=' 1'",
        "sslsni=2",
        "sslsni=01",
        "sslsni=x",
        "gssencmode=''",
        "gssencmode=disable",
        "gssencmode=' disable'",
        "target_session_attrs=''",
        "target_session_attrs=' any'",
        "target_session_attrs=ANY",
        "ssl_min_protocol_version=''",
        "ssl_min_protocol_version=tlsv1.3",
        "ssl_min_protocol_version=TLSv1.3",
        "ssl_max_protocol_version=''",
        "ssl_max_protocol_version=TLSv1.3",
        "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
        "ssl_min_protocol_version=' '",
        "keepalives=''",
        "keepalives=' '",
        "keepalives=x",
        "keepalives_idle=''",
        "keepalives_idle=5s",
        "tcp_user_timeout=''",
        "tcp_user_timeout=x",
        "connect_timeout=''",
        "connect_timeout=' '",
        "connect_timeout=' 40 '",
        "connect_timeout=4e1",
        "connect_timeout=-1",
        "connect_timeout=99999999999",
        "sslcompression=''",
        "sslcompression=1",
        "sslcompression=x",
        "client_encoding=''",
        "client_encoding=auto",
        "client_encoding=' UTF8'",
        "application_name=''",
        "fallback_application_name=''",
        "options=''",
        "options=' '",
        "replication=''",
        "replication=0",
        "replication=false",
        "replication=x",
        "requirepeer=''",
        "krbsrvname=''",
        "service=''",
        "sslpassword=''",
        "sslpassword=' '",
        "sslcrl=''",
        "sslcrl=' '",
        "sslcrldir=''",
        "sslkey=' '",
        "sslcert=' '",
        "passfile=' '",
        "dbname=' '",
        "gsslib=''",
    ] {
        let setup = word(text);
        all.push(match text {
            _ if text.starts_with("sslsni=") && text != "sslsni=0" => setup.differs(SNI),
            "ssl_min_protocol_version=tlsv1.3"
            | "sslcompression=1"
            | "sslcompression=x"
            | "client_encoding=auto"
            | "sslcrl=' '" => setup.differs(REFUSED),
            _ => setup,
        });
    }
    for text in [
        "sslnegotiation=''",
        "sslnegotiation=' '",
        "sslnegotiation=DIRECT",
        "load_balance_hosts=''",
        "load_balance_hosts=' '",
        "load_balance_hosts=RANDOM",
        "require_auth=''",
        "require_auth=' '",
        "require_auth=','",
        "require_auth=scram-sha-256,",
        "require_auth='scram-sha-256, md5'",
        "require_auth=SCRAM-SHA-256",
        "require_auth=scram-sha-256,scram-sha-256",
        "require_auth=!md5,scram-sha-256",
        "require_auth=!",
        "require_auth=!!md5",
        "require_auth='! md5'",
        "require_auth=!none,!scram-sha-256",
        "require_auth=!password,!md5,!gss,!sspi,!none,!scram-sha-256",
        "require_auth=oauth",
        "require_auth=!oauth",
        "sslcertmode=''",
        "sslcertmode=REQUIRE",
        "min_protocol_version=''",
        "max_protocol_version=''",
        "min_protocol_version=3",
        "min_protocol_version=3.1",
        "max_protocol_version=3.1",
        "min_protocol_version=3.2 max_protocol_version=3.0",
        "scram_client_key=x",
        "scram_client_key=AAAA",
        // One that is not the server's, beside the right password.
        "scram_client_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "scram_server_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "scram_server_key=''",
        "sslkeylogfile=''",
        "servicefile=''",
        "oauth_issuer=''",
        "gssdelegation=''",
        "gssdelegation=0",
        "gssdelegation=x",
    ] {
        let setup = word(text).only(Versions::Only18);
        all.push(if text == "gssdelegation=x" { setup.differs(REFUSED) } else { setup });
    }
    all
}
