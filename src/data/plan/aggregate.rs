//! Planning of figures over many rows.

use super::{Output, Predicate, Read, Scope, brief};
use crate::data::catalog::TypeKind;
use crate::data::request::{Aggregate, Count, Measure, Place, Summary};
use crate::problem::{Kind, Problem};

impl Scope<'_> {
    pub(super) fn aggregate(&self, table: usize, aggregate: &Aggregate) -> Result<Read, Problem> {
        let filter = aggregate.filter.iter();
        let outputs = aggregate.measures.iter().enumerate().map(|(at, measure)| {
            Ok(Output::Measure {
                key: at.to_string(),
                summary: measure.summary,
                column: self.measured(table, measure)?,
            })
        });
        Ok(Read {
            table,
            outputs: outputs.collect::<Result<_, Problem>>()?,
            predicate: Predicate::And(
                filter
                    .map(|filter| self.filter(table, filter, 0))
                    .collect::<Result<_, Problem>>()?,
            ),
            order: Vec::new(),
            after: None,
            limit: None,
            peek: false,
            offset: 0,
            count: Count::None,
            single: true,
            cursor: false,
        })
    }

    fn measured(&self, table: usize, measure: &Measure) -> Result<Option<usize>, Problem> {
        let Some(name) = &measure.column else {
            return Ok(None);
        };
        let at = Place::from(measure.summary.name());
        let column = self.column(table, name, &at)?;
        let ty = &self.catalog.tables[table].columns[column].ty;
        let single = !matches!(ty.base().kind, TypeKind::Array(_));
        let fits = match measure.summary {
            Summary::Count => true,
            Summary::Sum | Summary::Avg => single && ty.is_number(),
            Summary::Min | Summary::Max => single && (ty.is_number() || ty.is_instant()),
        };
        if fits {
            return Ok(Some(column));
        }
        Err(Problem::new(Kind::InvalidParameter).field(
            at,
            format!(
                "`{}` is of type {}, of which there is no {}",
                brief(name),
                ty.shown,
                measure.summary.name()
            ),
        ))
    }
}
