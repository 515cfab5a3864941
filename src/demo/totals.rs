//! What adds up in the template: a total of its parts, an amount of the rows that belong to it. It is found by trying the
//! known forms on all rows, and made to hold in the demo.
//!
//! Of the amounts themselves nothing is read out of the database: each form answers whether it holds of all rows.

use tenants::names::quote_ident;
use tokio_postgres::Client;

use crate::data::catalog::{Table, Type};

use super::{facts::Facts, guesses::Look, rows::from, rules::Rules, verdict::Judged, worked::Form};

/// A number that is worked out of others of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// The column that it is.
    pub column: usize,
    /// How.
    pub form: Form,
    /// Of which columns.
    pub parts: Vec<usize>,
}

/// What is added up over the rows that belong to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// The rows themselves are counted.
    Rows,
    /// A column.
    Column(usize),
    /// What is worked out of columns.
    Form(Form, Vec<usize>),
}

/// A number of a row that is what those that belong to it come to together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The table that it stands in.
    pub table: usize,
    /// The column that it is.
    pub column: usize,
    /// The table whose rows belong to it.
    pub child: usize,
    /// Position of the key in that table's.
    pub key: usize,
    /// What is added up.
    pub of: Of,
    /// Whether it is 0 where no row belongs to it.
    pub none: bool,
}

/// All that adds up.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    sums: Vec<Sum>,
    formulas: Vec<(usize, Vec<Formula>)>,
}

impl Totals {
    /// Tries the forms on the tables of `schema`, those apart whose amounts the rules say.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find(
        client: &Client,
        facts: &Facts,
        judged: &[Vec<Judged>],
        rules: &Rules,
        schema: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let mut totals = Self::default();
        let look = Look {
            client,
            facts,
            judged,
            schema,
        };
        for child in 0..facts.catalog.tables.len() {
            for key in 0..facts.catalog.tables[child].foreign_keys.len() {
                let foreign = &facts.catalog.tables[child].foreign_keys[key];
                let parent = &facts.catalog.tables[foreign.table];
                if foreign.table != child
                    && facts.has_rows(child)
                    && facts.has_rows(foreign.table)
                    && !rules.works_on(&parent.name)
                {
                    for sum in look.sums(child, key).await? {
                        let known = totals
                            .sums
                            .iter()
                            .any(|known| (known.table, known.column) == (sum.table, sum.column));
                        if !known {
                            totals.sums.push(sum);
                        }
                    }
                }
            }
        }
        for at in 0..facts.catalog.tables.len() {
            if facts.has_rows(at) && !rules.works_on(&facts.catalog.tables[at].name) {
                let summed: Vec<usize> = totals
                    .sums
                    .iter()
                    .filter(|sum| sum.table == at)
                    .map(|sum| sum.column)
                    .collect();
                let formulas = look.formulas(at, &summed).await?;
                if !formulas.is_empty() {
                    totals.formulas.push((at, formulas));
                }
            }
        }
        Ok(totals)
    }

    /// What is worked out within the rows of a table, in an order that works.
    pub fn formulas(&self, table: usize) -> &[Formula] {
        self.formulas
            .iter()
            .find(|(at, _)| *at == table)
            .map_or(&[], |(_, formulas)| formulas)
    }

    /// What was found, for people.
    pub fn words(&self, facts: &Facts) -> Vec<String> {
        let mut words = Vec::new();
        for sum in &self.sums {
            let (table, child) = (
                &facts.catalog.tables[sum.table],
                &facts.catalog.tables[sum.child],
            );
            let name = |at: &usize| format!("{}.{}", child.name, child.columns[*at].name);
            let of = match &sum.of {
                Of::Rows => format!("how many {} there are", child.name),
                Of::Column(at) => format!("the sum of {}", name(at)),
                Of::Form(form, parts) => {
                    let parts: Vec<String> = parts.iter().map(name).collect();
                    format!("the sum of {}", form.text(&parts))
                }
            };
            words.push(format!(
                "{}.{} is {of}",
                table.name, table.columns[sum.column].name
            ));
        }
        for (at, formulas) in &self.formulas {
            let table = &facts.catalog.tables[*at];
            for formula in formulas {
                let parts: Vec<String> = formula
                    .parts
                    .iter()
                    .map(|part| table.columns[*part].name.clone())
                    .collect();
                words.push(format!(
                    "{}.{} is {}",
                    table.name,
                    table.columns[formula.column].name,
                    formula.form.text(&parts)
                ));
            }
        }
        words
    }

    /// Statements that put the sums into the rows of `schema`, and what is worked out of them; those whose rows go into
    /// other sums first. `skip` says of which tables nothing is to be done.
    pub fn statements(
        &self,
        facts: &Facts,
        judged: &[Vec<Judged>],
        schema: &str,
        skip: impl Fn(usize) -> bool,
    ) -> Vec<String> {
        let mut left: Vec<usize> = Vec::new();
        for sum in &self.sums {
            if !left.contains(&sum.table) && !skip(sum.table) {
                left.push(sum.table);
            }
        }
        let mut statements = Vec::new();
        while !left.is_empty() {
            // One whose children have no sums that are still to be put; in a circle, just the first.
            let ready = left.iter().position(|table| {
                self.sums
                    .iter()
                    .filter(|sum| sum.table == *table)
                    .all(|sum| !left.contains(&sum.child))
            });
            let table = left.remove(ready.unwrap_or(0));
            statements.push(self.statement(facts, judged, schema, table));
        }
        statements
    }

    fn statement(&self, facts: &Facts, judged: &[Vec<Judged>], schema: &str, at: usize) -> String {
        let table = &facts.catalog.tables[at];
        let free = |column: usize| {
            let summed = self
                .sums
                .iter()
                .any(|sum| (sum.table, sum.column) == (at, column));
            let worked = self
                .formulas(at)
                .iter()
                .any(|formula| formula.column == column);
            !summed && !worked && judged[at][column].verdict.made().is_some()
        };
        let (mut joins, mut news): (String, Vec<(usize, String)>) = (String::new(), Vec::new());
        for (place, sum) in self.sums.iter().filter(|sum| sum.table == at).enumerate() {
            let child = &facts.catalog.tables[sum.child];
            let (keys, on) = pairs(facts, sum.child, sum.key, &format!("s{place}"), "q");
            joins.push_str(&format!(
                " left join (select {keys}, {} as e from {} c group by {}) s{place} on {on}",
                added(child, &sum.of),
                from(facts, sum.child, schema),
                groups(facts, sum.child, sum.key),
            ));
            let column = &table.columns[sum.column];
            let none = if sum.none {
                "0".to_owned()
            } else {
                format!("p.{}::pg_catalog.numeric", quote_ident(&column.name))
            };
            let value = format!(
                "round(coalesce(s{place}.e, {none}), {})",
                scale_of(&column.ty)
            );
            news.push((sum.column, value));
        }
        for formula in self.formulas(at) {
            if !formula
                .parts
                .iter()
                .any(|part| news.iter().any(|(new, _)| new == part))
            {
                continue;
            }
            let mut parts: Vec<String> = formula
                .parts
                .iter()
                .map(|part| match news.iter().find(|(new, _)| new == part) {
                    Some((_, value)) => value.clone(),
                    None => number("p", table, *part),
                })
                .collect();
            // Where more would be taken away than there is now, a share of that is.
            if let Some(less) = formula
                .form
                .less()
                .filter(|less| free(formula.parts[*less]))
            {
                let (column, part) = (formula.parts[less], &parts[less]);
                let whole = parts[..less].join(" + ");
                let scale = scale_of(&table.columns[column].ty);
                let value = format!(
                    "case when {whole} < {part} then round(({whole}) * (abs({part}) * 100 % 97) / 100, {scale}) else {part} end"
                );
                news.push((column, value.clone()));
                parts[less] = value;
            }
            let scale = scale_of(&table.columns[formula.column].ty);
            let value = format!("round({}, {scale})", formula.form.text(&parts));
            news.push((formula.column, value));
        }
        let set: Vec<String> = news
            .iter()
            .map(|(column, value)| {
                let name = quote_ident(&table.columns[*column].name);
                format!("{name} = case when p.{name} is not null then {value} end")
            })
            .collect();
        format!(
            "update {own} p set {} from {own} q{joins} where p.ctid = q.ctid and p.tableoid = q.tableoid",
            set.join(", "),
            own = from(facts, at, schema),
        )
    }
}

/// A column as a number of arbitrary precision.
pub fn number(alias: &str, table: &Table, column: usize) -> String {
    format!(
        "{alias}.{}::pg_catalog.numeric",
        quote_ident(&table.columns[column].name)
    )
}

/// What is added up over the rows `c` of a table.
pub fn added(table: &Table, of: &Of) -> String {
    match of {
        Of::Rows => "count(*)".to_owned(),
        Of::Column(column) => format!("sum({})", number("c", table, *column)),
        Of::Form(form, parts) => {
            let parts: Vec<String> = parts.iter().map(|part| number("c", table, *part)).collect();
            format!("sum({})", form.text(&parts))
        }
    }
}

/// The columns of a key as `k0`, `k1`, and the condition that they refer to a row.
pub fn pairs(facts: &Facts, child: usize, key: usize, keys: &str, row: &str) -> (String, String) {
    let table = &facts.catalog.tables[child];
    let foreign = &table.foreign_keys[key];
    let parent = &facts.catalog.tables[foreign.table];
    let (mut list, mut on) = (Vec::new(), Vec::new());
    for (at, (column, referred)) in foreign.columns.iter().zip(&foreign.referred).enumerate() {
        list.push(format!(
            "c.{} as k{at}",
            quote_ident(&table.columns[*column].name)
        ));
        let referred = quote_ident(&parent.columns[*referred].name);
        on.push(format!("{row}.{referred} = {keys}.k{at}"));
    }
    (list.join(", "), on.join(" and "))
}

/// The columns of a key.
pub fn groups(facts: &Facts, child: usize, key: usize) -> String {
    let table = &facts.catalog.tables[child];
    let columns = table.foreign_keys[key].columns.iter();
    let names: Vec<String> = columns
        .map(|column| format!("c.{}", quote_ident(&table.columns[*column].name)))
        .collect();
    names.join(", ")
}

/// Digits behind the point that a column's numbers have.
pub fn scale_of(ty: &Type) -> u32 {
    let base = ty.base();
    match base.name.as_str() {
        "numeric" => base
            .scale
            .map_or(2, |scale| u32::try_from(scale).unwrap_or(0)),
        "float4" | "float8" => 2,
        _ => 0,
    }
}
