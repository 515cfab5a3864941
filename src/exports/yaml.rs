//! Documents as YAML 1.2: blocks, with strings quoted wherever a plain one could be read as
//! something else, by a reader of YAML 1.1 too.

use super::tree::Node;

/// The document as YAML.
pub fn write(document: &Node) -> String {
    let mut out = String::new();
    match document {
        Node::Map(_) | Node::List(_) if !document.is_empty() => block(&mut out, document, 0),
        _ => {
            scalar(&mut out, document);
            out.push('\n');
        }
    }
    out
}

/// A filled object or array, one line an item; the first one starts where the line is.
fn block(out: &mut String, node: &Node, depth: usize) {
    match node {
        Node::Map(members) => {
            for (at, (name, value)) in members.iter().enumerate() {
                if at > 0 {
                    indent(out, depth);
                }
                text(out, name);
                out.push(':');
                if matches!(value, Node::Map(_) | Node::List(_)) && !value.is_empty() {
                    out.push('\n');
                    // A list stands as deep as its name, which saves what most documents are
                    // full of: blanks.
                    let deeper = match value {
                        Node::Map(_) => depth + 1,
                        _ => depth,
                    };
                    indent(out, deeper);
                    block(out, value, deeper);
                } else {
                    out.push(' ');
                    scalar(out, value);
                    out.push('\n');
                }
            }
        }
        Node::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    indent(out, depth);
                }
                out.push_str("- ");
                if matches!(item, Node::Map(_) | Node::List(_)) && !item.is_empty() {
                    block(out, item, depth + 1);
                } else {
                    scalar(out, item);
                    out.push('\n');
                }
            }
        }
        _ => {}
    }
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn scalar(out: &mut String, node: &Node) {
    match node {
        Node::Text(value) => text(out, value),
        // JSON's own words and numbers are YAML's.
        other => out.push_str(&other.json()),
    }
}

fn text(out: &mut String, value: &str) {
    if is_plain(value) {
        out.push_str(value);
    } else {
        // JSON's strings are YAML's double-quoted ones.
        out.push_str(&Node::from(value).json());
    }
}

/// Whether a string can stand without quotes.
fn is_plain(value: &str) -> bool {
    let word = value.trim_start_matches(['+', '-', '.', '_']);
    // Numbers, dates, and times in base 60 begin with a digit.
    let starts = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let inside = value.chars().all(|c| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                ' ' | '_' | '-' | '.' | '/' | ',' | '(' | ')' | ';' | '=' | '+'
            )
    });
    let lower = value.to_ascii_lowercase();
    let reserved = matches!(
        lower.as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf"
    );
    starts && inside && !reserved && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exports::tree::{list, map};

    #[test]
    fn blocks_and_scalars() {
        let document = map! {
            "openapi" => "3.1.0",
            "info" => map! { "title" => "A: b", "empty" => map! {}, "none" => Node::Null },
            "tags" => list![map! { "name" => "x", "on" => true }, list![1_i64, list![]], "plain text"],
        };
        assert_eq!(
            write(&document),
            "openapi: \"3.1.0\"\ninfo:\n  title: \"A: b\"\n  empty: {}\n  none: null\n\
             tags:\n- name: x\n  \"on\": true\n- - 1\n  - []\n- plain text\n"
        );
    }

    #[test]
    fn what_could_be_something_else_is_quoted() {
        for quoted in [
            "",
            "yes",
            "No",
            "null",
            "1",
            "1e3",
            "0x1f",
            "2024-02-29",
            "12:30",
            "- a",
            "a: b",
            "a #b",
            "*a",
            "a\nb",
            " a",
            "a ",
            "ä",
            "#/x",
            ".inf",
            "-.5",
            "=",
        ] {
            assert!(!is_plain(quoted), "{quoted:?}");
        }
        for plain in ["a", "a b", "text/csv", "clients.Row", "x-y", "_a"] {
            assert!(is_plain(plain), "{plain:?}");
        }
    }
}
