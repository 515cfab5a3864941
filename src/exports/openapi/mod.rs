//! The OpenAPI document of what a credential may reach.
//!
//! One model gives both versions: the document is written as 3.1.0, and [`older`] says the same
//! in the words of 3.0.3.

pub mod answers;
mod older;
mod parts;
mod paths;
pub mod sample;
pub mod schema;

use std::collections::BTreeSet;

use super::{
    model::Model,
    tree::{Node, list, map},
};

/// The most characters of an operation's summary and description (GPT Actions).
pub const SUMMARY: usize = 300;

/// The most characters of a parameter's description (GPT Actions).
pub const PARAMETER: usize = 700;

/// The most characters of a document (GPT Actions).
pub const DOCUMENT: usize = 100_000;

/// How a document is written.
#[derive(Clone, Debug)]
pub struct Style {
    /// Which version of OpenAPI.
    pub version: Version,
    /// Where clients reach the server, without a slash at the end.
    pub public_url: String,
    /// Whether it is for GPT Actions, which send no headers of their own.
    pub actions: bool,
    /// How requests are authorised.
    pub credential: Credential,
    /// The token that anybody may use, if there is a demo.
    pub demo_token: Option<String>,
}

/// Versions of OpenAPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 3.1.0
    #[default]
    V31,
    /// 3.0.3
    V30,
}

/// How requests are authorised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A user's or account's access token, beside the tenant's key.
    User,
    /// An access token without a key: the template.
    Template,
    /// The public demo token.
    Demo,
    /// An API token.
    Token,
    /// An API token that signs its requests.
    Signed,
}

/// The document.
pub fn document(model: &Model<'_>, style: &Style) -> Node {
    let (paths, used) = paths::paths(model, style);
    let mut schemas = parts::schemas(style);
    for resource in &model.resources {
        let related = !style.actions;
        schemas.put(
            format!("{}.Row", resource.name),
            schema::row(model, resource.table, &resource.columns, related),
        );
        if resource.creates {
            let mut new = schema::body(model, resource, true, style);
            new.put("examples", list![sample::example(resource)]);
            schemas.put(format!("{}.New", resource.name), new);
        }
        if resource.updates {
            let mut change = schema::body(model, resource, false, style);
            change.put("examples", list![sample::change_example(resource)]);
            schemas.put(format!("{}.Change", resource.name), change);
        }
    }
    let mut parameters = parts::parameters(style);
    for resource in &model.resources {
        for (name, parameter) in parts::own_parameters(model, resource, style) {
            parameters.put(name, parameter);
        }
    }
    let mut components = map! {
        "securitySchemes" => security_schemes(style),
        "schemas" => schemas,
        "parameters" => parameters,
        "responses" => used.components(style),
    };
    if !style.actions {
        components.put("headers", parts::headers());
    }
    let mut document = map! {
        "openapi" => "3.1.0",
        "info" => map! {
            "title" => "Sandlot API",
            "version" => env!("CARGO_PKG_VERSION"),
            "description" => format!(
                "Tables, views and reports that your credential may reach. \
                 Numbers are written with all their digits; what is not a number comes as a string (`NaN`). \
                 Errors are problem documents, described at {}/api_docs.", style.public_url),
            "contact" => map! { "name" => "Sandlot", "url" => format!("{}/api_docs", style.public_url) },
        },
        "servers" => list![map! { "url" => format!("{}/api/v1", style.public_url) }],
        "security" => list![security(style)],
        "tags" => tags(model),
        "paths" => paths,
        "components" => components,
    };
    drop_unused(&mut document);
    match style.version {
        Version::V31 => document,
        Version::V30 => older::say(document),
    }
}

/// A reference to a component.
pub fn reference(kind: &str, name: &str) -> Node {
    map! { "$ref" => format!("#/components/{kind}/{name}") }
}

/// A text of so many characters at most, cut at a word where it is longer.
pub fn brief(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    let end = kept.rfind(' ').filter(|at| *at > 0).unwrap_or(kept.len());
    format!("{}..", &kept[..end])
}

fn security_schemes(style: &Style) -> Node {
    let header = |name: &str, description: &str| {
        map! { "type" => "apiKey", "in" => "header", "name" => name, "description" => description }
    };
    let mut description = "An access token, or an API token (`dba_..`)".to_owned();
    if let Some(token) = &style.demo_token {
        description.push_str(&format!(
            ". The public demo token is `{token}`: made-up values, and writes that are not kept"
        ));
    }
    let mut schemes = map! {
        "bearer" => map! { "type" => "http", "scheme" => "bearer", "description" => description },
    };
    if style.actions {
        return schemes;
    }
    match style.credential {
        Credential::User => {
            schemes.put("apiKey", header("Api-Key", "Which tenant is meant"));
        }
        Credential::Signed => {
            schemes.put(
                "timestamp",
                header(
                    "X-Timestamp",
                    "Seconds since 1970, within 300 of the server's",
                ),
            );
            schemes.put(
                "signature",
                header(
                    "X-Signature",
                    "HMAC-SHA256, as lower-case hex, of method, path, query string, SHA-256 of the body \
                     and timestamp, joined by line feeds",
                ),
            );
        }
        Credential::Template | Credential::Demo | Credential::Token => {}
    }
    schemes
}

/// What a request needs: all of it together.
fn security(style: &Style) -> Node {
    let mut needed = map! { "bearer" => list![] };
    if style.actions {
        return needed;
    }
    match style.credential {
        Credential::User => needed.put("apiKey", list![]),
        Credential::Signed => {
            needed.put("timestamp", list![]);
            needed.put("signature", list![]);
        }
        Credential::Template | Credential::Demo | Credential::Token => {}
    }
    needed
}

fn tags(model: &Model<'_>) -> Node {
    let mut tags: Vec<Node> = Vec::new();
    for resource in model.served() {
        let mut tag = map! { "name" => resource.noun() };
        if let Some(comment) = &resource.table.comment {
            tag.put("description", brief(comment, SUMMARY));
        }
        tags.push(tag);
    }
    for (name, there, description) in [
        (
            "Reports",
            !model.reports.is_empty(),
            "Views as reports, and figures over them",
        ),
        (
            "GraphQL",
            model.graphql.is_some(),
            "The same data by queries and mutations",
        ),
        ("SQL", model.sql, "Any one statement"),
        ("API", model.whole, "What there is"),
    ] {
        // A table may have the name; its tag then serves both.
        if there && model.served().all(|resource| resource.noun() != name) {
            tags.push(map! { "name" => name, "description" => description });
        }
    }
    tags.into()
}

/// Leaves out shared parts that nothing refers to, which a subset has many of.
fn drop_unused(document: &mut Node) {
    let mut used = BTreeSet::new();
    if let Some(paths) = document.get("paths") {
        follow(document, paths, &mut used);
    }
    let Some(Node::Map(kinds)) = document.get_mut("components") else {
        return;
    };
    for (kind, parts) in kinds.iter_mut() {
        if let Node::Map(parts) = parts
            && kind != "securitySchemes"
        {
            parts.retain(|(name, _)| used.contains(&format!("#/components/{kind}/{name}")));
        }
    }
    kinds.retain(|(_, parts)| !parts.is_empty());
}

/// Notes the references below a node, and those in what they lead to.
fn follow(document: &Node, node: &Node, used: &mut BTreeSet<String>) {
    match node {
        Node::Map(members) => {
            for (name, value) in members {
                match value.text().filter(|_| name == "$ref") {
                    None => follow(document, value, used),
                    Some(target) if used.insert(target.to_owned()) => {
                        let mut parts = target.split('/').skip(1);
                        let found = parts.try_fold(document, |node, part| node.get(part));
                        if let Some(found) = found {
                            follow(document, found, used);
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        Node::List(items) => items.iter().for_each(|item| follow(document, item, used)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_words() {
        assert_eq!(brief("short", 300), "short");
        let long = "word ".repeat(100);
        let cut = brief(&long, 300);
        assert!(cut.chars().count() <= 300 && cut.ends_with("word.."));
        assert!(brief(&"ä".repeat(400), 300).chars().count() <= 300);
    }

    #[test]
    fn parts_that_nothing_refers_to_go() {
        let mut document = map! {
            "paths" => map! { "/a" => reference("schemas", "A") },
            "components" => map! { "schemas" => map! {
                "A" => reference("schemas", "B"), "B" => map! {}, "C" => reference("schemas", "D"), "D" => map! {},
            } },
        };
        drop_unused(&mut document);
        let schemas = document.get("components").and_then(|c| c.get("schemas"));
        assert_eq!(
            schemas.map(Node::json).unwrap_or_default(),
            r##"{"A":{"$ref":"#/components/schemas/B"},"B":{}}"##
        );
    }
}
