//! Measures everything that the page of costs shows.

use super::boards::{self, IMAGES, section};
use crate::bare::Compiler;
use crate::bench::{self, Client};
use crate::budgets::Budgets;
use crate::setup;
use crate::test::{DRIVER_KINDS, counted, driver_flash};

/// Sections that are budgets too.
pub const BUDGETED: [&str; 8] = [
    "thumbv7m",
    "thumbv7m_stack",
    "thumbv7m_wire",
    "thumbv7m_ram",
    "driver",
    "driver_small",
    "driver_survive",
    "driver_opengauss",
];

/// Figures that are measured together, by the name that `--only` takes.
pub const GROUPS: [&str; 6] = ["cortex-m3", "flash", "growth", "boards", "heap", "host"];

type Sections = Vec<(String, Vec<(String, u64)>)>;

/// The text of the file of figures. Of groups that are not wanted those of `before` stay.
pub fn all(before: &Budgets, only: Option<&str>) -> Result<String, String> {
    let compiler = setup::all()?;
    let mut text = "\
# What things cost, as measured by `cargo xtask cost --measure`; docs/cost.md says of what. Not to be
# edited by hand.
"
    .to_string();
    for group in GROUPS {
        let sections = match only {
            Some(only) if only != group => kept(before, group),
            _ => measured(&compiler, group)?,
        };
        for (name, figures) in sections {
            text.push_str(&format!("\n[{name}]\n"));
            for (name, value) in figures {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
    }
    Ok(text)
}

/// The sections of a group.
fn sections(group: &str) -> Vec<String> {
    match group {
        "cortex-m3" => counted::SECTIONS.map(str::to_string).to_vec(),
        "growth" => vec!["growth".to_string()],
        "heap" => vec!["heap".to_string()],
        "boards" => IMAGES.map(section).to_vec(),
        "flash" => DRIVER_KINDS.map(|(_, suffix, _)| format!("driver{suffix}")).to_vec(),
        _ => Client::ALL.map(|client| client.name().to_string()).to_vec(),
    }
}

fn kept(before: &Budgets, group: &str) -> Sections {
    let section = |name: String| {
        let figures = before.section(&name).into_iter().flatten();
        let figures = figures.map(|(figure, value)| (figure.clone(), value)).collect();
        (name, figures)
    };
    sections(group).into_iter().map(section).collect()
}

fn measured(compiler: &Compiler, group: &str) -> Result<Sections, String> {
    let names = sections(group).into_iter();
    match group {
        "cortex-m3" => {
            let counted = counted::figures(compiler)?;
            let figures = counted.sections().map(|figures| sorted(figures.clone()));
            Ok(names.zip(figures).collect())
        }
        "boards" => {
            let of = |image| Ok((section(image), sorted(boards::figures(compiler, image)?)));
            IMAGES.into_iter().map(of).collect()
        }
        "growth" => {
            let halves = bench::growth()?;
            let of = |(growth, slopes): &(&bench::Growth, [f64; 2])| {
                let name = growth.name();
                let figure =
                    |(half, slope): (&str, f64)| (format!("{name}_{half}"), slope.round() as u64);
                ["first", "second"].into_iter().zip(*slopes).map(figure).collect::<Vec<_>>()
            };
            let figures = sorted(halves.iter().flat_map(of).collect());
            Ok(names.map(|name| (name, figures.clone())).collect())
        }
        "heap" => {
            let heaps = bench::memory()?;
            let of = |((work, client), heap): (&(&str, Client), &bench::Heap)| {
                let name = format!("{work}_{}", client.name());
                let (blocks, bytes) = (heap.blocks.round() as u64, heap.bytes.round() as u64);
                [("blocks", blocks), ("bytes", bytes), ("peak", heap.peak)]
                    .map(|(what, value)| (format!("{name}_{what}"), value))
            };
            let figures = sorted(heaps.iter().flat_map(of).collect());
            Ok(names.map(|name| (name, figures.clone())).collect())
        }
        "flash" => {
            let of = |(name, kind)| {
                let (features, _, programs): (&str, &str, &[&'static str]) = kind;
                let figures = driver_flash(compiler, features, programs)?;
                let name: String = name;
                let owned = figures.into_iter().map(|(name, value)| (name.to_string(), value));
                Ok((name, sorted(owned.collect())))
            };
            names.zip(DRIVER_KINDS).map(of).collect()
        }
        _ => {
            let costs = bench::everything()?;
            let of = |(name, client): (String, Client)| {
                let figures = costs.iter().filter(|((_, whose), _)| *whose == client);
                let figure = |((work, _), cost): (&(&str, Client), &f64)| {
                    (work.replace('@', "_"), cost.round() as u64)
                };
                (name, sorted(figures.map(figure).collect()))
            };
            Ok(names.zip(Client::ALL).map(of).collect())
        }
    }
}

/// In the order in which they are read again.
fn sorted(mut figures: Vec<(String, u64)>) -> Vec<(String, u64)> {
    figures.sort();
    figures
}
