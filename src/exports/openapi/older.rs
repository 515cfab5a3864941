//! A document of OpenAPI 3.1 in the words of 3.0.3: its schemas are not quite JSON Schema.

use super::super::tree::{Node, list, map};

/// The same document as 3.0.3.
pub fn say(mut document: Node) -> Node {
    if let Some(version) = document.get_mut("openapi") {
        *version = "3.0.3".into();
    }
    for part in ["paths", "components"] {
        if let Some(part) = document.get_mut(part) {
            below(part);
        }
    }
    document
}

/// Schemas are found by what only schemas have, or by the member that holds one.
fn below(node: &mut Node) {
    schema(node);
    let named = match node {
        Node::Map(members) => members
            .iter_mut()
            // What a client sends or gets is data, whatever it looks like.
            .filter(|(name, _)| {
                !matches!(name.as_str(), "example" | "examples" | "enum" | "default")
            })
            .map(|(name, value)| (name == "properties", value))
            .collect::<Vec<_>>(),
        Node::List(items) => items.iter_mut().map(|value| (false, value)).collect(),
        _ => Vec::new(),
    };
    for (properties, value) in named {
        // A column may be called `type`, or `examples`.
        if properties {
            for property in value.below() {
                below(property);
            }
        } else {
            below(value);
        }
    }
}

fn schema(node: &mut Node) {
    if let Some(Node::List(examples)) = node.get("examples") {
        let first = examples.first().cloned();
        node.take("examples");
        if let Some(first) = first {
            node.put("example", first);
        }
    }
    node.take("contentMediaType");
    // There is no type for null alone.
    if node.get("type").and_then(Node::text) == Some("null") {
        *node = map! { "type" => "object", "nullable" => true };
    }
    if let Some(Node::List(kinds)) = node.get("type") {
        let kind = kinds
            .iter()
            .find(|kind| kind.text() != Some("null"))
            .cloned();
        let nullable = kinds.iter().any(|kind| kind.text() == Some("null"));
        if let (Some(slot), Some(kind)) = (node.get_mut("type"), kind) {
            *slot = kind;
        }
        if nullable {
            node.put("nullable", true);
        }
    }
    if let Some(Node::List(any)) = node.get("anyOf") {
        let null = map! { "type" => "null" };
        let others: Vec<Node> = any.iter().filter(|one| **one != null).cloned().collect();
        if others.len() < any.len() {
            node.take("anyOf");
            // Nulls are allowed beside a type alone; what can be absent is a related row.
            node.put("type", "object");
            node.put("nullable", true);
            node.put("allOf", others);
        }
    }
    // Beside a reference nothing counts (Reference Object).
    if node.get("$ref").is_some()
        && let Node::Map(members) = node
        && members.len() > 1
        && let Some(at) = members.iter().position(|(name, _)| name == "$ref")
    {
        let (name, target) = members.remove(at);
        members.push(("allOf".to_owned(), list![Node::Map(vec![(name, target)])]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_examples_and_references() {
        let made = say(map! {
            "openapi" => "3.1.0",
            "components" => map! { "schemas" => map! { "a" => map! {
                "type" => "object",
                "properties" => map! {
                    "examples" => map! { "type" => list!["string", "null"], "enum" => list!["x", Node::Null] },
                    "b" => map! { "anyOf" => list![map! { "$ref" => "#/b" }, map! { "type" => "null" }] },
                    "c" => map! { "$ref" => "#/c", "description" => "d" },
                    "n" => map! { "type" => "null" },
                },
                "examples" => list![map! { "type" => list!["left alone"] }],
            } } },
        });
        assert_eq!(
            made.json(),
            concat!(
                r##"{"openapi":"3.0.3","components":{"schemas":{"a":{"type":"object","properties":{"##,
                r##""examples":{"type":"string","enum":["x",null],"nullable":true},"##,
                r##""b":{"type":"object","nullable":true,"allOf":[{"$ref":"#/b"}]},"##,
                r##""c":{"description":"d","allOf":[{"$ref":"#/c"}]},"##,
                r##""n":{"type":"object","nullable":true}},"##,
                r##""example":{"type":["left alone"]}}}}}"##
            )
        );
    }
}
