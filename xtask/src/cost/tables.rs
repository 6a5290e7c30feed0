//! The tables, as Markdown.

use super::{bars, guidance};
use crate::bench::{ALL_WORKS, Client, GROWTH, IN_MEMORY, SIZES};
use crate::budgets::Budgets;
use crate::demo::digits;

const BEGIN: &str = "<!-- table ";
const END: &str = "<!-- end -->";

type Table = (&'static str, fn(&Budgets) -> String);

const TABLES: &[Table] = &[
    ("bars", bars::table),
    ("peers", peers),
    ("buffers", buffers),
    ("cortex-m3", cortex_m3),
    ("growth", growth),
    ("flash", flash),
    ("heap", heap),
    ("memory", guidance::memory),
    ("images", guidance::images),
    ("metered", guidance::metered),
    ("sizes", guidance::sizes),
    ("summary", summary),
];

/// What the works of `boards/counted` are.
const COUNTED: &[(&str, &str)] = &[
    ("trust_login", "login without a password"),
    ("scram_login_with_keys", "login by SCRAM, keys kept from the last one: a reconnect"),
    ("scram_login_provisioned", "login by SCRAM, keys in place of the password"),
    ("scram_login", "login by SCRAM, 4,096 iterations"),
    ("simple_trip", "`simple_query`, one row"),
    ("prepared_trip", "prepared statement, one row"),
    ("adhoc_trip", "statement as text with a parameter, one row"),
    ("insert", "prepared insert of five values"),
    ("execute_many_item", "item of `execute_many`"),
    ("pipeline_item", "statement in a pipeline"),
    ("row", "row of five, binary"),
    ("text_row", "row of five, text"),
    ("copy_in_row", "row of a COPY into a table"),
    ("copy_out_row", "row of a COPY out, undecoded"),
];

/// What the programs of `boards/bare` use.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("login", "login, nothing else"),
    ("hardware", "login, hashed by a peripheral"),
    ("query", "login, statements, rows"),
    ("copy", "login, COPY both ways"),
    ("stream", "login, large values in pieces"),
    ("notify", "login, LISTEN and NOTIFY"),
    ("guards", "login, pipelines, savepoints, portals"),
    ("set", "what most firmware uses"),
    ("full", "every verb"),
    ("dial", "login by way of a dialler"),
    ("conninfo", "the same with a connection string"),
    ("words", "every error in words"),
];

/// Replaces every table of a page by that of the figures.
pub fn fill(page: &str, figures: &Budgets) -> Result<String, String> {
    fill_with(page, |name| {
        let (_, table) = TABLES.iter().find(|(known, _)| *known == name)?;
        Some(table(figures))
    })
}

/// Replaces every table of a page by that of its name.
pub fn fill_with(page: &str, table: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").ok_or("a table without a name")?;
        let (_, after) = after.split_once(END).ok_or(format!("table {name} has no end"))?;
        let table = table(name).ok_or(format!("no table {name}"))?;
        text.push_str(&format!("{before}{BEGIN}{name} -->\n{table}{END}"));
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// A value, or a dash.
fn shown(figures: &Budgets, section: &str, name: &str) -> String {
    figures.get(section, name).map_or("–".to_string(), digits)
}

/// barepg's cost of a work as a part of another client's.
pub fn ratio(figures: &Budgets, name: &str, peer: Client) -> Option<f64> {
    let of = |client: Client| figures.get(client.name(), name).filter(|value| *value > 0);
    Some(of(Client::Barepg)? as f64 / of(peer)? as f64)
}

/// The same in words.
fn part(figures: &Budgets, name: &str, peer: Client) -> String {
    ratio(figures, name, peer).map_or("–".to_string(), |ratio| format!("{ratio:.2}"))
}

fn peers(figures: &Budgets) -> String {
    let mut text = "\
| instructions | floor | barepg | libpq | rust-postgres | tokio-postgres | sqlx | ÷ libpq | ÷ tokio |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"
    .to_string();
    for work in ALL_WORKS {
        text.push_str(&format!("| {} |", work.about));
        for client in Client::ALL {
            text.push_str(&format!(" {} |", shown(figures, client.name(), work.name)));
        }
        for peer in [Client::Libpq, Client::Tokio] {
            text.push_str(&format!(" {} |", part(figures, work.name, peer)));
        }
        text.push('\n');
    }
    text
}

fn buffers(figures: &Budgets) -> String {
    let mut text = "\
| buffer, bytes | a row of 75 bytes received | an item of 97 bytes sent by `execute_many` |
|--:|--:|--:|
"
    .to_string();
    for size in SIZES {
        let of = |work: &str| shown(figures, Client::Barepg.name(), &format!("{work}_{size}"));
        let (row, item) = (of("row_binary"), of("execute_many"));
        text.push_str(&format!("| {} | {row} | {item} |\n", digits(size.into())));
    }
    text
}

pub fn cortex_m3(figures: &Budgets) -> String {
    let mut text = "\
| | instructions | bytes of stack | round trips | writes | bytes sent | bytes received |
|---|--:|--:|--:|--:|--:|--:|
"
    .to_string();
    for (name, about) in COUNTED {
        text.push_str(&format!("| {about} | {} |", shown(figures, "thumbv7m", name)));
        text.push_str(&format!(" {} |", shown(figures, "thumbv7m_stack", name)));
        for what in ["trips", "writes", "sent", "received"] {
            let name = format!("{name}_{what}");
            text.push_str(&format!(" {} |", shown(figures, "thumbv7m_wire", &name)));
        }
        text.push('\n');
    }
    text
}

fn growth(figures: &Budgets) -> String {
    let mut text = "\
| instructions of one more | from | to | first half | second half |
|---|--:|--:|--:|--:|
"
    .to_string();
    for growth in GROWTH {
        let name = growth.name();
        let of = |half: &str| shown(figures, "growth", &format!("{name}_{half}"));
        let [from, _, to] = growth.three().map(|size| digits(size.into()));
        let about = growth.work.about;
        text.push_str(&format!(
            "| {about} | {from} | {to} | {} | {} |\n",
            of("first"),
            of("second")
        ));
    }
    text
}

fn heap(figures: &Budgets) -> String {
    let mut text = "\
| allocations a unit, their bytes; most at once | floor | barepg | libpq | rust-postgres | tokio-postgres | sqlx |
|---|--:|--:|--:|--:|--:|--:|
"
    .to_string();
    for work in ALL_WORKS.iter().filter(|work| IN_MEMORY.contains(&work.name)) {
        text.push_str(&format!("| {} |", work.about));
        for client in Client::ALL {
            let of = |what: &str| {
                figures.get("heap", &format!("{}_{}_{what}", work.name, client.name()))
            };
            let cell = match (of("blocks"), of("bytes"), of("peak")) {
                (Some(blocks), Some(bytes), Some(peak)) => {
                    format!("{}, {}; {}", digits(blocks), digits(bytes), digits(peak))
                }
                _ => "–".to_string(),
            };
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

fn flash(figures: &Budgets) -> String {
    let mut text = "\
| bytes of flash | SHA-256 unrolled | `small-sha256` | with openGauss and SM3 |
|---|--:|--:|--:|
"
    .to_string();
    for (name, about) in PROGRAMS {
        let of = |kind: &str| shown(figures, kind, name);
        let (usual, small, gauss) = (of("driver"), of("driver_small"), of("driver_opengauss"));
        text.push_str(&format!("| `{name}`: {about} | {usual} | {small} | {gauss} |\n"));
    }
    text
}

fn summary(figures: &Budgets) -> String {
    let (m3, host) = ("thumbv7m", Client::Barepg.name());
    let of = |section: &str, name: &str| shown(figures, section, name);
    let peers = format!(
        "{} of libpq's, {} of tokio-postgres's",
        part(figures, "prepared", Client::Libpq),
        part(figures, "prepared", Client::Tokio)
    );
    [
        (
            "flash of a login alone, `small-sha256`, in bytes".to_string(),
            of("driver_small", "login"),
        ),
        ("instructions of a prepared statement, Cortex-M3".to_string(), of(m3, "prepared_trip")),
        ("of a row of five columns".to_string(), of(m3, "row")),
        ("of a row of COPY".to_string(), of(m3, "copy_in_row")),
        ("of a login by SCRAM".to_string(), of(m3, "scram_login")),
        ("of a login with kept keys".to_string(), of(m3, "scram_login_with_keys")),
        (format!("of a prepared statement on a host: {peers}"), of(host, "prepared")),
    ]
    .iter()
    .fold("| | |\n|---|--:|\n".to_string(), |text, (about, value)| {
        format!("{text}| {about} | {value} |\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_replaced_and_nothing_else() {
        let figures = Budgets::parse("[thumbv7m]\nrow = 1_234\n").unwrap();
        let page = "a\n<!-- table cortex-m3 -->\nold\n<!-- end -->\nb\n";
        let filled = fill(page, &figures).unwrap();
        assert!(filled.starts_with("a\n<!-- table cortex-m3 -->\n| | instructions"));
        assert!(filled.contains("| row of five, binary | 1,234 | – | – | – | – | – |\n"));
        assert!(filled.ends_with(" – |\n<!-- end -->\nb\n"));
        assert_eq!(fill(&filled, &figures), Ok(filled.clone()));
        assert!(fill("<!-- table x -->\n<!-- end -->", &figures).is_err());
        assert!(fill("<!-- table flash -->\n", &figures).is_err());
    }
}
