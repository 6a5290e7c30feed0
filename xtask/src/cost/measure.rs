//! Measures everything that the page of costs shows.

use crate::bench::{self, Client};
use crate::setup;
use crate::test::{DRIVER_KINDS, counted, driver_flash};

/// Sections that are budgets too.
pub const BUDGETED: [&str; 4] = ["thumbv7m", "driver", "driver_small", "driver_opengauss"];

/// The text of the file of figures.
pub fn all() -> Result<String, String> {
    let mut text = "\
# What things cost, as measured by `cargo xtask cost --measure`; docs/cost.md says of what. Not to be
# edited by hand.
"
    .to_string();
    let mut section = |name: &str, figures: Vec<(String, u64)>| {
        text.push_str(&format!("\n[{name}]\n"));
        for (name, value) in figures {
            text.push_str(&format!("{name} = {value}\n"));
        }
    };
    let compiler = setup::all()?;
    section("thumbv7m", counted::figures(&compiler)?);
    for (features, suffix) in DRIVER_KINDS {
        let figures = driver_flash(&compiler, features)?;
        let figures = figures.into_iter().map(|(name, value)| (name.to_string(), value));
        section(&format!("driver{suffix}"), figures.collect());
    }
    let costs = bench::everything()?;
    for client in Client::ALL {
        let of = |((name, whose), cost): (&(&str, Client), &f64)| {
            (*whose == client).then(|| (name.replace('@', "_"), cost.round() as u64))
        };
        section(client.name(), costs.iter().filter_map(of).collect());
    }
    Ok(text)
}
