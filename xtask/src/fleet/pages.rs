//! What is kept of a run: figures, tables, plots.

use std::collections::BTreeMap;
use std::fs;

use barepg_testkit::provision;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::devices::{Sample, Series};
use super::outcome::{Figures, Outcome};
use super::scenarios::SCENARIOS;
use crate::budgets::Budgets;
use crate::cost::plots::{FONT, PAGES, Page, WIDTH, color, head, lines, put};
use crate::cost::tables::fill_with;
use crate::demo::digits;

const FIGURES: &str = "docs/fleet/figures.toml";
const PAGE: &str = "docs/fleet.md";

/// Scenarios that are drawn.
const DRAWN: &[&str] = &["herd", "restart", "failover-apply"];

/// Keeps the figures of a scenario, those of others stay; makes its tables and plots.
pub fn save(name: &str, outcome: &Outcome) -> Result<(), String> {
    let before = Budgets::read_file(&provision::root().join(FIGURES))?;
    write(FIGURES, &merged(&before, name, &outcome.figures))?;
    write(PAGE, &made()?)?;
    if DRAWN.contains(&name) {
        for page in &PAGES {
            let svg = draw(name, &outcome.series, page)?;
            write(&format!("docs/fleet/{name}-{}.svg", page.name), &svg)?;
        }
    }
    Ok(())
}

/// The file of figures with new ones of one scenario, each scenario in its place.
fn merged(before: &Budgets, name: &str, new: &Figures) -> String {
    let mut text = "\
# What happened to simulated devices, as measured by `cargo xtask fleet --save`; docs/fleet.md says of
# what. Not to be edited by hand.
"
    .to_string();
    for known in super::names() {
        // In one order, so that a new run changes values alone.
        let kept = before.section(known).into_iter().flatten();
        let mut figures: BTreeMap<&str, u64> = kept.map(|(n, value)| (n.as_str(), value)).collect();
        if known == name {
            figures = new.iter().collect();
        }
        if !figures.is_empty() {
            text.push_str(&format!("\n[{known}]\n"));
        }
        for (name, value) in figures {
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

/// The page is what the figures say, and the plots are there.
pub fn check() -> Result<u32, String> {
    if read(PAGE)? != made()? {
        return Err(format!("{PAGE} is not what the figures say: cargo xtask fleet --save"));
    }
    Ok(1)
}

fn made() -> Result<String, String> {
    let figures = Budgets::read_file(&provision::root().join(FIGURES))?;
    fill_with(&read(PAGE)?, |name| match name {
        "fleet" => Some(fleet(&figures)),
        name => super::recipe::table(name, &figures),
    })
    .map_err(|error| format!("{PAGE}: {error}"))
}

/// Milliseconds as seconds.
pub fn in_seconds(ms: u64) -> String {
    format!("{:.1}", ms as f64 / 1000.0)
}

fn fleet(figures: &Budgets) -> String {
    let mut text = "\
| | devices | logins | attempts | most attempts/s | all back after, s | rows | no row for, s | unknown | lost | doubled |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"
    .to_string();
    for scenario in SCENARIOS {
        if figures.get(scenario.name, "rows").is_none() {
            continue;
        }
        let of = |name: &str| figures.get(scenario.name, name);
        let count = |name: &str| of(name).map_or("–".to_string(), digits);
        let time = |name: &str| of(name).map_or("–".to_string(), in_seconds);
        text.push_str(&format!(
            "| **{}**: {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            scenario.name,
            scenario.about,
            count("devices"),
            count("logins"),
            count("attempts"),
            count("attempts_per_second"),
            time("back_ms"),
            count("rows"),
            time("no_row_ms"),
            count("unknown"),
            count("lost"),
            count("doubled"),
        ));
    }
    text
}

/// How a counter rose, a second each.
fn rises(series: &Series, counter: fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    let rises = series.rises(counter).step_by(5);
    rises.map(|(at, rise)| (at as f64 / 1000.0, rise as f64)).collect()
}

/// Attempts, logins and rows a second, and devices at work, over time.
fn draw(name: &str, series: &Series, page: &Page) -> Result<String, String> {
    let counted: [(&str, Vec<(f64, f64)>); 4] = [
        ("attempts/s", rises(series, |sample| sample.dials)),
        ("logins/s", rises(series, |sample| sample.logins)),
        ("rows/s", rises(series, |sample| sample.stored)),
        (
            "devices at work",
            series.0.iter().map(|sample| (sample.at as f64 / 1000.0, sample.up as f64)).collect(),
        ),
    ];
    let most =
        counted.iter().flat_map(|(_, points)| points).map(|point| point.1).fold(1.0, f64::max);
    let end = series.0.last().map_or(1.0, |sample| sample.at as f64 / 1000.0);
    let about = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let title = format!("{name}: {}", about.map_or("", |scenario| scenario.about));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 360)).into_drawing_area();
        head(&area, &title, &counted.each_ref().map(|(name, _)| *name), page)?;
        let mut chart: ChartContext<'_, _, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
            put(lines(&area).build_cartesian_2d(0.0..end, 0.0..(most * 1.05)))?;
        let label = (FONT, 13).into_font().color(&page.text);
        put(chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(page.grid)
            .axis_style(page.grid)
            .y_label_formatter(&|y| digits(y.round() as u64))
            .x_label_formatter(&|x| format!("{x:.0}"))
            .label_style(label.clone())
            .x_desc("seconds")
            .axis_desc_style(label)
            .draw())?;
        for (index, (_, points)) in counted.into_iter().enumerate() {
            put(chart.draw_series(LineSeries::new(points, color(page, index).stroke_width(2))))?;
        }
        put(area.present())?;
    }
    Ok(svg)
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(provision::root().join(name)).map_err(|error| format!("{name}: {error}"))
}

fn write(name: &str, text: &str) -> Result<(), String> {
    let path = provision::root().join(name);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|error| format!("{name}: {error}"))?;
    }
    fs::write(path, text).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_is_drawn() {
        let samples = (0..50).map(|n| Sample { at: n * 100, dials: n, up: 7, ..Sample::default() });
        let svg = draw("herd", &Series(samples.collect()), &PAGES[0]).unwrap();
        assert!(svg.contains("attempts/s") && svg.contains("polyline"));
    }

    #[test]
    fn figures_of_other_scenarios_stay() {
        let before = Budgets::parse("[herd]\nrows = 5\n\n[restart]\nrows = 6\ngone = 1\n").unwrap();
        let text = merged(&before, "restart", &Figures::from([("rows", 7), ("lost", 0)]));
        let after = Budgets::parse(&text).unwrap();
        assert_eq!(after.get("herd", "rows"), Some(5));
        let restart = ["rows", "lost", "gone"].map(|name| after.get("restart", name));
        assert_eq!(restart, [Some(7), Some(0), None]);
        // What is kept is written as it was.
        assert_eq!(merged(&after, "restart", &Figures::from([("lost", 0), ("rows", 7)])), text);
    }

    #[test]
    fn the_table_has_what_was_measured() {
        let figures = Budgets::parse("[herd]\ndevices = 2000\nrows = 5\nback_ms = 4260\n").unwrap();
        let table = fleet(&figures);
        assert!(table.contains("| 2,000 |") && table.contains("| 4.3 | 5 | – |"), "{table}");
        assert_eq!(table.lines().count(), 3);
    }
}
