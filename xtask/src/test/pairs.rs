//! Features in pairs: each with and without each other, on this machine and on a bare target.

use barepg_testkit::provision::root;

use super::host::HOST_ONLY;
use super::{Checked, Context, rules};

/// A bare target with atomics, which all features need that can be without an operating system.
const BARE: &str = "thumbv7m-none-eabi";

/// The crates with features that can be combined, and their manifests.
const PACKAGES: &[(&str, &str)] =
    &[("barepg", "Cargo.toml"), ("barepg-smoltcp", "transports/smoltcp/Cargo.toml")];

/// Features that unit tests of the rest must compile without.
const ALONE: [&str; 4] = ["", "md5", "opengauss", "tls"];

/// A few sets of features in which each pair is together, apart, and absent. [`every_pair`] takes
/// many times as long.
pub fn sets(context: &Context) -> Checked {
    let mut checked = check(context, covering)?;
    for feature in ALONE {
        let mut command = context.cargo(&["check", "--package", "barepg", "--lib"]);
        command.args(["--profile", "test", "--no-default-features", "--features", feature]);
        context.run(&mut command)?;
        checked += 1;
    }
    Ok(checked)
}

/// Every feature and every pair of them, without all others: `cargo xtask pairs`.
pub fn every_pair(context: &Context) -> Checked {
    check(context, pairs)
}

fn pairs<'f>(features: &[&'f str]) -> Vec<Vec<&'f str>> {
    let both = |i| (0..i).map(move |j| vec![features[i], features[j]]);
    let alone = features.iter().map(|&feature| vec![feature]);
    alone.chain((0..features.len()).flat_map(both)).collect()
}

fn check(context: &Context, sets: for<'f> fn(&[&'f str]) -> Vec<Vec<&'f str>>) -> Checked {
    let mut checked = 0;
    for (package, manifest) in PACKAGES {
        let features = rules::features_of(&root().join(manifest))?;
        let all: Vec<&str> = features.iter().map(String::as_str).collect();
        let bare: Vec<&str> =
            all.iter().copied().filter(|feature| !HOST_ONLY.contains(feature)).collect();
        for set in sets(&all) {
            let mut clippy = context.cargo(&["clippy", "--package", package, "--lib"]);
            clippy.args(["--no-default-features", "--features", &set.join(",")]);
            context.run(clippy.args(["--", "-D", "warnings"]))?;
            checked += 1;
        }
        for set in sets(&bare) {
            let mut command = context.compiler.cargo();
            command.args(["check", "--package", package, "--lib", "--target", BARE]);
            command
                .args(["--no-default-features", "--features", &set.join(",")])
                .current_dir(root());
            context.run(&mut command)?;
            checked += 1;
        }
    }
    Ok(checked)
}

/// Rows of [`covering`]: enough for 35 features.
const ROWS: u32 = 7;

/// Sets in which of any two features each is once without the other, both are once together, and both
/// once absent.
///
/// Each feature is in four of seven sets, and no two in the same four: so two share one set at least
/// (4 + 4 > 7) and each has one of its own. The eighth set is empty. Source: Kleitman and Spencer, "Families
/// of k-independent sets", 1973.
fn covering<'f>(features: &[&'f str]) -> Vec<Vec<&'f str>> {
    let columns = (0..1_u32 << ROWS).filter(|column| column.count_ones() == ROWS / 2 + 1);
    let columns: Vec<u32> = columns.take(features.len()).collect();
    assert_eq!(columns.len(), features.len(), "more features than {ROWS} sets have room for");
    let mut sets = vec![Vec::new()];
    sets.extend((0..ROWS).map(|row| {
        let members = features.iter().zip(&columns).filter(|(_, column)| *column >> row & 1 == 1);
        members.map(|(feature, _)| *feature).collect()
    }));
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_covered() {
        for count in [1, 2, 8, 24, 35] {
            let names: Vec<String> = (0..count).map(|i| format!("f{i}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let sets = covering(&names);
            assert_eq!(sets.len(), 8);
            for a in &names {
                for b in names.iter().filter(|b| *b != a) {
                    for wanted in [(false, false), (false, true), (true, false), (true, true)] {
                        let has = |set: &Vec<&str>| (set.contains(a), set.contains(b)) == wanted;
                        assert!(sets.iter().any(has), "{a} {b}: {wanted:?}");
                    }
                }
            }
        }
    }
}
