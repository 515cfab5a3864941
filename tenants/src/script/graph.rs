//! Puts the statements of a script into an order in which each finds what it needs.
//!
//! Of all statements that could come next, the one of the earliest phase comes next. Where objects need each other in a
//! circle (tables with columns of each other's row types, a view over a function that reads the view), one of them is made
//! in two steps.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::catalog::Object;

/// What is made, with all that its statement needs to be there before it.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) phase: Phase,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) body: Body,
    /// The objects that exist once this has run.
    pub(crate) covers: Vec<Object>,
    pub(crate) needs: Vec<Object>,
}

/// When a statement runs, other things being equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    Type,
    Sequence,
    Routine,
    Table,
    Attach,
    Rows,
    Value,
    Default,
    Index,
    Check,
    View,
    Content,
    ForeignKey,
    Setting,
    Statistics,
    Rule,
    Trigger,
    Security,
    Comment,
}

#[derive(Clone)]
pub(crate) enum Body {
    /// A statement; neighbours with the same `head` that is not empty are joined by commas.
    Sql { head: String, rest: String },
    /// A statement that can stand in, with what that needs, until the whole one replaces it.
    Replaced {
        stub: String,
        stub_needs: Vec<Object>,
        sql: String,
    },
    /// A list of columns, which can be made in part: `create`, the parts, `close`; later `head`, `add` and a part. The
    /// last ones (constraints) come after all parts.
    Parts {
        create: String,
        parts: Vec<Part>,
        last: Vec<Part>,
        close: String,
        head: String,
        add: &'static str,
    },
}

#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) sql: String,
    pub(crate) needs: Vec<Object>,
}

/// Orders the statements.
///
/// # Errors
/// The names of what is left, if it needs itself in a circle that cannot be broken.
pub(crate) fn order(items: &[Item]) -> Result<Vec<String>, Vec<String>> {
    let mut work = Work::new(items);
    while !work.open.is_empty() {
        let next = work.ready.pop_first();
        match next {
            Some((_, _, index)) => work.finish(index),
            None => {
                if !work.break_circle() {
                    return Err(work
                        .open
                        .iter()
                        .map(|i| format!("{} {}", items[*i].kind, items[*i].name))
                        .collect());
                }
            }
        }
    }
    Ok(join(work.out))
}

struct Work<'a> {
    items: &'a [Item],
    by_object: HashMap<&'a Object, usize>,
    /// For each item, the items that it still waits for.
    waits: Vec<HashSet<usize>>,
    users: Vec<Vec<usize>>,
    open: BTreeSet<usize>,
    ready: BTreeSet<(Phase, &'a str, usize)>,
    /// How many parts an item that was begun has got so far.
    begun: HashMap<usize, usize>,
    out: Vec<(String, String)>,
}

impl<'a> Work<'a> {
    fn new(items: &'a [Item]) -> Self {
        let by_object: HashMap<&Object, usize> = items
            .iter()
            .enumerate()
            .flat_map(|(i, item)| item.covers.iter().map(move |o| (o, i)))
            .collect();
        let mut waits: Vec<HashSet<usize>> = Vec::new();
        let mut users = vec![Vec::new(); items.len()];
        for (i, item) in items.iter().enumerate() {
            let parts: &[Part] = if let Body::Parts { parts, .. } = &item.body {
                parts
            } else {
                &[]
            };
            let last: &[Part] = if let Body::Parts { last, .. } = &item.body {
                last
            } else {
                &[]
            };
            let needs: HashSet<usize> = (item.needs.iter())
                .chain(parts.iter().chain(last).flat_map(|p| &p.needs))
                .filter_map(|o| by_object.get(o).copied())
                .filter(|n| *n != i)
                .collect();
            for need in &needs {
                users[*need].push(i);
            }
            waits.push(needs);
        }
        let ready = (items.iter().enumerate())
            .filter(|(i, _)| waits[*i].is_empty())
            .map(|(i, item)| (item.phase, item.name.as_str(), i))
            .collect();
        Self {
            items,
            by_object,
            waits,
            users,
            open: (0..items.len()).collect(),
            ready,
            begun: HashMap::new(),
            out: Vec::new(),
        }
    }

    fn finish(&mut self, index: usize) {
        let begun = self.begun.get(&index).copied();
        match &self.items[index].body {
            Body::Sql { head, rest } => self.out.push((head.clone(), rest.clone())),
            Body::Replaced { sql, .. } => self.out.push((String::new(), sql.clone())),
            Body::Parts {
                create,
                parts,
                last,
                close,
                head,
                add,
            } => match begun {
                None => {
                    let all: Vec<&str> = parts.iter().chain(last).map(|p| p.sql.as_str()).collect();
                    self.out
                        .push((String::new(), format!("{create}{}{close}", all.join(", "))));
                }
                Some(done) => {
                    for part in &parts[done..] {
                        self.out.push((head.clone(), format!("{add}{}", part.sql)));
                    }
                    for part in last {
                        self.out.push((head.clone(), format!("add {}", part.sql)));
                    }
                }
            },
        }
        self.open.remove(&index);
        for user in self.users[index].clone() {
            self.arrive(user, index);
        }
    }

    fn arrive(&mut self, user: usize, need: usize) {
        if self.waits[user].remove(&need) && self.waits[user].is_empty() {
            self.ready
                .insert((self.items[user].phase, &self.items[user].name, user));
        }
    }

    /// Begins one item of a circle, for those that it waits for to go on.
    fn break_circle(&mut self) -> bool {
        let mut candidates: Vec<usize> = self
            .open
            .iter()
            .copied()
            .filter(|i| !self.begun.contains_key(i))
            .collect();
        candidates.sort_by_key(|i| (self.items[*i].phase, &self.items[*i].name));
        for index in candidates {
            let circle = self.reached_from(index);
            if !circle.contains(&index) {
                continue;
            }
            let there = |objects: &[Object]| {
                objects.iter().all(|o| {
                    self.by_object
                        .get(o)
                        .is_none_or(|i| *i == index || !self.open.contains(i))
                })
            };
            let (done, sql) = match &self.items[index].body {
                Body::Replaced {
                    stub, stub_needs, ..
                } if there(stub_needs) => (0, stub.clone()),
                Body::Parts {
                    create,
                    parts,
                    close,
                    ..
                } if there(&self.items[index].needs) => {
                    let done = parts.iter().take_while(|p| there(&p.needs)).count();
                    let made: Vec<&str> = parts[..done].iter().map(|p| p.sql.as_str()).collect();
                    (done, format!("{create}{}{close}", made.join(", ")))
                }
                _ => continue,
            };
            self.out.push((String::new(), sql));
            self.begun.insert(index, done);
            // Only what the item itself waits for may make do with the half of it.
            for user in self.users[index].clone() {
                if circle.contains(&user) {
                    self.arrive(user, index);
                }
            }
            return true;
        }
        false
    }

    /// All that an item waits for, directly or not.
    fn reached_from(&self, index: usize) -> HashSet<usize> {
        let mut seen = HashSet::new();
        let mut stack = vec![index];
        while let Some(at) = stack.pop() {
            for next in &self.waits[at] {
                if seen.insert(*next) {
                    stack.push(*next);
                }
            }
        }
        seen
    }
}

fn join(statements: Vec<(String, String)>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut last = String::new();
    for (head, rest) in statements {
        match out.last_mut() {
            Some(text) if !head.is_empty() && head == last => {
                text.push_str(", ");
                text.push_str(&rest);
            }
            _ => out.push(format!("{head}{rest}")),
        }
        last = head;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(oid: u32) -> Object {
        ("pg_class".to_owned(), oid)
    }

    fn sql(phase: Phase, oid: u32, needs: &[u32]) -> Item {
        Item {
            phase,
            kind: "thing",
            name: format!("n{oid}"),
            body: Body::Sql {
                head: String::new(),
                rest: format!("s{oid}"),
            },
            covers: vec![object(oid)],
            needs: needs.iter().copied().map(object).collect(),
        }
    }

    fn table(oid: u32, columns: &[(&str, u32)]) -> Item {
        let part = |(name, need): &(&str, u32)| Part {
            sql: (*name).to_owned(),
            needs: vec![object(*need)],
        };
        Item {
            body: Body::Parts {
                create: format!("t{oid}("),
                parts: columns.iter().map(part).collect(),
                close: ")".to_owned(),
                last: Vec::new(),
                head: format!("alter t{oid} "),
                add: "add column ",
            },
            ..sql(Phase::Table, oid, &[])
        }
    }

    #[test]
    fn phases_give_way_to_needs() {
        let items = [
            sql(Phase::Rows, 1, &[3]),
            sql(Phase::Type, 2, &[]),
            sql(Phase::View, 3, &[]),
        ];
        assert_eq!(
            order(&items),
            Ok(vec!["s2".into(), "s3".into(), "s1".into()])
        );
    }

    #[test]
    fn tables_of_each_others_types_are_made_in_two_steps() {
        let items = [
            table(1, &[("a", 0), ("b", 2), ("c", 0)]),
            table(2, &[("d", 1)]),
            sql(Phase::Rows, 3, &[1]),
        ];
        assert_eq!(
            order(&items),
            Ok(vec![
                "t1(a)".into(),
                "t2(d)".into(),
                "alter t1 add column b, add column c".into(),
                "s3".into()
            ])
        );
    }

    #[test]
    fn a_circle_that_nothing_can_break_is_named() {
        let items = [sql(Phase::Type, 1, &[2]), sql(Phase::Type, 2, &[1])];
        assert_eq!(
            order(&items),
            Err(vec!["thing n1".into(), "thing n2".into()])
        );
    }
}
