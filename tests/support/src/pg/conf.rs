//! What the testkit writes into a cluster's configuration files.

use super::{Cluster, Options};

/// The login roles and their methods in `pg_hba.conf`.
const ROLES: &[(&str, &str)] = &[
    ("trust_user", "trust"),
    ("pass_user", "password"),
    ("md5_user", "md5"),
    ("scram_user", "scram-sha-256"),
];

/// The testkit's part of `postgresql.conf`.
pub(super) fn settings(cluster: &Cluster) -> String {
    let Cluster { port, major, .. } = cluster;
    let socket_dir = cluster.socket_dir();
    let mut lines = format!(
        "port = {port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{}'
max_connections = 50
shared_buffers = 16MB
fsync = off
full_page_writes = off
autovacuum = off
wal_level = replica
max_wal_senders = 4
authentication_timeout = 10
timezone = 'UTC'
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %q%u@%d '
",
        socket_dir.display()
    );
    if *major >= 11 {
        lines.push_str("jit = off\n");
    }
    if let Some(certs) = &cluster.certs {
        let path = |name| certs.path(name).display().to_string();
        lines.push_str(&format!(
            "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\nssl_ca_file = '{}'\n",
            path("server.crt"),
            path("server.key"),
            path("ca.crt")
        ));
    }
    lines
}

/// `pg_hba.conf`: one method a role, the same over TCP and the UNIX socket.
pub(super) fn hba(options: &Options) -> String {
    let mut lines = options.extra_hba.join("\n");
    lines.push_str("\nlocal all,replication postgres trust\n");
    for (role, method) in ROLES {
        lines.push_str(&format!("local all {role} {method}\nhost all {role} all {method}\n"));
    }
    if options.ssl {
        lines.push_str("hostssl all cert_user all cert\n");
    }
    lines
}

/// The SQL that makes the login roles.
pub(super) fn roles() -> String {
    let mut sql = String::new();
    let cert_user = ("cert_user", "cert");
    for (role, method) in ROLES.iter().chain([&cert_user]) {
        let stored = if *method == "md5" { "md5" } else { "scram-sha-256" };
        sql.push_str(&format!("set password_encryption = '{stored}';\n"));
        sql.push_str(&format!("create role {role} login password '{role}_pw';\n"));
    }
    sql
}
