//! The calls of the load, and what each answer has to be.

use hyper::Method;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::problem::Kind;

use super::{
    http::Call,
    rows::{EXTRA, Row, Rows, TABLE},
    tenants::Tenant,
    worker::{By, Failure, Outcome, Wanted, Worker, dressed},
};

/// Rows that a tenant has about; with more of them, rows are rather deleted than made.
const ROWS: usize = 60;
const PER_PAGE: usize = 20;
/// Values as people write them, and worse.
const NOTES: [&str; 6] = [
    "plain",
    "Žluťoučký kůň",
    "with \"quotes\", 'others' and a \\",
    "two\nlines\tand a tab",
    "<b onclick=alert(1)>=1+1",
    "😀 שלום",
];

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    Create,
    CreateMany,
    CreateTwice,
    CreateByGraphql,
    Change,
    Delete,
    List,
    Filter,
    One,
    Graphql,
    Sql,
    Refusal,
    Own,
    Widen,
}

/// How often each is drawn.
const MIX: [(Kinds, u32); 14] = [
    (Kinds::Create, 120),
    (Kinds::CreateMany, 20),
    (Kinds::CreateTwice, 20),
    (Kinds::CreateByGraphql, 40),
    (Kinds::Change, 140),
    (Kinds::Delete, 120),
    (Kinds::List, 150),
    (Kinds::Filter, 70),
    (Kinds::One, 150),
    (Kinds::Graphql, 80),
    (Kinds::Sql, 40),
    (Kinds::Refusal, 30),
    (Kinds::Own, 17),
    (Kinds::Widen, 3),
];

impl Kinds {
    /// The name in the figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateMany => "create several",
            Self::CreateTwice => "create, sent twice",
            Self::CreateByGraphql => "create (GraphQL)",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Filter => "list, filtered",
            Self::One => "one",
            Self::Graphql => "list (GraphQL)",
            Self::Sql => "sql",
            Self::Refusal => "refusal",
            Self::Own => "who am I",
            Self::Widen => "change the table",
        }
    }
}

impl Worker {
    /// What to call as a tenant.
    pub(super) fn draw(&mut self, tenant: &Tenant) -> Kinds {
        let sum = MIX.iter().map(|(_, weight)| weight).sum();
        let mut at = self.rng.random_range(0..sum);
        let mut drawn = Kinds::List;
        for (kind, weight) in MIX {
            if at < weight {
                drawn = kind;
                break;
            }
            at -= weight;
        }
        let makes = [
            Kinds::Create,
            Kinds::CreateMany,
            Kinds::CreateTwice,
            Kinds::CreateByGraphql,
        ];
        match drawn {
            drawn if makes.contains(&drawn) && tenant.rows.len() > ROWS => Kinds::Delete,
            Kinds::Change | Kinds::Delete if tenant.rows.len() == 0 => Kinds::Create,
            drawn => drawn,
        }
    }

    /// Makes the call and holds what comes against what must come.
    pub(super) async fn make(&mut self, call: Kinds, tenant: &mut Tenant) -> Result<(), Failure> {
        let by = if self.rng.random() {
            By::Session
        } else {
            By::Token
        };
        let name = call.name();
        tenant.rows.settle();
        match call {
            Kinds::Create => self.create(name, by, tenant).await,
            Kinds::CreateMany => self.create_many(name, by, tenant).await,
            Kinds::CreateTwice => self.create_twice(name, by, tenant).await,
            Kinds::CreateByGraphql => self.create_by_graphql(name, by, tenant).await,
            Kinds::Change => self.change(name, by, tenant).await,
            Kinds::Delete => self.delete(name, by, tenant).await,
            Kinds::List => self.list(name, by, tenant).await,
            Kinds::Filter => self.filter(name, by, tenant).await,
            Kinds::One => self.one(name, by, tenant).await,
            Kinds::Graphql => self.graphql(name, by, tenant).await,
            Kinds::Sql => self.sql(name, by, tenant).await,
            Kinds::Refusal => self.refusal(name, tenant).await,
            Kinds::Own => self.own(name, tenant).await,
            Kinds::Widen => self.widen(name, by, tenant).await,
        }
    }

    /// All rows at once.
    pub(super) async fn look(&mut self, tenant: &mut Tenant) -> Result<(), Failure> {
        let call = Call::get(format!("/api/v1/{TABLE}?sort=id&per_page=1000"));
        let body = self.read("last look", By::Token, tenant, &call).await?;
        let rows = tenant.rows.list(|_| true);
        tenant.rows.settle();
        tenant.rows.same(&body["data"], &json!(rows))?;
        self.figures.rows(rows.len());
        Ok(())
    }

    async fn create(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let (call, row) = self.new_row(tenant);
        let done = self
            .ask(tenant, name, by, &call, Wanted::Status(201))
            .await?;
        let id = tenant.rows.add(&done.body["data"], row)?;
        located(&done.location, id)
    }

    async fn create_many(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let count = self.rng.random_range(2..=4);
        let rows: Vec<Row> = (0..count).map(|_| self.row(tenant)).collect();
        let body = rows.iter().map(|row| sent(&tenant.rows, row)).collect();
        let call = write(Method::POST, format!("/api/v1/{TABLE}"), Some(body), tenant);
        let done = self
            .ask(tenant, name, by, &call, Wanted::Status(201))
            .await?;
        let answered = done.body["data"].as_array().map_or(&[][..], Vec::as_slice);
        if answered.len() != rows.len() {
            let counts = format!("{} rows for {}", answered.len(), rows.len());
            return Err(Failure::Wrong(counts));
        }
        for (answered, row) in answered.iter().zip(rows) {
            tenant.rows.add(answered, row)?;
        }
        Ok(())
    }

    /// The same write from two connections at once is one write.
    async fn create_twice(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let (call, row) = self.new_row(tenant);
        let both = dressed(&call, by, tenant);
        let server = &self.server;
        let (one, other) = tokio::join!(
            self.line.send(server, &both),
            self.second_line.send(server, &both)
        );
        let mut bodies = Vec::new();
        for answer in [one, other] {
            match self.outcome(tenant, name, answer, Wanted::Status(201)) {
                Outcome::Done(done) => bodies.push(done.body),
                Outcome::Wrong(what) | Outcome::Fault(what) => return Err(Failure::Wrong(what)),
                Outcome::Wait(_) | Outcome::AtWork | Outcome::Expired => {}
            }
        }
        let done = self
            .ask(tenant, name, by, &call, Wanted::Status(201))
            .await?;
        if bodies.iter().any(|body| *body != done.body) {
            let what = format!("one key, several answers: {bodies:?} and {}", done.body);
            return Err(Failure::Wrong(what));
        }
        tenant.rows.add(&done.body["data"], row)?;
        Ok(())
    }

    async fn create_by_graphql(
        &mut self,
        name: &'static str,
        by: By,
        tenant: &mut Tenant,
    ) -> Outcomes {
        let row = self.row(tenant);
        let body = json!({
            "query": format!("mutation ($input: SoakRowCreate!) {{ createSoakRow(input: $input) {{ {} }} }}", tenant.rows.columns()),
            "variables": {"input": sent(&tenant.rows, &row)},
        });
        let path = "/api/v1/graphql".to_owned();
        let call = write(Method::POST, path, Some(body), tenant);
        let done = self
            .ask(tenant, name, by, &call, Wanted::Status(200))
            .await?;
        tenant.rows.add(&done.body["data"]["createSoakRow"], row)?;
        Ok(())
    }

    async fn change(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let Some((id, mut row)) = self.known(tenant) else {
            return Ok(());
        };
        row.amount = self.rng.random_range(0..1_000_000);
        row.version += 1;
        let body = json!({"amount": row.amount, "version": row.version});
        let method = if self.rng.random() {
            Method::PATCH
        } else {
            Method::PUT
        };
        let call = write(method, format!("/api/v1/{TABLE}/{id}"), Some(body), tenant);
        let done = self
            .ask(tenant, name, by, &call, Wanted::Status(200))
            .await?;
        let shown = tenant.rows.shown(id, &row);
        tenant.rows.same(&done.body["data"], &shown)?;
        tenant.rows.put(id, row);
        Ok(())
    }

    async fn delete(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let Some((id, row)) = self.known(tenant) else {
            return Ok(());
        };
        let call = write(
            Method::DELETE,
            format!("/api/v1/{TABLE}/{id}"),
            None,
            tenant,
        );
        let done = self
            .ask(tenant, name, by, &call, Wanted::Status(200))
            .await?;
        let was = tenant.rows.shown(id, &row);
        tenant.rows.same(&done.body["data"], &was)?;
        tenant.rows.remove(id);
        Ok(())
    }

    async fn list(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let count = tenant.rows.len();
        let page = self.rng.random_range(0..=count / PER_PAGE);
        let path = format!(
            "/api/v1/{TABLE}?sort=id&per_page={PER_PAGE}&page={}",
            page + 1
        );
        let body = self.read(name, by, tenant, &Call::get(path)).await?;
        let rows = tenant.rows.list(|_| true);
        let rows: Vec<Value> = rows
            .into_iter()
            .skip(page * PER_PAGE)
            .take(PER_PAGE)
            .collect();
        tenant.rows.same(&body["data"], &json!(rows))?;
        tenant.rows.same(&body["meta"]["total"], &json!(count))?;
        Ok(())
    }

    async fn filter(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let least = self.rng.random_range(0..1_000_000);
        let path = format!(
            "/api/v1/{TABLE}?sort=id&per_page=1000&filter%5Bamount.gte%5D={least}&filter=marker:{}",
            tenant.rows.marker
        );
        let body = self.read(name, by, tenant, &Call::get(path)).await?;
        let rows = tenant.rows.list(|row| row.amount >= least);
        tenant.rows.same(&body["data"], &json!(rows))?;
        Ok(())
    }

    /// A row that is there, or one that is not or no longer.
    async fn one(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let known = self.known(tenant).filter(|_| self.rng.random_ratio(9, 10));
        let Some((id, row)) = known else {
            let id = self.rng.random_range(1..1000);
            if tenant.rows.get(id).is_none() {
                let call = Call::get(format!("/api/v1/{TABLE}/{id}"));
                let wanted = Wanted::Problem(Kind::NotFound);
                self.ask(tenant, name, by, &call, wanted).await?;
            }
            return Ok(());
        };
        let call = Call::get(format!("/api/v1/{TABLE}/{id}"));
        let body = self.read(name, by, tenant, &call).await?;
        let shown = tenant.rows.shown(id, &row);
        tenant.rows.same(&body["data"], &shown)?;
        Ok(())
    }

    async fn graphql(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let query = format!(
            "{{ soakRows(limit: 1000, orderBy: [{{id: ASC}}]) {{ {} }} soakRowsAggregate {{ count sum {{ amount }} }} }}",
            tenant.rows.columns()
        );
        let call = Call::post("/api/v1/graphql", json!({ "query": query }));
        let body = self.read(name, by, tenant, &call).await?;
        let (rows, data) = (&tenant.rows, &body["data"]);
        rows.same_columns(&data["soakRows"], &json!(rows.list(|_| true)))?;
        let total = (rows.len() > 0).then(|| rows.total());
        let wanted = json!({"count": rows.len(), "sum": {"amount": total}});
        rows.same(&data["soakRowsAggregate"], &wanted)?;
        Ok(())
    }

    async fn sql(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let query = format!(
            "select count(*) as rows, coalesce(sum(amount), 0) as total, \
             count(*) filter (where marker is distinct from $1) as others from {TABLE}"
        );
        let body = json!({"query": query, "params": [tenant.rows.marker]});
        let call = Call::post("/api/v1/sql", body);
        let body = self.read(name, by, tenant, &call).await?;
        let wanted =
            json!([{"rows": tenant.rows.len(), "total": tenant.rows.total(), "others": 0}]);
        tenant.rows.same(&body["rows"], &wanted)?;
        Ok(())
    }

    /// A call that has to be refused, and how.
    async fn refusal(&mut self, name: &'static str, tenant: &mut Tenant) -> Outcomes {
        let table = format!("/api/v1/{TABLE}");
        let row = |amount: Value| json!({"marker": "m", "label": "l", "amount": amount});
        let (call, kind) = match self.rng.random_range(0..7) {
            0 => (
                Call::post(&table, row(json!("three"))),
                Kind::ValidationFailed,
            ),
            1 => (Call::post(&table, row(json!(-1))), Kind::CreationFailed),
            2 => (
                Call::get(format!("{table}?no_such=1")),
                Kind::InvalidParameter,
            ),
            3 => (Call::get("/api/v1/no_such_table"), Kind::NotFound),
            4 => (
                Call::new(Method::DELETE, &table, None),
                Kind::MethodNotAllowed,
            ),
            5 => {
                let call = Call::get(&table).with("authorization", "Bearer dba_0");
                let wanted = Wanted::Problem(Kind::InvalidToken);
                self.ask(tenant, name, By::Nobody, &call, wanted).await?;
                return Ok(());
            }
            _ => {
                let own = &tenant.access.api_key;
                let Some(other) = self.tenants.key_of_another(own, &mut self.rng) else {
                    return Ok(());
                };
                (
                    Call::get(&table).with("api-key", other),
                    Kind::TenantMismatch,
                )
            }
        };
        let wanted = Wanted::Problem(kind);
        self.ask(tenant, name, By::Session, &call, wanted).await?;
        Ok(())
    }

    async fn own(&mut self, name: &'static str, tenant: &mut Tenant) -> Outcomes {
        let call = Call::get("/api/tenant");
        let body = self.read(name, By::Key, tenant, &call).await?;
        tenant.rows.same(&body["schema"], &json!(tenant.schema))?;
        let call = Call::get("/api/auth/me");
        let body = self.read(name, By::Session, tenant, &call).await?;
        tenant
            .rows
            .same(&body["email"], &json!(tenant.access.email))?;
        tenant.rows.same(&body["schema"], &json!(tenant.schema))?;
        Ok(())
    }

    /// A column comes or goes; every later answer has to show it.
    async fn widen(&mut self, name: &'static str, by: By, tenant: &mut Tenant) -> Outcomes {
        let change = if tenant.rows.has_extra() {
            format!("alter table {TABLE} drop column if exists {EXTRA}")
        } else {
            format!("alter table {TABLE} add column if not exists {EXTRA} text")
        };
        let body = json!({ "query": change });
        let call = write(Method::POST, "/api/v1/sql".to_owned(), Some(body), tenant);
        self.ask(tenant, name, by, &call, Wanted::Status(200))
            .await?;
        tenant.rows.change_extra();
        Ok(())
    }

    async fn read(
        &mut self,
        name: &'static str,
        by: By,
        tenant: &mut Tenant,
        call: &Call,
    ) -> Result<Value, Failure> {
        let done = self
            .ask(tenant, name, by, call, Wanted::Status(200))
            .await?;
        Ok(done.body)
    }

    fn new_row(&mut self, tenant: &mut Tenant) -> (Call, Row) {
        let row = self.row(tenant);
        let body = sent(&tenant.rows, &row);
        let path = format!("/api/v1/{TABLE}");
        (write(Method::POST, path, Some(body), tenant), row)
    }

    fn row(&mut self, tenant: &mut Tenant) -> Row {
        let note = NOTES[self.rng.random_range(0..NOTES.len())];
        Row {
            label: format!("{} {note}", tenant.key()),
            amount: self.rng.random_range(0..1_000_000),
            version: 1,
        }
    }

    /// Any row that must be there.
    fn known(&mut self, tenant: &Tenant) -> Option<(i64, Row)> {
        let count = tenant.rows.len();
        if count == 0 {
            return None;
        }
        let id = tenant.rows.id_at(self.rng.random_range(0..count))?;
        Some((id, tenant.rows.get(id)?.clone()))
    }
}

type Outcomes = Result<(), Failure>;

/// A write with a key of its own, so that it can be sent again.
fn write(method: Method, path: String, body: Option<Value>, tenant: &mut Tenant) -> Call {
    Call::new(method, path, body).with("idempotency-key", tenant.key())
}

fn sent(rows: &Rows, row: &Row) -> Value {
    json!({"marker": rows.marker, "label": row.label, "amount": row.amount})
}

fn located(location: &str, id: i64) -> Outcomes {
    if location.ends_with(&format!("/{TABLE}/{id}")) {
        return Ok(());
    }
    Err(Failure::Wrong(format!("Location {location} of row {id}")))
}
