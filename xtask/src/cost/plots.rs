//! The plots, each for light and for dark pages.

use plotters::coord::Shift;
use plotters::coord::types::{RangedCoordf64, RangedCoordi32};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::tables::PROGRAMS;
use crate::bench::{ALL_WORKS, Client, GROWTH, SIZES};
use crate::budgets::Budgets;
use crate::demo::digits;

/// As wide as a README is shown.
pub const WIDTH: u32 = 880;
pub const FONT: &str = "sans-serif";

/// Colors of a page.
pub struct Page {
    pub name: &'static str,
    pub text: RGBColor,
    pub grid: RGBColor,
    /// barepg first.
    pub series: [RGBColor; 5],
}

/// Distinguishable to people who see colors differently (Okabe and Ito).
pub const PAGES: [Page; 2] = [
    Page {
        name: "light",
        text: RGBColor(31, 35, 40),
        grid: RGBColor(208, 215, 222),
        series: [
            RGBColor(0, 114, 178),
            RGBColor(230, 159, 0),
            RGBColor(0, 158, 115),
            RGBColor(204, 121, 167),
            RGBColor(213, 94, 0),
        ],
    },
    Page {
        name: "dark",
        text: RGBColor(230, 237, 243),
        grid: RGBColor(61, 68, 77),
        series: [
            RGBColor(86, 180, 233),
            RGBColor(230, 159, 0),
            RGBColor(0, 190, 140),
            RGBColor(220, 150, 190),
            RGBColor(235, 110, 30),
        ],
    },
];

type Plot = fn(&Budgets, &Page) -> Result<String, String>;
pub type Drawn = Result<(), String>;

/// All of them, by path.
pub fn all(figures: &Budgets) -> Result<Vec<(String, String)>, String> {
    let plots: [(&str, Plot); 5] = [
        ("peers", peers),
        ("buffers", buffers),
        ("growth", growth),
        ("flash", flash),
        ("login", login),
    ];
    let mut files = Vec::new();
    for (name, plot) in plots {
        for page in &PAGES {
            files.push((format!("docs/cost/{name}-{}.svg", page.name), plot(figures, page)?));
        }
    }
    Ok(files)
}

/// A bar with a name in front: its series, and its value.
struct Bar {
    name: String,
    value: u64,
    series: usize,
}

fn peers(figures: &Budgets, page: &Page) -> Result<String, String> {
    let clients = [Client::Barepg, Client::Libpq, Client::Postgres, Client::Tokio, Client::Sqlx];
    let mut bars = Vec::new();
    // A login by SCRAM would make all else short.
    for work in ALL_WORKS.iter().filter(|work| !["login_scram", "get"].contains(&work.name)) {
        let mut name = work.about.to_string();
        for (series, client) in clients.iter().enumerate() {
            if let Some(value) = figures.get(client.name(), work.name) {
                bars.push(Bar { name: std::mem::take(&mut name), value, series });
            }
        }
    }
    let names = ["barepg", "libpq", "rust-postgres", "tokio-postgres", "sqlx"];
    draw("Instructions of the client on a host, logarithmic", &bars, &names, 9, true, page)
}

fn flash(figures: &Budgets, page: &Page) -> Result<String, String> {
    let mut bars = Vec::new();
    for (name, about) in PROGRAMS.iter().filter(|(name, _)| !["dial", "words"].contains(name)) {
        let mut label = format!("{name}: {about}");
        for (series, kind) in ["driver_small", "driver", "driver_opengauss"].iter().enumerate() {
            if let Some(value) = figures.get(kind, name) {
                bars.push(Bar { name: std::mem::take(&mut label), value, series });
            }
        }
    }
    let names = ["small-sha256", "SHA-256 unrolled", "with openGauss and SM3"];
    draw("Flash of the driver on a Cortex-M3, bytes", &bars, &names, 10, false, page)
}

fn growth(figures: &Budgets, page: &Page) -> Result<String, String> {
    let mut bars = Vec::new();
    for growth in GROWTH {
        let work = &growth.work;
        let name = growth.name();
        let mut label = work.about.to_string();
        for (series, half) in ["first", "second"].iter().enumerate() {
            if let Some(value) = figures.get("growth", &format!("{name}_{half}")) {
                bars.push(Bar { name: std::mem::take(&mut label), value, series });
            }
        }
    }
    let title = "Instructions of one more on a host, in both halves of the growth";
    draw(title, &bars, &["first half", "second half"], 10, false, page)
}

fn login(figures: &Budgets, page: &Page) -> Result<String, String> {
    let logins = [
        ("trust_login", "without a password"),
        ("scram_login_with_keys", "SCRAM, keys kept or provisioned"),
        ("scram_login", "SCRAM, from the password"),
    ];
    let bars: Vec<Bar> = logins
        .iter()
        .filter_map(|(name, about)| {
            let value = figures.get("thumbv7m", name)?;
            Some(Bar { name: about.to_string(), value, series: 0 })
        })
        .collect();
    draw("Instructions of a login on a Cortex-M3, logarithmic", &bars, &[], 16, true, page)
}

/// Horizontal bars, with their values.
fn draw(
    title: &str,
    bars: &[Bar],
    series: &[&str],
    thick: u32,
    logarithmic: bool,
    page: &Page,
) -> Result<String, String> {
    const LABELS: i32 = 270;
    const TOP: i32 = 62;
    let gap = |index: usize| bars.get(index).is_some_and(|bar| !bar.name.is_empty()) && index > 0;
    let step = (thick + 2) as i32;
    let rows: i32 = (0..bars.len()).map(|index| step + if gap(index) { 8 } else { 0 }).sum();
    let height = (TOP + rows + 14) as u32;
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(1) as f64;
    let room = f64::from(WIDTH as i32 - LABELS - 90);
    let length = |value: u64| match logarithmic {
        // From 10 on: nothing here is less.
        true => (value.max(10) as f64 / 10.0).log10() / (most / 10.0).log10() * room,
        false => value as f64 / most * room,
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let text = |size: u32| (FONT, size).into_font().color(&page.text);
        head(&area, title, series, page)?;
        let mut y = TOP;
        for (index, bar) in bars.iter().enumerate() {
            y += if gap(index) { 8 } else { 0 };
            let middle = y + thick as i32 / 2;
            let style = text(13).pos(Pos::new(HPos::Right, VPos::Center));
            put(area.draw(&Text::new(bar.name.clone(), (LABELS - 10, middle), style)))?;
            let end = LABELS + length(bar.value).round() as i32;
            let color = color(page, bar.series);
            put(area.draw(&Rectangle::new([(LABELS, y), (end, y + thick as i32)], color.filled())))?;
            let style = text(12).pos(Pos::new(HPos::Left, VPos::Center));
            put(area.draw(&Text::new(digits(bar.value), (end + 6, middle), style)))?;
            y += step;
        }
        put(area.present())?;
    }
    Ok(svg)
}

pub fn color(page: &Page, series: usize) -> RGBColor {
    page.series.get(series).copied().unwrap_or(page.text)
}

/// The title, and the names of the series below it.
pub fn head<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    series: &[&str],
    page: &Page,
) -> Drawn {
    let style = (FONT, 17).into_font().color(&page.text);
    put(area.draw(&Text::new(title.to_string(), (8, 10), style)))?;
    let mut x = 270;
    for (index, name) in series.iter().enumerate() {
        put(area.draw(&Rectangle::new([(x, 38), (x + 12, 50)], color(page, index).filled())))?;
        let style = (FONT, 13).into_font().color(&page.text);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        put(area.draw(&Text::new(name.to_string(), (x + 18, 44), style)))?;
        x += 40 + 8 * name.len() as i32;
    }
    Ok(())
}

/// Room for lines below the head, and for the labels of both axes.
pub fn lines<'a, 'b, B: DrawingBackend>(
    area: &'a DrawingArea<B, Shift>,
) -> ChartBuilder<'a, 'b, B> {
    let mut builder = ChartBuilder::on(area);
    builder.margin_top(66).margin_right(40).margin_bottom(12);
    builder.x_label_area_size(46).y_label_area_size(70);
    builder
}

type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordi32, RangedCoordf64>>;

fn buffers(figures: &Budgets, page: &Page) -> Result<String, String> {
    // With 64 bytes an item does not fit at all, which would make all else flat: that is in the table.
    let sizes = SIZES.split_first().map_or(&[][..], |(_, sizes)| sizes);
    let works = [
        ("row_binary", "a row of 75 bytes received"),
        ("execute_many", "an item of 97 bytes sent"),
    ];
    let points = |work: &str| -> Vec<(i32, f64)> {
        let of = |(index, size): (usize, &u32)| {
            let value = figures.get(Client::Barepg.name(), &format!("{work}_{size}"))?;
            Some((index as i32, value as f64))
        };
        sizes.iter().enumerate().filter_map(of).collect()
    };
    let most = works.iter().flat_map(|(work, _)| points(work)).map(|(_, y)| y).fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 360)).into_drawing_area();
        let title = "Instructions on a host by size of the buffer";
        head(&area, title, &works.map(|(_, about)| about), page)?;
        let last = sizes.len() as i32 - 1;
        let mut chart: Chart<'_, _> =
            put(lines(&area).build_cartesian_2d(0..last, 0.0..(most * 1.08)))?;
        let label = (FONT, 13).into_font().color(&page.text);
        put(chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(page.grid)
            .axis_style(page.grid)
            .x_labels(sizes.len())
            .x_label_formatter(&|index| {
                let size = usize::try_from(*index).ok().and_then(|index| sizes.get(index));
                size.map_or(String::new(), |size| digits((*size).into()))
            })
            .y_label_formatter(&|y| digits(y.round() as u64))
            .label_style(label.clone())
            .x_desc("bytes")
            .axis_desc_style(label)
            .draw())?;
        for (series, (work, _)) in works.iter().enumerate() {
            let color = color(page, series);
            put(chart.draw_series(LineSeries::new(points(work), color.stroke_width(2))))?;
            let dots = points(work).into_iter().map(|point| Circle::new(point, 4, color.filled()));
            put(chart.draw_series(dots))?;
        }
        put(area.present())?;
    }
    Ok(svg)
}

pub fn put<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("a plot: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_drawn_of_what_there_is() {
        let figures = Budgets::parse("[barepg]\nsimple = 900\nrow_binary_128 = 400\n").unwrap();
        let plots = all(&figures).unwrap();
        assert_eq!(plots.len(), 10);
        let find = |name: &str| {
            let found = plots.iter().find(|(path, _)| path.ends_with(name));
            found.map(|(_, svg)| svg.as_str()).unwrap_or_default()
        };
        assert!(find("peers-dark.svg").contains("select 1, simple"));
        assert!(find("peers-light.svg").contains("900"));
        assert!(find("buffers-light.svg").contains("<circle"));
        // The page shows through.
        assert!(!find("peers-light.svg").contains("#FFFFFF"));
    }
}
