//! Folders that import each other, be it by way of others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Import, place};

/// A circle of each kind: of the crate's folders and files, a group of the table counting as one,
/// and of the folders inside of each folder.
pub fn circles(layers: &[&[&str]], imports: &[Import]) -> Vec<String> {
    let folders: BTreeSet<&[String]> =
        imports.iter().flat_map(|import| folders_of(&import.path, &import.from)).collect();
    let mut graphs: BTreeMap<&[String], Graph<'_>> = BTreeMap::new();
    for Import { path, line, from, to } in imports {
        let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        let (Some(one), Some(other)) = (from.get(..=common), to.get(..=common)) else { continue };
        if common > 0 && !(folders.contains(one) && folders.contains(other)) {
            continue;
        }
        let (one, other) = (name(layers, one), name(layers, other));
        if one != other {
            let places = graphs.entry(&from[..common]).or_default().entry(one).or_default();
            places.entry(other).or_insert_with(|| format!("src/{path}:{line}"));
        }
    }
    graphs.values().filter_map(circle).collect()
}

/// For each name those it imports, and a place where it does.
type Graph<'i> = BTreeMap<String, BTreeMap<String, String>>;

/// The folders that a file is in.
fn folders_of<'m>(path: &str, module: &'m [String]) -> impl Iterator<Item = &'m [String]> {
    let depth = path.matches('/').count();
    (1..=depth).filter_map(|length| module.get(..length))
}

/// A module's name; one of a group has that of the group.
fn name(layers: &[&[&str]], module: &[String]) -> String {
    match module {
        [one] => match place(layers, one) {
            Some((layer, group)) => layers[layer][group].to_string(),
            None => one.clone(),
        },
        module => module.join("::"),
    }
}

/// The shortest circle, if there is one, with a place for each step.
fn circle(graph: &Graph<'_>) -> Option<String> {
    let ways = graph.keys().filter_map(|start| way_back(graph, start));
    let way = ways.min_by_key(Vec::len)?;
    let steps: Vec<String> = way
        .windows(2)
        .map(|pair| format!("{} names {} ({})", pair[0], pair[1], graph[pair[0]][pair[1]]))
        .collect();
    Some(format!("a circle: {}", steps.join(", ")))
}

/// The shortest way from a name back to itself.
fn way_back<'g>(graph: &'g Graph<'_>, start: &'g str) -> Option<Vec<&'g str>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start]];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in graph.get(*way.last()?).into_iter().flat_map(BTreeMap::keys) {
                let longest = [&way[..], &[next.as_str()]].concat();
                if next == start {
                    return Some(longest);
                }
                if seen.insert(next) {
                    longer.push(longest);
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::imports;
    use super::*;

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        circles(&[&["a"], &["b c"]], &imports(sources).0)
    }

    #[test]
    fn a_circle_of_three_is_found() {
        let sources = [
            ("a.rs", "use crate::x::X;"),
            ("x/mod.rs", "\nuse crate::y::Y;"),
            ("y.rs", "use crate::a::A;\nuse crate::z::Z;"),
            ("z.rs", ""),
        ];
        let complaint = "a circle: a names x (src/a.rs:1), x names y (src/x/mod.rs:2), \
                    y names a (src/y.rs:1)";
        assert_eq!(found(&sources), [complaint]);
    }

    #[test]
    fn folders_inside_of_a_folder_are_looked_at_files_are_not() {
        let sources = [
            ("a/mod.rs", "mod one; mod two; mod three; use self::one::X;"),
            ("a/one/mod.rs", "use super::two::X; use super::three::X;"),
            ("a/two/mod.rs", ""),
            ("a/two/deep.rs", "use crate::a::one::X;"),
            ("a/three.rs", "use super::one::X;"),
        ];
        let complaint = "a circle: a::one names a::two (src/a/one/mod.rs:1), \
                    a::two names a::one (src/a/two/deep.rs:1)";
        assert_eq!(found(&sources), [complaint]);
    }

    #[test]
    fn a_group_is_one_and_a_way_down_is_none() {
        let sources = [
            ("a.rs", ""),
            ("b.rs", "use crate::c::X; use crate::a::X;"),
            ("c.rs", "use crate::b::X; use crate::a::X;"),
        ];
        assert_eq!(found(&sources), [""; 0]);
    }
}
