//! The stage about the watchdog: certificates that are expensive to check are no reason for a board to
//! go without a call of `Platform::idle` for long.

use std::time::Duration;

use barepg_testkit::pg::{Cluster, Options, StopMode};
use barepg_testkit::pki::{Spec, Workshop};
use barepg_testkit::provision::USUAL_MAJOR;

use super::{Checked, Context};
use crate::boards;
use crate::budgets::Budgets;
use crate::measure::{self, Plan, Server};

/// The name of the figures in `budgets.toml`.
const THING: &str = "qemu-lm3s6965-watched";

/// A login with a chain of P-384 is some 500 million instructions, all of them counted.
const LIMIT: Duration = Duration::from_secs(180);

/// Chains by their figure, key and signature: a leaf below an intermediate and a root, all three of
/// the same kind.
const CHAINS: [(&str, &str, &str); 2] =
    [("unwatched_p384", "P-384", "-sha384"), ("unwatched_rsa_4096", "rsa:4096", "-sha256")];

/// Logs in from the Cortex-M3 over TLS and counts the instructions between calls of
/// `Platform::idle`.
pub fn watched(context: &Context) -> Checked {
    let board = boards::find("qemu-lm3s6965")?;
    let image = board.build(&context.compiler, &["tls", "depth", "watched"], false)?;
    let cluster = Cluster::try_start(Options::major(USUAL_MAJOR))?;
    let workshop = Workshop::new();
    let mut figures = Vec::new();
    for (figure, key, sign) in CHAINS {
        let [root, middle, leaf] =
            ["root", "middle", "leaf"].map(|part| format!("{figure}-{part}"));
        workshop.make(&Spec { key, sign, ..Spec::root(&root, &format!("/CN={root}")) });
        let issuer = Some(root.as_str());
        let subject = format!("/CN={middle}");
        workshop.make(&Spec { key, sign, issuer, ..Spec::root(&middle, &subject) });
        workshop.make(&Spec { key, sign, ..Spec::leaf(&leaf, &middle) });
        let chain = workshop.bundle(&format!("{figure}-chain"), &[&leaf, &middle]);
        cluster.append_conf(&format!(
            "ssl_cert_file = '{}'\nssl_key_file = '{}'\nssl_ca_file = ''",
            chain.display(),
            workshop.path(&leaf, "key").display(),
        ))?;
        cluster.restart(StopMode::Fast);
        let server = Server::private(&cluster, "scram_user")?.rooted(&workshop.path(&root, "der"));
        let plan = Plan { board, image: &image, server: &server, arguments: &[], limit: LIMIT };
        let (outcome, _) = measure::run(&plan, &mut |_| ())?;
        outcome.check().map_err(|error| format!("{figure}: {error}"))?;
        let counts = outcome.counts.as_ref().ok_or("nothing was counted")?;
        // The first passage is the login.
        figures.push((figure, *counts.unwatched.first().ok_or("there was no login")?));
    }
    Budgets::read()?.print_and_compare(THING, &figures)
}
