//! Figures in sentences, where no table is drawn: rounded, and no more than that.

use crate::budgets::Budgets;

/// A figure of a sentence: the page, the words before it, and what it is of: a figure, less another one where there
/// are two. In bytes, or in kilobytes of 1,024 where the sentence says KB.
type Sentence = (&'static str, &'static str, &'static [[&'static str; 2]]);

const LM3S: &str = "qemu-lm3s6965";
const TLS: &str = "qemu-lm3s6965-tls";
const SURVIVE: &str = "driver_survive";

const SENTENCES: &[Sentence] = &[
    ("README.md", "for what most firmware uses", &[["driver", "set"]]),
    ("README.md", "s in all flash", &[[LM3S, "flash"]]),
    ("README.md", "bytes static RAM", &[[LM3S, "static_ram"]]),
    ("README.md", "stack, the most in use", &[[LM3S, "stack"]]),
    ("boards/README.md", "(the chip has none) |", &[[LM3S, "flash"]]),
    ("boards/README.md", "the chip's generator |", &[["qemu-microbit-uart", "flash"]]),
    ("boards/README.md", "On the LM3S6965 it is", &[[TLS, "flash"]]),
    ("boards/README.md", "KB of flash,", &[[TLS, "flash_of_tls"]]),
    ("docs/architecture.md", "larger than its aim of 21 KB (", &[["driver_small", "set"]]),
    (
        "docs/connecting.md",
        "the parser with all its keywords is",
        &[["driver", "conninfo"], ["driver", "dial"]],
    ),
    (
        "docs/connecting.md",
        "and the search over several hosts",
        &[["driver", "dial"], ["driver", "login"]],
    ),
    ("docs/outbox.md", "while they are sent. Flash:", &[[SURVIVE, "outbox"], [SURVIVE, "batch"]]),
    (
        "docs/provisioning.md",
        "## What it costs",
        &[[SURVIVE, "provisioned"], [SURVIVE, "conninfo"]],
    ),
    ("docs/tls.md", "the program, network stack included |", &[[TLS, "flash"]]),
    ("docs/tls.md", "| static RAM", &[[TLS, "static_ram"]]),
    ("docs/tls.md", "which a device has in flash); stack", &[[TLS, "stack"]]),
    ("docs/tls.md", "of it `tls`: P-256 and RSA |", &[[TLS, "flash_of_tls"]]),
    ("docs/tls.md", "stack of the driver's login", &[[TLS, "login_stack"]]),
];

/// Compares the sentences with the figures. How many there are.
pub fn check(
    figures: &Budgets,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<u32, String> {
    let mut wrong = String::new();
    let mut compared = 0;
    for (page, words, of) in SENTENCES {
        let text = read(page)?.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut now = 0.0;
        for (sign, [section, name]) in [1.0, -1.0].iter().zip(*of) {
            let figure = figures.get(section, name);
            now += sign * figure.ok_or(format!("no figure {section}.{name}"))? as f64;
        }
        compared += 1;
        match said(&text, words) {
            Some(said) if (said / now - 1.0).abs() < 0.01 => {}
            Some(said) => wrong.push_str(&format!("{page}: {words} {said}, and it is {now}\n")),
            None => wrong.push_str(&format!("{page} does not say: {words}\n")),
        }
    }
    if wrong.is_empty() { Ok(compared) } else { Err(wrong) }
}

/// The number after these words, in bytes.
fn said(text: &str, words: &str) -> Option<f64> {
    let rest = text.split_once(words)?.1.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.')?;
    let (number, unit) = rest.split_at(end);
    let number: f64 = number.trim_end_matches([',', '.']).replace(',', "").parse().ok()?;
    Some(if unit.starts_with(" KB") { number * 1024.0 } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_of_a_sentence_is_read() {
        for (text, bytes) in
            [("it takes 1,540 bytes", 1540.0), ("it takes 1.5 KB of", 1536.0), ("it takes 7,", 7.0)]
        {
            assert_eq!(said(&format!("{text} and"), "it takes"), Some(bytes), "{text}");
        }
        assert_eq!(said("it takes some", "it takes"), None);
        assert_eq!(said("it took 7 bytes", "it takes"), None);
    }
}
