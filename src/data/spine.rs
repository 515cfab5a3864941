//! One request from plan to rows: what every surface calls.

use super::body::{Body, string_value, write_string};
use super::catalog::Catalog;
use super::catalog::cache::Cache;
use super::connection::Connection;
use super::cursor::Seal;
use super::plan::{Plan, Rules, Step, order_text, plan};
use super::request::{Count, Request};
use super::rows::{Format, positions};
use super::run::{self, Failure, Keep, Outcome};
use super::{sql, sqlstate};
use crate::problem::{Kind, Problem};
use futures_util::future::BoxFuture;
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

/// Turns a secret that a client sent into what is stored, or refuses it.
pub type MakeSecret =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<String, Problem>> + Send + Sync>;

/// What answering needs besides the request: one for the whole server.
#[derive(Clone)]
pub struct Spine {
    catalogs: Arc<Cache>,
    seal: Seal,
    make_secret: MakeSecret,
}

/// A request as a certain caller makes it of a certain schema.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The schema that holds the tables.
    pub schema: &'a str,
    /// What the caller may see and do.
    pub rules: &'a Rules,
    /// What is asked.
    pub request: &'a Request,
    /// What rows are written as; writes always give JSON.
    pub format: Format,
    /// Whether a write is kept.
    pub keep: Keep,
}

/// Rows and what is known about them.
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows: JSON objects separated by commas, or CSV.
    pub body: Vec<u8>,
    /// How many rows.
    pub rows: u64,
    /// How many rows all pages have, if it was counted.
    pub total: Option<u64>,
    /// Where the next page starts, if there may be one and the order can be resumed.
    pub next_cursor: Option<String>,
    /// The key of the last row that a write touched, one text per column.
    pub key: Vec<String>,
}

impl Spine {
    /// A spine with an empty cache.
    ///
    /// `seal_key` seals cursors; servers of one installation share it.
    pub fn new(seal_key: &[u8], make_secret: MakeSecret) -> Self {
        Self {
            catalogs: Arc::default(),
            seal: Seal::new(seal_key),
            make_secret,
        }
    }

    /// The catalogs of the schemas in use.
    pub fn catalogs(&self) -> &Cache {
        &self.catalogs
    }

    /// What the schema holds now.
    ///
    /// `connect` gives a connection that may see the schema; it is called only if needed.
    pub async fn catalog<C, F>(
        &self,
        schema: &str,
        connect: impl Fn() -> F,
    ) -> Result<Arc<Catalog>, Problem>
    where
        C: Deref<Target = Connection>,
        F: Future<Output = Result<C, Problem>>,
    {
        match self.catalogs.fresh(schema) {
            Some(catalog) => Ok(catalog),
            None => self.look(schema, &*connect().await?).await,
        }
    }

    /// What the schema holds, after a look at the database if there was none this very moment:
    /// for a name that was not found.
    pub async fn look_again<C, F>(
        &self,
        schema: &str,
        connect: impl Fn() -> F,
    ) -> Result<Arc<Catalog>, Problem>
    where
        C: Deref<Target = Connection>,
        F: Future<Output = Result<C, Problem>>,
    {
        self.look(schema, &*connect().await?).await
    }

    /// Answers a request.
    ///
    /// `connect` gives a connection logged in as the tenant. It is called once at most, and not
    /// at all if the request is refused for what it says.
    pub async fn answer<C, F>(
        &self,
        ask: Ask<'_>,
        connect: impl Fn() -> F,
    ) -> Result<Answer, Problem>
    where
        C: Deref<Target = Connection>,
        F: Future<Output = Result<C, Problem>>,
    {
        let mut connection = None;
        let mut looked = false;
        let mut moved = false;
        let mut catalog = match self.catalogs.fresh(ask.schema) {
            Some(catalog) => catalog,
            None => {
                let taken = connection.insert(connect().await?);
                looked = true;
                self.look(ask.schema, taken).await?
            }
        };
        let request = loop {
            // Planned with the secret as it was sent, to refuse before work is put into it.
            match plan(
                without_secrets(ask)?.as_ref(),
                &catalog,
                ask.rules,
                &self.seal,
            ) {
                Ok(_) => break self.with_secrets(ask).await?,
                Err(problem) if looked || !may_be_stale(&problem) => return Err(problem),
                Err(problem) => {
                    let taken = take(&mut connection, &connect).await?;
                    looked = true;
                    let newer = self.look(ask.schema, taken).await?;
                    if Arc::ptr_eq(&newer, &catalog) {
                        return Err(problem);
                    }
                    catalog = newer;
                }
            }
        };
        loop {
            let plan = plan(&request, &catalog, ask.rules, &self.seal)?;
            let taken = take(&mut connection, &connect).await?;
            match self.run(ask, &plan, taken).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Moved(_)) if !moved => {
                    moved = true;
                    catalog = self.look(ask.schema, taken).await?;
                }
                Err(failure) => return Err(explain(failure, ask, &plan, taken).await),
            }
        }
    }

    async fn look(&self, schema: &str, connection: &Connection) -> Result<Arc<Catalog>, Problem> {
        self.catalogs
            .look(schema, connection)
            .await
            .map_err(|error| {
                Problem::new(Kind::ServiceUnavailable)
                    .detail("The database is out of reach for the moment.")
                    .because(error)
            })
    }

    async fn run(
        &self,
        ask: Ask<'_>,
        plan: &Plan,
        connection: &Connection,
    ) -> Result<Answer, Failure> {
        let statements = sql::statements(plan, ask.schema);
        let table = &plan.catalog.tables[plan.table];
        let Step::Read(read) = &plan.step else {
            let capture = statements
                .first()
                .and_then(|statement| positions(&statement.columns, &table.key))
                .unwrap_or_default();
            let outcome = run::write(connection, &statements, &capture, ask.keep).await?;
            let key: Option<Vec<String>> = outcome.last.into_iter().flatten().collect();
            return Ok(Answer {
                body: outcome.body,
                rows: outcome.rows,
                key: key.unwrap_or_default(),
                ..Answer::default()
            });
        };
        let Some(statement) = statements.first() else {
            return Ok(Answer::default());
        };
        let sort_columns: Vec<usize> = read
            .order
            .iter()
            .filter_map(|sort| match sort.by {
                super::plan::SortBy::Column(column) => Some(column),
                _ => None,
            })
            .collect();
        let capture = if read.cursor {
            positions(&statement.columns, &sort_columns).unwrap_or_default()
        } else {
            Vec::new()
        };
        let read_only = ask.rules.no_writes.is_some();
        let outcome = run::read(connection, statement, ask.format, &capture, read_only).await?;
        let total = self.total(ask, plan, connection, &outcome).await?;
        let full = read
            .limit
            .is_some_and(|limit| outcome.rows >= u64::from(limit));
        let next_cursor = match outcome.last {
            Some(values) if full && read.cursor => {
                Some(self.seal.close(&order_text(table, &read.order), &values))
            }
            _ => None,
        };
        Ok(Answer {
            body: outcome.body,
            rows: outcome.rows,
            total,
            next_cursor,
            key: Vec::new(),
        })
    }

    /// The count of all pages' rows. It comes with the rows; where there are none, it is zero on
    /// the first page and asked for on others.
    async fn total(
        &self,
        ask: Ask<'_>,
        plan: &Plan,
        connection: &Connection,
        outcome: &Outcome,
    ) -> Result<Option<u64>, Failure> {
        let Step::Read(read) = &plan.step else {
            return Ok(None);
        };
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        match read.count {
            _ if read.single => Ok(None),
            Count::None => Ok(None),
            Count::Exact => {
                if let Some(total) = outcome.total {
                    return Ok(Some(whole(total)));
                }
                if read.offset == 0 && read.after.is_none() && read.limit != Some(0) {
                    return Ok(Some(0));
                }
                let Some(statement) = sql::count(plan, ask.schema) else {
                    return Ok(None);
                };
                let total: Option<i64> = run::scalar(connection, &statement)
                    .await?;
                Ok(total.map(whole))
            }
            Count::Planned => {
                let Some(statement) = sql::estimate(plan, ask.schema) else {
                    return Ok(None);
                };
                let top: Option<String> = run::scalar(connection, &statement)
                    .await?;
                Ok(top.as_deref().and_then(estimated))
            }
        }
    }

    /// The request with every secret replaced by what is stored of it.
    async fn with_secrets<'a>(&self, ask: Ask<'a>) -> Result<Cow<'a, Request>, Problem> {
        let mut request = without_secrets(ask)?;
        let Some(special) = ask.rules.special(ask.request.table()) else {
            return Ok(request);
        };
        if let (Cow::Owned(request), Some(given)) = (&mut request, body(ask.request))
            && let Some(body) = body_mut(request)
        {
            for (row, given) in body.rows.iter_mut().zip(&given.rows) {
                for (cell, given) in row.iter_mut().zip(given) {
                    if cell.trusted {
                        let plain = string_value(&given.json).unwrap_or_default();
                        let made = (self.make_secret)(plain)
                            .await
                            .map_err(|problem| named(problem, &special.secrets, &cell.name))?;
                        cell.json.clear();
                        write_string(&mut cell.json, &made);
                    }
                }
            }
        }
        Ok(request)
    }
}

/// The number of rows in the first line of a plan: `Seq Scan on t  (cost=0.00..1.04 rows=4 width=0)`.
fn estimated(line: &str) -> Option<u64> {
    let (_, rest) = line.rsplit_once(" rows=")?;
    rest.split(' ').next()?.parse().ok()
}

/// The connection taken already, or one taken now.
async fn take<'a, C, F>(
    connection: &'a mut Option<C>,
    connect: &impl Fn() -> F,
) -> Result<&'a Connection, Problem>
where
    C: Deref<Target = Connection>,
    F: Future<Output = Result<C, Problem>>,
{
    if connection.is_none() {
        *connection = Some(connect().await?);
    }
    connection
        .as_deref()
        .ok_or_else(|| Kind::ServiceUnavailable.into())
}

/// Whether another look at the schema might change a refusal.
fn may_be_stale(problem: &Problem) -> bool {
    matches!(
        problem.kind,
        Kind::NotFound | Kind::InvalidParameter | Kind::ValidationFailed
    )
}

fn body(request: &Request) -> Option<&Body> {
    match request {
        Request::Create(create) => Some(&create.body),
        Request::Update(update) => Some(&update.body),
        _ => None,
    }
}

fn body_mut(request: &mut Request) -> Option<&mut Body> {
    match request {
        Request::Create(create) => Some(&mut create.body),
        Request::Update(update) => Some(&mut update.body),
        _ => None,
    }
}

/// The request with every secret's cell moved to the column that keeps it, its value still the
/// one that was sent: good for planning, not for storing.
fn without_secrets<'a>(ask: Ask<'a>) -> Result<Cow<'a, Request>, Problem> {
    let secrets = match ask.rules.special(ask.request.table()) {
        Some(special) if !special.secrets.is_empty() && body(ask.request).is_some() => {
            &special.secrets
        }
        _ => return Ok(Cow::Borrowed(ask.request)),
    };
    let mut request = ask.request.clone();
    let mut faults = Problem::new(Kind::ValidationFailed);
    for row in body_mut(&mut request).into_iter().flat_map(|b| &mut b.rows) {
        for cell in row {
            let Some(secret) = secrets.iter().find(|secret| secret.given == cell.name) else {
                continue;
            };
            if string_value(&cell.json).is_none() {
                faults = faults.field(&secret.given, "must be a string");
            }
            cell.name.clone_from(&secret.stored);
            cell.trusted = true;
        }
    }
    if faults.errors.is_empty() {
        Ok(Cow::Owned(request))
    } else {
        Err(faults)
    }
}

/// Sees to it that a refusal of a secret names the member that held it.
fn named(mut problem: Problem, secrets: &[super::plan::Secret], stored: &str) -> Problem {
    if let Some(secret) = secrets.iter().find(|secret| secret.stored == stored)
        && problem.errors.is_empty()
    {
        let detail = problem.detail.clone().into_owned();
        problem = problem.field(&secret.given, detail);
    }
    problem
}

/// The problem that a failure is, found out by probing where a value is at fault.
async fn explain(failure: Failure, ask: Ask<'_>, plan: &Plan, connection: &Connection) -> Problem {
    let error = match failure {
        Failure::TooLarge => {
            return Problem::new(Kind::BadRequest).detail(format!(
                "The rows are more than {} MB; ask for fewer of them, or for fewer columns.",
                run::MAX_ANSWER >> 20
            ));
        }
        Failure::TooSlow => return Kind::RequestTimeout.into(),
        Failure::Moved(None) => {
            return Problem::new(Kind::ServiceUnavailable)
                .detail("The table was being changed meanwhile. Try it again.");
        }
        Failure::Moved(Some(error)) | Failure::Database(error) => error,
    };
    if sqlstate::is_misfit(&error) {
        let found = match &plan.step {
            Step::Read(_) => misfit_parameters(ask, plan, connection).await,
            _ => misfit_columns(ask, plan, connection).await,
        };
        if let Some(problem) = found {
            return problem.because(error);
        }
    }
    sqlstate::problem(error, plan, ask.rules, ask.schema)
}

async fn misfit_parameters(ask: Ask<'_>, plan: &Plan, connection: &Connection) -> Option<Problem> {
    let mut problem = Problem::new(Kind::InvalidParameter);
    let mut by_key = false;
    for bind in sql::statements(plan, ask.schema)
        .iter()
        .flat_map(|s| &s.binds)
    {
        let Err(error) = run::try_bind(connection, bind).await else {
            continue;
        };
        by_key |= &*bind.at == "id";
        let message = misfit(&error, "the value");
        let known = problem.errors.get(&*bind.at);
        if known.is_none_or(|messages| !messages.contains(&message)) {
            problem = problem.field(bind.at.clone(), message);
        }
    }
    if by_key {
        // No row can have a key that its column can't hold.
        let table = &plan.catalog.tables[plan.table].name;
        return Some(
            Problem::new(Kind::NotFound)
                .detail(format!("`{}` has no such row.", super::plan::brief(table))),
        );
    }
    (!problem.errors.is_empty()).then_some(problem)
}

async fn misfit_columns(ask: Ask<'_>, plan: &Plan, connection: &Connection) -> Option<Problem> {
    let table = &plan.catalog.tables[plan.table];
    // The key of an update or delete is a parameter of its own.
    if let Some(problem) = match &plan.step {
        Step::Update(_) | Step::Delete(_) => misfit_key(ask, plan, connection).await,
        _ => None,
    } {
        return Some(problem);
    }
    let mut problem = Problem::new(Kind::ValidationFailed);
    for (position, probe) in sql::probes(plan, ask.schema) {
        let column = &table.columns[position];
        let name = ask.rules.public_name(&table.name, &column.name);
        if problem.errors.contains_key(name) {
            continue;
        }
        if let Err(Failure::Database(error)) = run::scalar::<i64>(connection, &probe).await {
            problem = problem.field(name, misfit(&error, &column.ty.shown));
        }
    }
    (!problem.errors.is_empty()).then_some(problem)
}

async fn misfit_key(ask: Ask<'_>, plan: &Plan, connection: &Connection) -> Option<Problem> {
    let statements = sql::statements(plan, ask.schema);
    for bind in statements.iter().flat_map(|s| &s.binds) {
        if &*bind.at == "id" && run::try_bind(connection, bind).await.is_err() {
            let table = &plan.catalog.tables[plan.table].name;
            return Some(
                Problem::new(Kind::NotFound)
                    .detail(format!("`{}` has no such row.", super::plan::brief(table))),
            );
        }
    }
    None
}

/// What is wrong with a value, to follow its name.
fn misfit(error: &tokio_postgres::Error, what: &str) -> String {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("22001") => format!("is too long for {what}"),
        Some("22003" | "22008") => format!("is out of range for {what}"),
        Some("23514") => format!("is outside of what {what} allows"),
        Some("22P05") => "holds a character that can't be stored".to_owned(),
        _ => format!("is no valid {what}"),
    }
}
