//! Users, hosts, and what the environment says of both.

use super::{Setup, Versions, setup};

const TLS: &str = "scram_user test tls";
const PLAIN: &str = "scram_user test plain";
const REFUSED: &str = "refused by name";

pub fn all() -> Vec<Setup> {
    vec![
        setup("no user", "{to} password=x"),
        setup("user is empty", "{to} user='' password=scram_user_pw"),
        setup("user is empty, PGUSER", "{to} user='' password=scram_user_pw")
            .variable("PGUSER", "scram_user"),
        setup("PGUSER", "{to} password=scram_user_pw").variable("PGUSER", "scram_user").wants(TLS),
        setup("PGUSER is empty", "{to} password=scram_user_pw").variable("PGUSER", ""),
        setup("user is empty, the system's", "host=/tmp port={P} dbname=test user=''"),
        setup("PGUSER is empty, the system's", "host=/tmp port={P} dbname=test")
            .variable("PGUSER", ""),
        setup(
            "user is empty beside PGUSER, the system's",
            "host=/tmp port={P} dbname=test user=''",
        )
        .variable("PGUSER", "scram_user"),
        setup("PGDATABASE", "host=localhost port={P} user=scram_user password=scram_user_pw")
            .variable("PGDATABASE", "test")
            .wants(TLS),
        setup(
            "PGDATABASE is empty",
            "host=localhost port={P} user=scram_user password=scram_user_pw",
        )
        .variable("PGDATABASE", ""),
        setup("dbname is empty, PGDATABASE", "{scram} dbname=''").variable("PGDATABASE", "test"),
        setup("everything from variables", "")
            .variable("PGHOST", "localhost")
            .variable("PGPORT", "{P}")
            .variable("PGUSER", "scram_user")
            .variable("PGPASSWORD", "scram_user_pw")
            .variable("PGDATABASE", "test")
            .variable("PGSSLMODE", "require")
            .wants(TLS),
        setup(
            "PGHOSTADDR",
            "host=db.test port={P} user=scram_user password=scram_user_pw dbname=test",
        )
        .variable("PGHOSTADDR", "127.0.0.1")
        .wants(TLS),
        setup(
            "PGHOSTADDR is empty",
            "host=localhost port={P} user=scram_user password=scram_user_pw dbname=test",
        )
        .variable("PGHOSTADDR", "")
        .wants(TLS),
        setup("PGHOST is empty", "port={P} user=scram_user password=scram_user_pw dbname=test")
            .variable("PGHOST", "")
            .wants(PLAIN),
        setup("PGPORT is empty", "host=/tmp user=scram_user").variable("PGPORT", ""),
        setup(
            "hostaddr is a name",
            "hostaddr=localhost port={P} dbname=test user=scram_user password=scram_user_pw",
        )
        .says("hostaddr"),
        setup("hostaddr is a name beside a host", "{scram} hostaddr=localhost"),
        setup("hostaddr is a directory", "{scram} hostaddr=/tmp"),
        setup("hostaddr is an abbreviation", "{scram} hostaddr=127.1")
            .differs("addresses are written in full"),
        setup("hostaddr is a number", "{scram} hostaddr=2130706433")
            .differs("addresses are written in full"),
        setup("hostaddr has blanks", "{scram} hostaddr=' 127.0.0.1'"),
        setup("hostaddr in brackets", "{scram} hostaddr=[::1]"),
        setup("the second hostaddr is a name", "{scram} host=a,b hostaddr=127.0.0.1,localhost")
            .wants(TLS),
        setup("host is a directory, hostaddr counts", "{scram} host=/x sslmode=verify-full"),
        setup(
            "host is a directory, hostaddr counts, with a root",
            "{scram} host=/x sslmode=verify-full",
        )
        .copy(".postgresql/root.crt", &["root"]),
        setup("host is a directory, hostaddr counts, require", "{scram} host=/x sslmode=require")
            .wants(TLS),
        setup("host is abstract, hostaddr counts", "{scram} host=@x sslmode=require").wants(TLS),
        setup("host is abstract", "host=@barepg-nothing port={P} user=scram_user dbname=test"),
        setup("host is empty, verify-full", "{scram} host='' sslmode=verify-full")
            .copy(".postgresql/root.crt", &["root"]),
        setup("host is an address, verify-full", "{scram} host=127.0.0.1 sslmode=verify-full")
            .copy(".postgresql/root.crt", &["root"])
            .wants(TLS),
        setup("cleartext password", "{to} user=pass_user password=pass_user_pw sslmode=require")
            .differs("passwords in clear need a verified server, or require_auth"),
        setup(
            "cleartext password, host is a directory",
            "{to} host=/x user=pass_user password=pass_user_pw sslmode=disable",
        )
        .differs("passwords in clear need a verified server, or require_auth"),
        setup(
            "cleartext password, verified",
            "{to} user=pass_user password=pass_user_pw sslmode=verify-full",
        )
        .copy(".postgresql/root.crt", &["root"])
        .wants("pass_user test tls"),
        setup(
            "cleartext password, UNIX socket",
            "host=/tmp port={P} dbname=test user=pass_user password=pass_user_pw",
        )
        .wants("pass_user test plain"),
        setup("PGSSLMODE", "{scram}").variable("PGSSLMODE", "disable").wants(PLAIN),
        setup("PGSSLMODE is empty", "{scram}").variable("PGSSLMODE", ""),
        setup("PGSSLMODE is unknown", "{scram}").variable("PGSSLMODE", "on"),
        setup("PGSSLMODE=verify-full without a root", "{scram}")
            .variable("PGSSLMODE", "verify-full"),
        setup("sslmode beats PGSSLMODE", "{scram} sslmode=disable")
            .variable("PGSSLMODE", "verify-full")
            .wants(PLAIN),
        setup("PGREQUIRESSL", "{plain}").variable("PGREQUIRESSL", "1"),
        setup("PGREQUIRESSL is 0", "{plain}").variable("PGREQUIRESSL", "0").wants(PLAIN),
        setup("sslmode beats PGREQUIRESSL", "{plain} sslmode=prefer")
            .variable("PGREQUIRESSL", "1")
            .wants(PLAIN),
        setup("PGREQUIREAUTH", "{scram}").variable("PGREQUIREAUTH", "md5").only(Versions::Only18),
        setup("PGREQUIREAUTH is empty", "{scram}")
            .variable("PGREQUIREAUTH", "")
            .only(Versions::Only18),
        setup("PGCHANNELBINDING", "{scram}").variable("PGCHANNELBINDING", "require").wants(TLS),
        setup("PGCHANNELBINDING without TLS", "{plain}").variable("PGCHANNELBINDING", "require"),
        setup("PGCHANNELBINDING is empty", "{scram}").variable("PGCHANNELBINDING", ""),
        setup("PGSSLNEGOTIATION", "{scram} sslmode=require")
            .variable("PGSSLNEGOTIATION", "direct")
            .only(Versions::Only18),
        setup("PGSSLSNI", "{scram}").variable("PGSSLSNI", "0").wants(TLS),
        setup("PGOPTIONS", "{scram}").variable("PGOPTIONS", "-c no_such=1"),
        setup("PGOPTIONS is empty", "{scram}").variable("PGOPTIONS", "").wants(TLS),
        setup("PGAPPNAME is empty", "{scram}").variable("PGAPPNAME", "").wants(TLS),
        setup(
            "PGCONNECT_TIMEOUT is empty",
            "host=localhost port={P} dbname=test user=scram_user password=scram_user_pw",
        )
        .variable("PGCONNECT_TIMEOUT", ""),
        setup("PGSERVICE", "{scram}").variable("PGSERVICE", "x"),
        setup("PGSERVICE is empty", "{scram}").variable("PGSERVICE", ""),
        setup("PGGSSENCMODE", "{scram}").variable("PGGSSENCMODE", "require"),
        setup("PGTARGETSESSIONATTRS", "{scram}").variable("PGTARGETSESSIONATTRS", "read-only"),
        setup("PGCLIENTENCODING", "{scram}")
            .variable("PGCLIENTENCODING", "LATIN1")
            .differs(REFUSED),
        setup("PGCLIENTENCODING is empty", "{scram}").variable("PGCLIENTENCODING", "").wants(TLS),
        setup("PGSSLMINPROTOCOLVERSION", "{scram}")
            .variable("PGSSLMINPROTOCOLVERSION", "TLSv1.3")
            .wants(TLS),
        setup("PGSSLMAXPROTOCOLVERSION", "{scram} sslmode=require")
            .variable("PGSSLMAXPROTOCOLVERSION", "TLSv1.2")
            .differs(REFUSED),
        setup("PGREQUIREPEER", "{scram}").variable("PGREQUIREPEER", "nobody").differs(REFUSED),
        setup(
            "PGREQUIREPEER of another",
            "host=/tmp port={P} dbname=test user=scram_user password=scram_user_pw",
        )
        .variable("PGREQUIREPEER", "nobody"),
        setup("PGKRBSRVNAME", "{scram}").variable("PGKRBSRVNAME", "x").wants(TLS),
        setup("scram keys are empty", "{scram} scram_client_key='' scram_server_key=''")
            .only(Versions::Only18),
    ]
}
