//! Makes one masked copy: structure from the template, rows made up, and nobody able to keep a write.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use tenants::{
    Tenants,
    names::{quote_ident, quote_literal},
    script::{Sketch, Step},
};
use tokio_postgres::Client;

use crate::{
    data::catalog::{NUMBERING, Table},
    template::{SCHEMA, Version},
};

use super::{
    facts::Facts,
    literals,
    make::Make,
    report::Report,
    rows::Filling,
    rules::Rules,
    totals::Totals,
    verdict::{self, Judged, Verdict},
};

/// What came of it.
pub struct Made {
    /// The statement that checks deferrable constraints before a write is rolled back; empty if there are none.
    pub late: String,
    /// What became of each column.
    pub report: Report,
}

/// The copy under way.
struct Work<'a> {
    client: &'a Client,
    schema: &'a str,
    facts: Facts,
    /// Texts that are seen anyway.
    labels: HashSet<String>,
    report: Report,
    empty: HashMap<usize, String>,
}

/// How often a statement is tried again after a table in its way was emptied.
const TRIES: usize = 50;

/// Makes a copy of a version of the template in the fresh schema `schema`, for the fresh login role `role`.
///
/// # Errors
/// When the template has changed, can't be copied, or the database goes away; nothing but the empty schema and the role
/// is there then.
pub async fn build(
    tenants: &Tenants,
    version: &Version,
    (schema, role): (&str, &str),
    seed: u64,
    rules: &Rules,
) -> anyhow::Result<Made> {
    let mut reader = tenants.connection().await?;
    let sketch = Sketch::read(&mut reader, SCHEMA)
        .await
        .context("the template can't be copied")?;
    drop(reader);
    anyhow::ensure!(
        sketch.stamp() == version.script.stamp(),
        "the template has just changed"
    );
    tenants.make_role(role).await?;
    let owner = tenants.demo_owner();
    tenants.make_schema(schema, &owner).await?;

    let fill = tenants.demo(&version.script).await?;
    fill.batch_execute(
        "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0",
    )
    .await?;
    let mut facts = Facts::read(&fill, SCHEMA).await?;
    facts.link(rules);
    let judged = verdict::judge(&facts, rules);
    let totals = Totals::find(&fill, &facts, &judged, rules, SCHEMA).await?;
    let mut report = Report::new(&facts, &judged);
    report.totals = totals.words(&facts);
    fill.batch_execute(&sketch.opening(schema)).await?;
    let mut work = Work {
        client: &fill,
        schema,
        labels: verdict::labels(&facts, &judged),
        facts,
        report,
        empty: HashMap::new(),
    };
    work.views(rules).await?;
    for step in sketch.steps(schema) {
        match step {
            Step::Sql(sql) => work.step(&sql).await?,
            Step::Rows => {
                work.omit(&judged).await?;
                work.fill(judged.clone(), &totals, seed, rules).await?;
            }
        }
    }
    work.quiet(&judged, seed).await?;
    work.number().await?;
    let late = work.refuse_commits().await?;
    for statement in sketch.handover(schema, &owner) {
        work.step(&statement).await?;
    }
    work.grant(role).await?;
    let Work {
        report,
        empty,
        facts,
        ..
    } = work;
    let mut report = report;
    report.empty = facts
        .catalog
        .tables
        .iter()
        .enumerate()
        .filter_map(|(at, table)| Some((table.name.clone(), empty.get(&at)?.clone())))
        .collect();
    fill.commit().await?;
    Ok(Made { late, report })
}

impl Work<'_> {
    /// Leaves out views whose texts may quote a row.
    async fn views(&mut self, rules: &Rules) -> anyhow::Result<()> {
        let views = self
            .client
            .query(
                "select c.relname::pg_catalog.text, pg_catalog.pg_get_viewdef(c.oid) from pg_catalog.pg_class c
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = $1 and c.relkind in ('v', 'm') order by 1",
                &[&SCHEMA],
            )
            .await?;
        for row in views {
            let (view, definition): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let telling = literals::telling(&definition, &self.labels).len();
            if telling > 0 && !rules.is_kept(&view) {
                let why = format!(
                    "left out: {telling} of the texts in its definition may be values; `{view} keep` in the rules shows it"
                );
                self.report.left_out.push((format!("view {view}"), why));
            }
        }
        Ok(())
    }

    /// Carries out a statement of the sketch. What can't be made is left out; a table whose rows are in the way is emptied.
    async fn step(&mut self, sql: &str) -> anyhow::Result<()> {
        if self.is_left_out(sql) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let Err(error) = self
                .client
                .batch_execute(&format!("savepoint step; {sql}; release savepoint step"))
                .await
            else {
                return Ok(());
            };
            let Some(refused) = error.as_db_error() else {
                return Err(error.into());
            };
            self.client
                .batch_execute("rollback to savepoint step")
                .await?;
            let table = refused
                .table()
                .and_then(|table| self.facts.catalog.find(table));
            match table {
                Some(at)
                    if refused.code().code().starts_with("23") && !self.empty.contains_key(&at) =>
                {
                    let constraint = refused.constraint().unwrap_or("of its own");
                    self.empty
                        .insert(at, format!("no rule covers the constraint {constraint}"));
                    let table = quote_ident(&self.facts.catalog.tables[at].name);
                    self.client
                        .batch_execute(&format!("delete from {}.{table}", quote_ident(self.schema)))
                        .await?;
                }
                _ => {
                    let what: String = sql
                        .chars()
                        .take(60)
                        .map(|c| if c == '\n' { ' ' } else { c })
                        .collect();
                    let what = what
                        .replace(self.schema, "")
                        .replace("\"\".", "")
                        .replace(" .", " ");
                    self.report.left_out.push((
                        what,
                        format!("left out: SQLSTATE {}", refused.code().code()),
                    ));
                    return Ok(());
                }
            }
        }
        anyhow::bail!("too many tables are in the way of one statement")
    }

    fn is_left_out(&self, sql: &str) -> bool {
        let names = self
            .report
            .left_out
            .iter()
            .filter_map(|(what, _)| what.strip_prefix("view "));
        names.into_iter().any(|view| {
            let named = format!(" view {}.{}", self.schema, quote_ident(view));
            sql.starts_with("create") && sql.contains(&named)
        })
    }

    /// Takes away columns that nobody may see, and checks and computed columns whose texts may quote a row.
    async fn omit(&mut self, judged: &[Vec<Judged>]) -> anyhow::Result<()> {
        for (at, columns) in judged.iter().enumerate() {
            let table = &self.facts.catalog.tables[at];
            let name = format!("{}.{}", quote_ident(self.schema), quote_ident(&table.name));
            let mut statements: Vec<String> = Vec::new();
            for (column, judged) in table.columns.iter().zip(columns) {
                let telling = judged.verdict == Verdict::Computed
                    && column
                        .default
                        .as_deref()
                        .is_some_and(|text| !literals::telling(text, &self.labels).is_empty());
                if telling {
                    self.report.left_out.push((
                        format!("column {}.{}", table.name, column.name),
                        "left out: a text in its expression may be a value".to_owned(),
                    ));
                }
                if telling || judged.verdict == Verdict::Omit {
                    statements.push(format!(
                        "alter table {name} drop column if exists {} cascade",
                        quote_ident(&column.name)
                    ));
                }
            }
            for check in telling_checks(table, columns, &self.labels) {
                self.report.left_out.push((
                    format!("check {check} of {}", table.name),
                    "left out: a text in it may be a value".to_owned(),
                ));
                statements.push(format!(
                    "alter table {name} drop constraint if exists {}",
                    quote_ident(&check)
                ));
            }
            for statement in statements {
                self.client.batch_execute(&statement).await?;
            }
        }
        Ok(())
    }

    async fn fill(
        &mut self,
        judged: Vec<Vec<Judged>>,
        totals: &Totals,
        seed: u64,
        rules: &Rules,
    ) -> anyhow::Result<()> {
        let mut empty = std::mem::take(&mut self.empty);
        for (at, table) in self.facts.catalog.tables.iter().enumerate() {
            if rules.is_empty(&table.name) {
                empty.insert(at, "a rule says so".to_owned());
            }
        }
        let filling = Filling::begin(
            self.client,
            &self.facts,
            judged.clone(),
            totals,
            seed,
            (SCHEMA, self.schema),
        )
        .await?;
        self.empty = filling.run(empty).await?;
        let sums = totals.statements(&self.facts, &judged, self.schema, |table| {
            self.empty.contains_key(&table)
        });
        let sums = sums.iter().map(|sql| ("totals".to_owned(), sql));
        let said = rules.then.iter().enumerate();
        let said = said.map(|(at, sql)| (format!("statement {} of the rules", at + 1), sql));
        let statements: Vec<(String, &String)> = sums.chain(said).collect();
        for (what, statement) in statements {
            let text = format!("savepoint step; {statement}; release savepoint step");
            if let Err(error) = self.client.batch_execute(&text).await {
                let refused = error.as_db_error().context("the database went away")?;
                let why = format!("SQLSTATE {} {}", refused.code().code(), refused.message());
                self.report.left_out.push((what, why));
                self.client
                    .batch_execute("rollback to savepoint step")
                    .await?;
            }
        }
        Ok(())
    }

    /// Mends what is told of masked columns beside their values: defaults, and checks that were added late.
    async fn quiet(&mut self, judged: &[Vec<Judged>], seed: u64) -> anyhow::Result<()> {
        let mut statements = Vec::new();
        for (at, columns) in judged.iter().enumerate() {
            let table = &self.facts.catalog.tables[at];
            let name = format!("{}.{}", quote_ident(self.schema), quote_ident(&table.name));
            for check in telling_checks(table, columns, &self.labels) {
                self.client
                    .batch_execute(&format!(
                        "alter table {name} drop constraint if exists {}",
                        quote_ident(&check)
                    ))
                    .await?;
            }
            for (column, judged) in table.columns.iter().zip(columns) {
                let (Some(make), Some(default)) = (judged.verdict.made(), &column.default) else {
                    continue;
                };
                // What numbers a document stays: its texts are part of a format.
                if default.contains("nextval(")
                    || literals::texts(default)
                        .iter()
                        .all(|text| literals::is_pattern(text))
                {
                    continue;
                }
                let value = default_for(&table.name, &column.name, make, seed)
                    .map_or("null".to_owned(), |value| quote_literal(&value));
                let sql = format!(
                    "alter table {name} alter column {} set default {value}",
                    quote_ident(&column.name)
                );
                statements.push(sql);
            }
        }
        for row in self.client.query(DOMAINS, &[&self.schema]).await? {
            let (domain, default): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            if !literals::texts(&default)
                .iter()
                .all(|text| literals::is_pattern(text))
            {
                let name = quote_ident(&domain);
                statements.push(format!(
                    "alter domain {}.{name} drop default",
                    quote_ident(self.schema)
                ));
            }
        }
        for statement in statements {
            self.step(&statement).await?;
        }
        Ok(())
    }

    /// Lets columns that the database numbers count on from where the sequence is, in each transaction anew: a sequence
    /// itself would keep a step that is rolled back.
    async fn number(&mut self) -> anyhow::Result<()> {
        let schema = quote_ident(self.schema);
        for function in NUMBERING {
            self.client
                .batch_execute(&numbering(&schema, function))
                .await?;
        }
        let columns = self.client.query(NUMBERED, &[&self.schema]).await?;
        for row in columns {
            let (table, column, identity): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let default: Option<String> = row.try_get(3)?;
            let sequences: Vec<String> = row.try_get(4)?;
            let (table, column) = (
                format!("{schema}.{}", quote_ident(&table)),
                quote_ident(&column),
            );
            let mut text = default.unwrap_or_else(|| "nextval('?'::regclass)".to_owned());
            for sequence in sequences {
                let state = format!(
                    "select s.seqincrement, q.last_value + case when q.is_called then s.seqincrement else 0 end
                     from {schema}.{name} q, pg_catalog.pg_sequence s where s.seqrelid = '{schema}.{name}'::pg_catalog.regclass",
                    name = quote_ident(&sequence)
                );
                let row = self.client.query_one(&state, &[]).await?;
                let (step, next): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                let function = match identity.as_str() {
                    "a" => NUMBERING[0],
                    "d" => NUMBERING[1],
                    _ => NUMBERING[2],
                };
                let call = format!(
                    "{schema}.{function}({}, {next}, {step})",
                    quote_literal(&counter(&sequence))
                );
                text = replace_nextval(&text, &call);
            }
            let mut sql = String::new();
            if !identity.is_empty() {
                sql.push_str(&format!(
                    "alter table {table} alter column {column} drop identity; "
                ));
            }
            sql.push_str(&format!(
                "alter table {table} alter column {column} set default {text}"
            ));
            self.step(&sql).await?;
        }
        Ok(())
    }

    /// Makes the database itself refuse to keep a write, and says how to check what is checked late without that.
    async fn refuse_commits(&self) -> anyhow::Result<String> {
        let schema = quote_ident(self.schema);
        let late = self
            .client
            .query(
                "select distinct c.conname::pg_catalog.text from pg_catalog.pg_constraint c
                 join pg_catalog.pg_namespace n on n.oid = c.connamespace
                 where n.nspname = $1 and c.condeferrable order by 1",
                &[&self.schema],
            )
            .await?;
        let late: Vec<String> = late
            .iter()
            .map(|row| format!("{schema}.{}", quote_ident(row.get(0))))
            .collect();
        self.client
            .batch_execute(&format!(
                "create function {schema}._sandlot_refuse() returns trigger language plpgsql as $$
                 begin raise exception 'a demo keeps nothing' using errcode = '25006'; end $$"
            ))
            .await?;
        let tables = self
            .client
            .query(
                "select c.relname::pg_catalog.text from pg_catalog.pg_class c
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = $1 and c.relkind = 'r' order by 1",
                &[&self.schema],
            )
            .await?;
        for row in tables {
            let table = quote_ident(row.get(0));
            self.client
                .batch_execute(&format!(
                    "create constraint trigger _sandlot_never after insert or update or delete on {schema}.{table}
                     deferrable initially deferred for each row execute function {schema}._sandlot_refuse()"
                ))
                .await?;
        }
        Ok(if late.is_empty() {
            String::new()
        } else {
            format!("set constraints {} immediate; ", late.join(", "))
        })
    }

    /// Lets the role in: it reads and writes rows, and owns nothing.
    async fn grant(&self, role: &str) -> anyhow::Result<()> {
        let (schema, role, owner) = (quote_ident(self.schema), quote_ident(role), self.schema);
        let relations = self
            .client
            .query(
                "select c.relname::pg_catalog.text, c.relkind = any (array['r', 'p']::pg_catalog.\"char\"[]) from pg_catalog.pg_class c
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = $1 and c.relkind = any (array['r', 'p', 'v', 'm']::pg_catalog.\"char\"[]) order by 1",
                &[&owner],
            )
            .await?;
        let mut text = format!("grant usage on schema {schema} to {role};");
        for row in relations {
            let (name, is_table): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
            let name = quote_ident(&name);
            text.push_str(&format!(
                "grant select, insert, update, delete on {schema}.{name} to {role};"
            ));
            if is_table {
                text.push_str(&format!("analyze {schema}.{name};"));
            }
        }
        self.client.batch_execute(&text).await?;
        Ok(())
    }
}

/// A function that counts in a setting of the transaction, which ends with it.
fn numbering(schema: &str, function: &str) -> String {
    format!(
        "create function {schema}.{function}(counter pg_catalog.text, first pg_catalog.int8, step pg_catalog.int8)
         returns pg_catalog.int8 language plpgsql volatile as $$
         declare
             setting constant pg_catalog.text := pg_catalog.concat('sandlot.', counter);
             last constant pg_catalog.text := pg_catalog.current_setting(setting, true);
             number pg_catalog.int8 := first;
         begin
             if last operator(pg_catalog.<>) '' then
                 number := last::pg_catalog.int8 operator(pg_catalog.+) step;
             end if;
             perform pg_catalog.set_config(setting, number::pg_catalog.text, true);
             return number;
         end $$"
    )
}

/// The name of the setting that a sequence's numbers are counted in.
fn counter(sequence: &str) -> String {
    format!(
        "n_{}",
        hex::encode(&sequence.as_bytes()[..sequence.len().min(28)])
    )
}

/// Domains that bring a default.
const DOMAINS: &str = "select t.typname::pg_catalog.text, t.typdefault
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where n.nspname = $1 and t.typtype = 'd' and t.typdefault is not null
    order by 1";

/// Columns that take numbers from sequences, their defaults, and the sequences.
const NUMBERED: &str = "select c.relname::pg_catalog.text, a.attname::pg_catalog.text, a.attidentity::pg_catalog.text,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid),
        array(select s.relname::pg_catalog.text from pg_catalog.pg_depend p join pg_catalog.pg_class s on s.oid = p.refobjid and s.relkind = 'S'
              where p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and p.objid = d.oid
                and p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              union
              select s.relname::pg_catalog.text from pg_catalog.pg_depend p join pg_catalog.pg_class s on s.oid = p.objid and s.relkind = 'S'
              where p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                and p.refobjid = c.oid and p.refobjsubid = a.attnum and p.deptype = 'i' and a.attidentity <> '') as sequences
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where n.nspname = $1 and c.relkind in ('r', 'p')
      and (a.attidentity <> '' or pg_catalog.pg_get_expr(d.adbin, d.adrelid) like '%nextval(%')
    order by 1, a.attnum";

/// Puts `call` in the place of the first call of `nextval`.
fn replace_nextval(text: &str, call: &str) -> String {
    let Some(start) = text.find("nextval(") else {
        return text.to_owned();
    };
    let end = text[start..]
        .find(')')
        .map_or(text.len(), |at| start + at + 1);
    format!("{}{call}{}", &text[..start], &text[end..])
}

/// The checks of a table whose texts may quote a value of a column that is masked.
fn telling_checks(table: &Table, columns: &[Judged], labels: &HashSet<String>) -> Vec<String> {
    let verdict = |at: &usize| columns.get(*at).map(|judged| &judged.verdict);
    let checks = table.checks.iter().filter(|check| {
        let masked = |at: &usize| {
            verdict(at)
                .and_then(Verdict::made)
                .is_some_and(|make| !matches!(make, Make::One(_)))
        };
        check.columns.iter().any(masked) && !literals::telling(&check.definition, labels).is_empty()
    });
    checks.map(|check| check.name.clone()).collect()
}

/// A value for a default that may not be shown: made like the column's, of a row that is not there.
fn default_for(table: &str, column: &str, make: &Make, seed: u64) -> Option<String> {
    let row = seed::masks::Row::new(seed, table, u64::from(u32::MAX));
    let life = super::make::Life::new(1, 2, None, &mut row.dice("life"));
    let make = match make {
        Make::Text(text) => Make::Text(seed::masks::Text {
            unique: false,
            ..text.clone()
        }),
        other => other.clone(),
    };
    super::make::Cell {
        row: &row,
        life,
        column,
        place: 0,
        ordinal: 1,
        rows: 1,
    }
    .spell(&make)
}
