//! A script while it is drawn up: the statements so far, and look-ups in the catalog that several of its parts need.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::body::{self, Names};
use super::catalog::{Catalog, Column, Name, Object, Relation};
use super::graph::{Body, Item, Phase};
use super::slot::{SCHEMA, ident, literal};
use super::{Error, Nulled, Uncloned};

/// The schema's slot within a literal.
const SCHEMA_IN_TEXT: &str = "\0sq";

pub(crate) struct Draft<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) schema: &'a str,
    pub(crate) items: Vec<Item>,
    /// What can't be cloned, and what would need it.
    pub(crate) broken: HashSet<Object>,
    pub(crate) uncloned: Vec<Uncloned>,
    pub(crate) nulled: Vec<Nulled>,
    /// How `comment on` and `alter .. owner` call each object.
    pub(crate) called: BTreeMap<Object, String>,
    /// The objects that are handed over one by one.
    pub(crate) owned: Vec<Object>,
    /// Whether the rows of `users` are copied like all others.
    pub(crate) keeps_users: bool,
    /// Whether somebody else brings the rows, and nobody's rights are drawn up.
    pub(crate) bare: bool,
    /// Statements that mend, under a new name of the schema, what names it in text.
    pub(crate) mending: Vec<String>,
    pub(crate) by_oid: HashMap<u32, &'a Relation>,
    known: HashSet<String>,
    needs: HashMap<Object, Vec<(i32, Object)>>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(catalog: &'a Catalog, schema: &'a str) -> Self {
        let mut needs: HashMap<Object, Vec<(i32, Object)>> = HashMap::new();
        let sequences: HashSet<u32> = catalog.sequences.iter().map(|s| s.oid).collect();
        for d in &catalog.dependencies {
            // A sequence is made before the column that owns it.
            let owned = d.kind == "a" && d.class == "pg_class" && sequences.contains(&d.oid);
            // What partitions share with their parents is attached by statements of its own.
            if !owned && !matches!(d.kind.as_str(), "P" | "S") {
                let on = (d.on_class.clone(), d.on);
                needs
                    .entry((d.class.clone(), d.oid))
                    .or_default()
                    .push((d.column, on));
            }
        }
        let known = (catalog.relations.iter().map(|r| &r.name))
            .chain(catalog.types.iter().map(|t| &t.name))
            .chain(catalog.routines.iter().map(|r| &r.name))
            .cloned()
            .collect();
        Self {
            catalog,
            schema,
            items: Vec::new(),
            broken: HashSet::new(),
            uncloned: Vec::new(),
            nulled: Vec::new(),
            called: BTreeMap::new(),
            owned: Vec::new(),
            keeps_users: false,
            bare: false,
            mending: Vec::new(),
            by_oid: catalog.relations.iter().map(|r| (r.oid, r)).collect(),
            known,
            needs,
        }
    }

    /// What names of the schema look like in text.
    pub(crate) fn names(&self) -> Names<'_> {
        Names {
            schema: self.schema,
            known: &self.known,
            foreign: &self.catalog.foreign,
        }
    }

    /// All that an object needs, with or without that of its columns.
    pub(crate) fn needs(&self, class: &str, oid: u32) -> Vec<Object> {
        self.needs
            .get(&object(class, oid))
            .into_iter()
            .flatten()
            .map(|(_, o)| o.clone())
            .collect()
    }

    /// What one column of a relation needs, or with 0 the relation itself.
    pub(crate) fn needs_of_column(&self, relation: u32, column: i32) -> Vec<Object> {
        let all = self.needs.get(&object("pg_class", relation));
        all.into_iter()
            .flatten()
            .filter(|(c, _)| *c == column)
            .map(|(_, o)| o.clone())
            .collect()
    }

    /// Whether an expression needs code of the schema, or relations other than its own and sequences.
    pub(crate) fn is_late(&self, class: &str, oid: u32, relation: u32) -> bool {
        let catalog = self.catalog;
        self.needs(class, oid)
            .iter()
            .any(|(class, on)| match class.as_str() {
                "pg_proc" => catalog.routines.iter().any(|r| r.oid == *on),
                "pg_operator" => catalog.operators.iter().any(|o| o.oid == *on),
                "pg_class" => *on != relation && self.by_oid.get(on).is_some_and(|r| r.kind != "S"),
                _ => false,
            })
    }

    pub(crate) fn columns(&self, relation: u32) -> &'a [Column] {
        self.catalog
            .columns
            .get(&relation)
            .map_or(&[], Vec::as_slice)
    }

    /// Adds one statement.
    pub(crate) fn add(
        &mut self,
        phase: Phase,
        called: (&'static str, &str),
        sql: String,
        covers: Vec<Object>,
        needs: Vec<Object>,
    ) {
        self.add_part(phase, called, String::new(), sql, covers, needs);
    }

    /// Adds a statement that may be joined with its neighbours of the same head.
    pub(crate) fn add_part(
        &mut self,
        phase: Phase,
        (kind, name): (&'static str, &str),
        head: String,
        rest: String,
        covers: Vec<Object>,
        needs: Vec<Object>,
    ) {
        self.items.push(Item {
            phase,
            kind,
            name: name.to_owned(),
            body: Body::Sql { head, rest },
            covers,
            needs,
        });
    }

    /// Notes an object that can't be cloned, and that nothing which needs it can be either.
    pub(crate) fn leave_out(&mut self, kind: &str, name: &str, reason: &str, objects: &[Object]) {
        self.broken.extend(objects.iter().cloned());
        self.miss(kind, name, reason);
    }

    /// Notes something beside the schema's own objects that is not there.
    pub(crate) fn miss(&mut self, kind: &str, name: &str, reason: &str) {
        self.list(kind, name, reason, true);
    }

    /// Notes a trait that an object of the copy lacks.
    pub(crate) fn note(&mut self, kind: &str, name: &str, reason: &str) {
        self.list(kind, name, reason, false);
    }

    fn list(&mut self, kind: &str, name: &str, reason: &str, missing: bool) {
        let (kind, name, reason) = (kind.to_owned(), name.to_owned(), reason.to_owned());
        self.uncloned.push(Uncloned {
            kind,
            name,
            reason,
            missing,
        });
    }

    /// Notes how an object is called, and that it is handed over by itself.
    pub(crate) fn owns(&mut self, object: Object, called: String) {
        self.called.insert(object.clone(), called);
        self.owned.push(object);
    }

    /// A qualified name: in the copy for what the schema itself holds, elsewhere for the rest.
    pub(crate) fn qualified(&self, (schema, name): &Name) -> String {
        let here = schema == self.schema && !self.catalog.foreign.contains(name);
        if here {
            format!("{SCHEMA}.{}", ident(name))
        } else {
            format!("{}.{}", ident(schema), ident(name))
        }
    }

    /// The same for an operator, which is not quoted.
    pub(crate) fn operator(&self, (schema, name): &Name) -> String {
        let here = schema == self.schema && self.catalog.operators.iter().any(|o| o.name == *name);
        let schema = if here {
            SCHEMA.to_owned()
        } else {
            ident(schema)
        };
        format!("operator({schema}.{name})")
    }

    /// A relation's qualified name in the copy.
    pub(crate) fn relation(&self, oid: u32) -> String {
        self.by_oid
            .get(&oid)
            .map_or_else(String::new, |r| here(&r.name))
    }

    /// Takes what needs something broken out of the script, and names it.
    pub(crate) fn prune(&mut self) {
        loop {
            let broken = &self.broken;
            let hit = self.items.iter().position(|item| {
                let parts: &[_] = if let Body::Parts { parts, .. } = &item.body {
                    parts
                } else {
                    &[]
                };
                let last: &[_] = if let Body::Parts { last, .. } = &item.body {
                    last
                } else {
                    &[]
                };
                (item.needs.iter())
                    .chain(parts.iter().chain(last).flat_map(|p| &p.needs))
                    .any(|o| broken.contains(o))
            });
            let Some(hit) = hit else { break };
            let item = self.items.swap_remove(hit);
            self.called.retain(|o, _| !item.covers.contains(o));
            self.owned.retain(|o| !item.covers.contains(o));
            // A comment goes with what it is on, and is not named by itself.
            if item.phase == Phase::Comment {
                continue;
            }
            self.leave_out(
                item.kind,
                &item.name,
                "needs what can't be cloned",
                &item.covers,
            );
        }
    }

    /// Names what has an object of the template in a text that is copied as it stands, since a rename could not mend it.
    pub(crate) fn note_texts(&mut self) {
        let texts = |item: &Item| match &item.body {
            Body::Sql { rest: sql, .. } | Body::Replaced { sql, .. } => vec![sql.clone()],
            Body::Parts { parts, last, .. } => {
                parts.iter().chain(last).map(|p| p.sql.clone()).collect()
            }
        };
        let names = self.names();
        let found = |item: &&Item| {
            let before = |text: &String| text.matches(SCHEMA_IN_TEXT).count();
            texts(item)
                .iter()
                .any(|t| before(&body::literals(t, &names)) > before(t))
        };
        let items = self
            .items
            .iter()
            .filter(|i| i.phase != Phase::Comment)
            .filter(found);
        let found: Vec<(&str, String)> = items.map(|i| (i.kind, i.name.clone())).collect();
        for (kind, name) in found {
            self.note(
                kind,
                &name,
                "copied, but a text in it names the template's schema and stays as it is",
            );
        }
    }

    /// The comments on everything that has a name here.
    pub(crate) fn comments(&mut self) {
        for comment in &self.catalog.comments {
            let on = object(&comment.class, comment.oid);
            let called = if comment.column > 0 {
                let column = self
                    .columns(comment.oid)
                    .iter()
                    .find(|c| c.number == comment.column);
                let relation = match self.by_oid.get(&comment.oid) {
                    Some(relation) => Some(here(&relation.name)),
                    None => (self.catalog.types.iter())
                        .find(|t| t.relation == comment.oid)
                        .map(|t| here(&t.name)),
                };
                column
                    .zip(relation)
                    .map(|(c, r)| format!("column {r}.{}", ident(&c.name)))
            } else {
                self.called.get(&on).cloned()
            };
            if let Some(called) = called {
                let sql = format!("comment on {called} is {}", literal(&comment.text));
                self.add(
                    Phase::Comment,
                    ("comment", &called),
                    sql,
                    Vec::new(),
                    vec![on],
                );
            }
        }
    }

    /// The statements that hand the copy over to the role in the owner's slot.
    pub(crate) fn handover(&self) -> Vec<String> {
        let called = self.owned.iter().filter_map(|o| self.called.get(o));
        called
            .map(|called| format!("alter {called} owner to {}", super::slot::OWNER))
            .collect()
    }

    /// Refuses a column that can't do without the row of `users` that it refers to.
    pub(crate) fn not_null_reference(table: &str, column: &str) -> Error {
        Error::NotNullReference {
            table: table.to_owned(),
            column: column.to_owned(),
        }
    }
}

/// An object by the catalog that holds it.
pub(crate) fn object(class: &str, oid: u32) -> Object {
    (class.to_owned(), oid)
}

/// A name in the copy.
pub(crate) fn here(name: &str) -> String {
    format!("{SCHEMA}.{}", ident(name))
}

/// A name in the template.
pub(crate) fn there(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// A list of options such as `fillfactor=70`, as `with` and `set` take them.
pub(crate) fn options(own: Option<&Vec<String>>, toast: Option<&Vec<String>>) -> Option<String> {
    let one = |prefix: &str, option: &String| {
        let (name, value) = option.split_once('=').unwrap_or((option, "true"));
        format!("{prefix}{} = {}", ident(name), literal(value))
    };
    let list: Vec<String> = (own.into_iter().flatten().map(|o| one("", o)))
        .chain(toast.into_iter().flatten().map(|o| one("toast.", o)))
        .collect();
    (!list.is_empty()).then(|| format!("({})", list.join(", ")))
}
