//! The table, and whether barepg keeps to what it must.

use std::collections::BTreeMap;

use super::measure::{Costs, Halves, Heaps};
use super::programs::Client;
use super::works::{WORKS, Work};
use crate::budgets::Budgets;
use crate::demo::digits;

/// The section of `budgets.toml`.
const SECTION: &str = "bench";

/// The most that a unit may cost barepg.
#[derive(Debug, PartialEq, Eq)]
pub enum Must {
    /// Instructions: `prepared = 800`.
    Instructions(u64),
    /// Hundredths of a peer's in the same run: `prepared_percent_of_libpq = 20`.
    Percent(u64, Client),
}

/// What is asked of each work.
pub type Musts = BTreeMap<&'static str, Vec<Must>>;

/// Reads them. Every line must be of a work and a client that there are.
pub fn musts(budgets: &Budgets) -> Result<Musts, String> {
    let mut musts = Musts::new();
    for (line, value) in budgets.section(SECTION)? {
        let (name, must) = match line.split_once("_percent_of_") {
            None => (line.as_str(), Must::Instructions(value)),
            Some((name, client)) => (name, Must::Percent(value, Client::find(client)?)),
        };
        let work = WORKS.iter().find(|work| work.name == name);
        let work = work.ok_or(format!("budgets.toml [{SECTION}]: no work {name}"))?;
        musts.entry(work.name).or_default().push(must);
    }
    Ok(musts)
}

/// Instructions a unit, side by side. A figure of barepg that misses its must is marked.
pub fn table(clients: &[Client], works: &[&Work], costs: &Costs, musts: &Musts) -> String {
    let mut text = format!("\n{:34}", "user instructions a unit");
    let ratio = |client: &Client| *client != Client::Barepg && clients.contains(client);
    let ratios: Vec<Client> = Client::ALL.into_iter().filter(ratio).collect();
    for client in clients {
        text.push_str(&format!("{:>12}", client.name()));
        if *client == Client::Barepg {
            text.push_str(&format!("{:>14}", "must"));
        }
    }
    for client in &ratios {
        text.push_str(&format!("{:>10}", format!("÷{}", client.name())));
    }
    text.push('\n');
    for work in works {
        let missed = failures(work.name, costs, musts);
        text.push_str(&format!("{:34}", work.about));
        for client in clients {
            let cost = costs.get(&(work.name, *client));
            text.push_str(
                &cost.map_or(format!("{:>12}", "–"), |cost| format!("{:>12}", figure(*cost))),
            );
            if *client == Client::Barepg {
                let mark = if missed.is_empty() { "  " } else { " ✗" };
                text.push_str(&format!("{:>12}{mark}", asked(work.name, musts)));
            }
        }
        for client in &ratios {
            let ratio = percent(work.name, *client, costs).map(|percent| percent / 100.0);
            let shown = ratio.map_or("–".to_string(), |ratio| match ratio {
                0.0..0.1 => format!("{ratio:.4}"),
                100.0.. => format!("{ratio:.0}"),
                _ => format!("{ratio:.2}"),
            });
            text.push_str(&format!("{shown:>10}"));
        }
        text.push('\n');
    }
    text
}

/// What grows, and whether it grows linearly: what does not is the error.
pub fn growth(halves: &Halves) -> (String, Result<usize, String>) {
    let mut text = format!("\n{:56}{:>12}{:>12}\n", "instructions a unit", "first half", "second");
    let mut wrong = String::new();
    for (growth, [first, second]) in halves {
        let about = growth.work.about;
        text.push_str(&format!("{about:56}{:>12}{:>12}\n", figure(*first), figure(*second)));
        let off = (second / first - 1.0) * 100.0;
        // What it costs less at the end is welcome.
        if !off.is_finite() || off > f64::from(growth.percent) {
            wrong.push_str(&format!("    {about}: {off:.1} % more in the second half\n"));
        }
    }
    let linear = if wrong.is_empty() { Ok(halves.len()) } else { Err(wrong) };
    (text, linear.map_err(|wrong| format!("not linear:\n{wrong}")))
}

/// Allocations and bytes a unit, and the most bytes at once, side by side.
pub fn memory(clients: &[Client], heaps: &Heaps) -> String {
    let mut text = format!("\n{:34}", "allocations, bytes a unit; peak");
    for client in clients {
        text.push_str(&format!("{:>26}", client.name()));
    }
    text.push('\n');
    for work in WORKS {
        let of = |client: &Client| heaps.get(&(work.name, *client));
        if clients.iter().all(|client| of(client).is_none()) {
            continue;
        }
        text.push_str(&format!("{:34}", work.about));
        for client in clients {
            let shown = of(client).map_or("–".to_string(), |heap| {
                let (blocks, bytes) = (figure(heap.blocks), figure(heap.bytes));
                format!("{blocks}, {bytes}; {}", digits(heap.peak))
            });
            text.push_str(&format!("{shown:>26}"));
        }
        text.push('\n');
    }
    text
}

/// System calls a unit, side by side.
pub fn system_calls(calls: &Costs) -> String {
    let mut text = String::new();
    for work in WORKS {
        let of = |client| calls.get(&(work.name, client)).map(|count| (client, count));
        let counts: Vec<String> = Client::ALL
            .into_iter()
            .filter_map(of)
            .map(|(client, count): (Client, &f64)| format!("{} {count:.2}", client.name()))
            .collect();
        if !counts.is_empty() {
            text.push_str(&format!("    {:34}{}\n", work.about, counts.join(", ")));
        }
    }
    if text.is_empty() { text } else { format!("\nsystem calls a unit\n{text}") }
}

/// The number of works that keep within their must, or an error that names every must that was
/// missed. What was not measured is not compared.
pub fn check(costs: &Costs, musts: &Musts) -> Result<usize, String> {
    let measured = |name: &&&str| costs.contains_key(&(**name, Client::Barepg));
    let names: Vec<&&str> = musts.keys().filter(measured).collect();
    let missed: Vec<String> = names.iter().flat_map(|name| failures(name, costs, musts)).collect();
    if missed.is_empty() {
        return Ok(names.len());
    }
    Err(format!("barepg misses its must:\n    {}", missed.join("\n    ")))
}

fn failures(name: &str, costs: &Costs, musts: &Musts) -> Vec<String> {
    let Some((_, barepg)) = cost(name, Client::Barepg, costs) else { return Vec::new() };
    let missed = |must: &Must| match must {
        Must::Instructions(most) if barepg.round() > *most as f64 => {
            Some(format!("{name}: {} instructions, not {}", figure(barepg), figure(*most as f64)))
        }
        Must::Percent(most, client) => percent(name, *client, costs)
            .filter(|percent| percent.round() > *most as f64)
            .map(|percent| format!("{name}: {percent:.0} % of {}, not {most} %", client.name())),
        Must::Instructions(_) => None,
    };
    musts.get(name).into_iter().flatten().filter_map(missed).collect()
}

/// The column "must": instructions, else the part of a peer's.
fn asked(name: &str, musts: &Musts) -> String {
    let musts = musts.get(name).map(Vec::as_slice).unwrap_or_default();
    let absolute = musts.iter().find_map(|must| match must {
        Must::Instructions(most) => Some(figure(*most as f64)),
        Must::Percent(..) => None,
    });
    let part = || {
        musts.iter().find_map(|must| match must {
            Must::Percent(most, client) => Some(format!("0.{most:02} {}", client.name())),
            Must::Instructions(_) => None,
        })
    };
    absolute.or_else(part).unwrap_or_default()
}

fn cost(name: &str, client: Client, costs: &Costs) -> Option<(&'static str, f64)> {
    let found = costs.iter().find(|((work, of), _)| *work == name && *of == client);
    found.map(|((work, _), cost)| (*work, *cost))
}

fn percent(name: &str, client: Client, costs: &Costs) -> Option<f64> {
    let (_, barepg) = cost(name, Client::Barepg, costs)?;
    let (_, peer) = cost(name, client, costs)?;
    Some(barepg * 100.0 / peer)
}

/// A number with commas, and one decimal place when it is small.
fn figure(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    digits(value.round_ties_even() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(barepg: f64) -> (Costs, Musts) {
        let costs = [(("prepared", Client::Barepg), barepg), (("prepared", Client::Libpq), 4000.0)];
        let musts = vec![Must::Instructions(800), Must::Percent(20, Client::Libpq)];
        (costs.into_iter().collect(), [("prepared", musts)].into_iter().collect())
    }

    #[test]
    fn a_missed_must_is_an_error_and_is_marked() {
        let (costs, musts) = example(800.4);
        assert_eq!(check(&costs, &musts), Ok(1));
        let (costs, musts) = example(950.0);
        let error = check(&costs, &musts).unwrap_err();
        assert!(error.contains("prepared: 950 instructions, not 800"), "{error}");
        assert!(error.contains("24 % of libpq, not 20 %"), "{error}");
        let clients = [Client::Barepg, Client::Libpq];
        let works: Vec<&Work> = WORKS.iter().filter(|work| work.name == "prepared").collect();
        let shown = table(&clients, &works, &costs, &musts);
        assert!(shown.contains("950") && shown.contains('✗') && shown.contains("0.24"), "{shown}");
    }

    #[test]
    fn a_peer_that_was_not_measured_is_not_compared() {
        let (mut costs, musts) = example(500.0);
        costs.remove(&("prepared", Client::Libpq));
        assert_eq!(check(&costs, &musts), Ok(1));
    }

    #[test]
    fn the_musts_of_the_repository_are_of_works_that_there_are() {
        let musts = musts(&Budgets::read().unwrap()).unwrap();
        assert!(musts.len() >= 12, "{musts:?}");
    }

    #[test]
    fn what_is_not_linear_is_an_error() {
        let one = &super::super::works::GROWTH[0];
        let (text, linear) = growth(&vec![(one, [100.0, 103.0])]);
        assert!(linear.is_ok() && text.contains("row received"), "{text}");
        for second in [106.0, f64::INFINITY, f64::NAN] {
            let error = growth(&vec![(one, [100.0, second])]).1.unwrap_err();
            assert!(error.contains("row received: "), "{error}");
        }
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(figure(44.44), "44.4");
        assert_eq!(figure(3968.2), "3,968");
        assert_eq!(figure(67_130_737.0), "67,130,737");
    }
}
