//! The stage about client certificates: what a signature of each kind of key costs a board, the stack of its
//! login, and how long it goes without a call of `Platform::idle`.

use std::time::Duration;

use barepg_testkit::pg::{Cluster, Options, StopMode};
use barepg_testkit::pki::{Spec, Workshop};
use barepg_testkit::provision::USUAL_MAJOR;

use super::boards::lint;
use super::{Checked, Context};
use crate::boards;
use crate::budgets::Budgets;
use crate::measure::{self, Plan, Server};

/// The name of the figures in `budgets.toml`.
const THING: &str = "qemu-lm3s6965-signing";

/// What the image has that is measured.
const FEATURES: [&str; 3] = ["tls", "depth", "signing"];

/// The longest that one login may run: RSA of 4096 bits is 600 million instructions, all of them counted.
const LIMIT: Duration = Duration::from_secs(180);

/// As long, in seconds, for server and board.
const PATIENCE: u32 = 170;

/// Keys by their figure.
const KEYS: [(&str, &str); 6] = [
    ("p256", "P-256"),
    ("p384", "P-384"),
    ("ed25519", "ed25519"),
    ("rsa_2048", "rsa:2048"),
    ("rsa_3072", "rsa:3072"),
    ("rsa_4096", "rsa:4096"),
];

/// Two users: the server demands a certificate of the second.
const ANYONE: &str = "scram_user";
const CERTIFIED: &str = "certified";

/// What a login was seen to cost.
struct Login {
    instructions: u64,
    stack: u64,
    unwatched: u64,
}

/// Logs in from the Cortex-M3 without a client certificate and with one of each kind. A signature is what
/// the second login takes more, with what it takes to read and send the certificate.
pub fn counted(context: &Context) -> Checked {
    let board = boards::find("qemu-lm3s6965")?;
    lint(context, board, &["--no-default-features", "--features", &FEATURES.join(",")])?;
    let image = board.build(&context.compiler, &FEATURES, false)?;
    let extra_hba =
        vec![format!("hostssl all {CERTIFIED} all scram-sha-256 clientcert=verify-full")];
    let cluster = Cluster::try_start(Options { extra_hba, ..Options::major(USUAL_MAJOR) })?;
    cluster.psql(
        "postgres",
        &format!("create role {CERTIFIED} login password '{CERTIFIED}_pw' in role {ANYONE}"),
    );
    let workshop = Workshop::new();
    workshop.make(&Spec::root("root", "/CN=Root"));
    workshop.make(&Spec::leaf("server", "root"));
    let path = |name, kind| workshop.path(name, kind).display().to_string();
    cluster.append_conf(&format!(
        "ssl_cert_file = '{}'\nssl_key_file = '{}'\nssl_ca_file = '{}'\nauthentication_timeout = {PATIENCE}",
        path("server", "crt"),
        path("server", "key"),
        path("root", "crt"),
    ))?;
    cluster.restart(StopMode::Fast);
    let login = |user: &str, files: &[(&str, &str)]| -> Result<Login, String> {
        let mut server = Server::private(&cluster, user)?.rooted(&workshop.path("root", "der"));
        server.add(&format!("connect_timeout={PATIENCE}"));
        if !files.is_empty() {
            server.add("sslcert=cert sslkey=key");
        }
        let plan = Plan { board, image: &image, server: &server, arguments: files, limit: LIMIT };
        let (outcome, costs) = measure::run(&plan, &mut |_| ())?;
        outcome.check()?;
        let counts = outcome.counts.as_ref().ok_or("nothing was counted")?;
        Ok(Login {
            instructions: costs.login_instructions.ok_or("there was no login")?,
            stack: costs.login_stack.ok_or("the stack was not measured")?,
            unwatched: *counts.unwatched.first().ok_or("there was no login")?,
        })
    };
    let without = login(ANYONE, &[])?;
    let mut figures = vec![("without_instructions".to_string(), without.instructions)];
    for (figure, key) in KEYS {
        let subject = format!("/CN={CERTIFIED}");
        workshop.make(&Spec {
            subject: &subject,
            key,
            extensions: CLIENT,
            ..Spec::leaf(figure, "root")
        });
        let out = format!("{figure}.p8");
        workshop
            .openssl(&format!("pkcs8 -topk8 -nocrypt -in {figure}.key -outform DER -out {out}"));
        let (certificate, key) = (path(figure, "der"), path(figure, "p8"));
        let with = login(CERTIFIED, &[("cert", &certificate), ("key", &key)])
            .map_err(|error| format!("{figure}: {error}"))?;
        let signature = with.instructions.saturating_sub(without.instructions);
        figures.push((format!("{figure}_signature"), signature));
        figures.push((format!("{figure}_login_stack"), with.stack));
        figures.push((format!("{figure}_unwatched"), with.unwatched));
    }
    Budgets::read()?.print_and_compare(THING, &figures)
}

const CLIENT: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=clientAuth";
