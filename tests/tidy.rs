//! The rules about the code itself: layers, no cycles, small files that say what they are for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The top modules of `src/`, lowest first. A module may use those of lower layers, and those
/// of its own layer as long as there is no cycle; surfaces may not use each other at all.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "frame",
        &[
            "problem",
            "config",
            "log",
            "failure",
            "postgres",
            "databases",
            "platform",
            "directory",
            "direct",
            "limits",
            "audit",
            "edge",
            // Calls a server from outside and knows none of its parts.
            "soak",
        ],
    ),
    (
        "spine",
        &["data", "listing", "template", "demo", "auth", "tenancy"],
    ),
    (
        "surfaces",
        &[
            "rest", "graphql", "reports", "sql", "tokens", "logs", "exports", "accounts", "panel",
        ],
    ),
    (
        "top",
        &[
            "reference",
            "front",
            "health",
            "app",
            "serve",
            "operate",
            "check",
            "main",
            "lib",
        ],
    ),
];

const MEMBERS: &[&str] = &["migration", "tenants", "seed"];
const MOST_LINES: usize = 600;

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    for (path, text) in rust_files(&["src", "tests", "migration", "tenants", "seed", "benches"]) {
        assert!(
            text.starts_with("//! "),
            "{} does not start with //!",
            path.display()
        );
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_environment_is_read_in_one_place() {
    for (path, text) in rust_files(&["src", "migration/src", "tenants/src", "seed/src"]) {
        if path.ends_with("src/config.rs") {
            continue;
        }
        for read in ["env::var", "env::vars", "env::set_var", "option_env!"] {
            assert!(
                !text.contains(read),
                "{} reads the environment",
                path.display()
            );
        }
    }
}

#[test]
fn nobody_switches_roles() {
    // I1: whoever works for a tenant has logged in as the tenant.
    for (path, text) in rust_files(&["src", "migration", "tenants/src"]) {
        // The check tries exactly this, and wants it refused.
        if path.components().any(|part| {
            ["tests", "check"]
                .iter()
                .any(|name| part.as_os_str() == *name)
        }) {
            continue;
        }
        let text = without_comments_and_tests(&text).to_lowercase();
        for switch in [
            "set role",
            "set local role",
            "set session authorization",
            "'role',",
        ] {
            assert!(!text.contains(switch), "{}: {switch}", path.display());
        }
    }
}

#[test]
fn the_member_crates_do_not_know_each_other() {
    for member in MEMBERS {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        for other in MEMBERS.iter().chain(&["sandlot"]) {
            let edge = manifest.lines().any(|line| {
                line.starts_with(&format!("{other} =")) || line.starts_with(&format!("{other}."))
            });
            assert!(!edge, "{member} depends on {other}");
        }
    }
}

#[test]
fn tenants_and_seed_know_no_http() {
    for member in ["tenants", "seed"] {
        let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        for http in ["poem", "hyper", "http"] {
            assert!(
                !manifest.lines().any(|line| line.starts_with(http)),
                "{member} knows {http}"
            );
        }
    }
}

#[test]
fn modules_use_lower_layers_and_form_no_cycle() {
    let edges = edges();
    for (module, used) in &edges {
        let (layer, name) = layer_of(module);
        for other in used {
            let (other_layer, _) = layer_of(other);
            assert!(
                other_layer <= layer,
                "{module} ({name}) uses {other}, which is above it"
            );
            if name == "surfaces" && other_layer == layer {
                panic!("the surface {module} uses the surface {other}");
            }
        }
    }
    let mut left: BTreeMap<_, BTreeSet<_>> = edges;
    loop {
        let leaves: Vec<String> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|other| !left.contains_key(other)))
            .map(|(module, _)| module.clone())
            .collect();
        if leaves.is_empty() {
            break;
        }
        for leaf in leaves {
            left.remove(&leaf);
        }
    }
    assert!(
        left.is_empty(),
        "modules in a cycle, or above one: {left:?}"
    );
}

/// Which other top modules each top module names as `crate::..`.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in rust_files(&["src"]) {
        let module = top_module(path.strip_prefix(root().join("src")).unwrap());
        let text = without_comments_and_tests(&text);
        let used = edges.entry(module.clone()).or_default();
        for (at, _) in text.match_indices("crate::") {
            used.extend(first_segments(&text[at + "crate::".len()..]));
        }
        used.remove(&module);
    }
    let known: BTreeSet<String> = edges.keys().cloned().collect();
    for used in edges.values_mut() {
        used.retain(|module| known.contains(module));
    }
    edges
}

/// The names right behind `crate::`, of one path or of a braced list.
fn first_segments(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                names.push(name(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn layer_of(module: &str) -> (usize, &'static str) {
    LAYERS
        .iter()
        .enumerate()
        .find(|(_, (_, modules))| modules.contains(&module))
        .map(|(index, (name, _))| (index, *name))
        .unwrap_or_else(|| panic!("module {module} is in no layer of tests/tidy.rs"))
}

fn top_module(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn without_comments_and_tests(text: &str) -> String {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn rust_files(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty());
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_of_tests_is_part_of_the_one_binary() {
    let main = include_str!("main.rs");
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
    for entry in folder {
        let entry = entry.unwrap();
        if entry.path().is_dir() && !entry.path().join("mod.rs").exists() {
            // Scripts, not tests.
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        let name = name.trim_end_matches(".rs");
        let alone = include_str!("../Cargo.toml").contains(&format!("tests/{name}.rs\""));
        let known = alone || main.contains(&format!("mod {name};"));
        assert!(known, "tests/{name} is not in tests/main.rs");
    }
}
