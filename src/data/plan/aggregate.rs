//! Planning of figures over rows.

use super::{Figure, Grouping, Scope, Summary, brief};
use crate::data::catalog::{Type, TypeKind, types::oid};
use crate::data::request::{Aggregate, Function, Group, Measure};
use crate::problem::{Kind, Problem};
use std::collections::HashSet;

/// Built-in types that `min` and `max` of `pg_catalog` take, beside numbers, texts and instants.
const COMPARABLE: [u32; 8] = [
    oid::TIME,
    oid::TIMETZ,
    oid::INTERVAL,
    oid::OID,
    // money, inet, pg_lsn, xid8
    790,
    869,
    3220,
    5069,
];

impl Scope<'_> {
    pub(super) fn aggregate(
        &self,
        table: usize,
        aggregate: &Aggregate,
    ) -> Result<Summary, Problem> {
        let mut names: Vec<&str> = Vec::new();
        let mut groups = Vec::with_capacity(aggregate.groups.len());
        for group in &aggregate.groups {
            groups.push((group.key.clone(), self.group(table, group)?));
            names.push(&group.key);
        }
        let mut measures = Vec::with_capacity(aggregate.measures.len());
        for measure in &aggregate.measures {
            measures.push((measure.key.clone(), self.measure(table, measure)?));
            names.push(&measure.key);
        }
        let mut known = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !known.insert(**name)) {
            return Err(Problem::new(Kind::InvalidParameter)
                .detail(format!("`{}` names two parts of the answer.", brief(twice))));
        }
        let mut order = Vec::new();
        for ranking in &aggregate.order {
            let Some(at) = names.iter().position(|name| *name == ranking.key) else {
                return Err(Problem::new(Kind::InvalidParameter).field(
                    ranking.at.clone(),
                    format!("`{}` is none of {}", brief(&ranking.key), names.join(", ")),
                ));
            };
            if !order.iter().any(|(known, _)| *known == at) {
                order.push((at, ranking.descending));
            }
        }
        // Groups are distinct, so all of them together leave no ties.
        for at in 0..groups.len() {
            if !order.iter().any(|(known, _)| *known == at) {
                order.push((at, false));
            }
        }
        Ok(Summary {
            groups,
            measures,
            predicate: self.matching(table, &aggregate.rows)?,
            order,
            limit: aggregate.rows.page.limit,
            offset: aggregate.rows.page.offset,
        })
    }

    fn group(&self, table: usize, group: &Group) -> Result<Grouping, Problem> {
        let column = self.column(table, &group.column, &group.at)?;
        let ty = &self.catalog.tables[table].columns[column].ty;
        let refuse = |what: &str| {
            Problem::new(Kind::InvalidParameter).field(
                group.at.clone(),
                format!("`{}` is of type {}, {what}", brief(&group.column), ty.shown),
            )
        };
        if group.period.is_some() && !ty.is_instant() {
            return Err(refuse("which is no instant or day"));
        }
        if ty.ordered.is_none() {
            return Err(refuse("whose values can't be put in groups"));
        }
        Ok(Grouping {
            column,
            period: group.period,
        })
    }

    fn measure(&self, table: usize, measure: &Measure) -> Result<Figure, Problem> {
        let refuse = |message: String| {
            Problem::new(Kind::InvalidParameter).field(measure.at.clone(), message)
        };
        let function = measure.function;
        let Some(name) = &measure.column else {
            if function != Function::Count || measure.distinct {
                return Err(refuse(format!("`{}` needs a column", function.name())));
            }
            return Ok(Figure {
                function,
                column: None,
                distinct: false,
            });
        };
        let column = self.column(table, name, &measure.at)?;
        let ty = &self.catalog.tables[table].columns[column].ty;
        let fits = match function {
            Function::Count => !measure.distinct || ty.ordered.is_some(),
            Function::Sum => is_summable(ty) || ty.base().name == "money",
            Function::Avg => is_summable(ty),
            Function::Min | Function::Max => has_extremes(ty),
        };
        if !fits || (measure.distinct && ty.ordered.is_none()) {
            return Err(refuse(format!(
                "`{}` does not go with `{}`, which is of type {}",
                function.name(),
                brief(name),
                ty.shown
            )));
        }
        Ok(Figure {
            function,
            column: Some(column),
            distinct: measure.distinct,
        })
    }
}

fn is_summable(ty: &Type) -> bool {
    ty.is_number() || ty.base().oid == oid::INTERVAL
}

fn has_extremes(ty: &Type) -> bool {
    let base = ty.base();
    ty.is_number()
        || ty.is_text()
        || ty.is_instant()
        || COMPARABLE.contains(&base.oid)
        || matches!(base.kind, TypeKind::Enum(_))
        || (matches!(base.kind, TypeKind::Array(_)) && base.ordered.is_some())
}
