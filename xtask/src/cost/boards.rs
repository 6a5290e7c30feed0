//! The figures of whole firmware images, run against a private server.

use std::time::Duration;

use barepg_testkit::pg;
use barepg_testkit::provision::USUAL_MAJOR;

use crate::bare::Compiler;
use crate::boards;
use crate::measure::{self, Plan, Server};

/// The boards that the page shows, with TLS and without.
pub const IMAGES: [(&str, bool); 3] =
    [("qemu-microbit-uart", false), ("qemu-lm3s6965", false), ("qemu-lm3s6965", true)];

/// The longest that one may run.
const LIMIT: Duration = Duration::from_secs(300);

/// The name of an image's figures, as in `budgets.toml`.
pub fn section((board, tls): (&str, bool)) -> String {
    if tls { format!("{board}-tls") } else { board.to_string() }
}

/// What the common operations cost an image.
pub fn figures(
    compiler: &Compiler,
    (name, tls): (&str, bool),
) -> Result<Vec<(String, u64)>, String> {
    let board = boards::find(name)?;
    let cluster = pg::shared(USUAL_MAJOR);
    cluster.try_psql("test", "drop table if exists student")?;
    let server = Server::private(cluster, "scram_user")?;
    let server = if tls { server.over_tls(cluster) } else { server };
    let features = server.features();
    let without = measure::flash_without_tls(board, compiler, features)?;
    let image = board.build(compiler, features, false)?;
    let plan = Plan { board, image: &image, server: &server, arguments: &[], limit: LIMIT };
    let (outcome, mut costs) = measure::run(&plan, &mut |_| ())?;
    outcome.check().map_err(|error| format!("{name}: {error}"))?;
    costs.without_tls(without);
    let mut figures: Vec<(String, u64)> =
        costs.figures().into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    if let Some(session) = costs.session {
        figures.push(("session_bytes_received".to_string(), session.total.received));
    }
    Ok(figures)
}
