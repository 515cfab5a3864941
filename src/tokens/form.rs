//! What may be said of a token, and what goes together.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use poem_openapi::Object;

use crate::{
    auth::tokens::{
        Kind, Scope,
        places::{Net, is_domain},
        record::{self, Model},
    },
    edge::form::{Fields, Form},
    problem::{Kind as ProblemKind, Problem},
};

/// Most characters of a name.
const NAME: usize = 100;
/// Most items of a list.
const ITEMS: usize = 200;
/// Most bytes of a table's name: what PostgreSQL keeps of one.
const TABLE: usize = 63;
/// Most requests a minute that a token may be given.
const RATE: u32 = 100_000;

/// A token to be made.
#[derive(Object)]
pub struct NewToken {
    /// What people call it; need not be unique
    pub name: String,
    /// Any of `tables`, `views`, `graphql`, `write`, `sql`; one at least
    pub scopes: Vec<String>,
    /// The only tables that it reaches; all if absent or empty
    pub allowed_tables: Option<Vec<String>>,
    /// The only views that it reaches, each by its name or by the slug of a report on it; all if absent or empty
    pub allowed_views: Option<Vec<String>>,
    /// Whether its requests have to be signed; false if absent
    pub hmac: Option<bool>,
    /// The only addresses and networks (CIDR) that it is used from; all if absent or empty
    pub ip_allowlist: Option<Vec<String>>,
    /// The only domains whose pages use it, compared with `Origin`; any client if absent or empty
    pub domain_allowlist: Option<Vec<String>>,
    /// `standard` (if absent) or `embed`
    pub kind: Option<String>,
    /// When it ends; never if absent
    pub expires_at: Option<DateTime<Utc>>,
    /// Requests a minute; the server's default if absent
    pub rate_limit: Option<u32>,
}

/// What is to be changed of a token. What is absent stays; null takes a limit away.
#[derive(Object)]
pub struct TokenChanges {
    /// What people call it
    pub name: Option<String>,
    /// All that it may be used for
    pub scopes: Option<Vec<String>>,
    /// The only tables that it reaches; null or empty for all
    pub allowed_tables: Option<Vec<String>>,
    /// The only views that it reaches; null or empty for all
    pub allowed_views: Option<Vec<String>>,
    /// The only addresses and networks that it is used from; null or empty for all
    pub ip_allowlist: Option<Vec<String>>,
    /// The only domains whose pages use it; null or empty for any client
    pub domain_allowlist: Option<Vec<String>>,
    /// When it ends; null for never
    pub expires_at: Option<DateTime<Utc>>,
    /// Requests a minute; null for the server's default
    pub rate_limit: Option<u32>,
    /// Which of the fields that may be null were given.
    #[oai(skip)]
    given: BTreeSet<&'static str>,
}

/// All that is said of a token.
pub struct Draft {
    pub name: String,
    pub kind: Kind,
    pub scopes: BTreeSet<String>,
    pub allowed_tables: BTreeSet<String>,
    pub allowed_views: BTreeSet<String>,
    pub hmac: bool,
    pub ip_allowlist: BTreeSet<String>,
    pub domain_allowlist: BTreeSet<String>,
    pub rate_limit: Option<u32>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl Form for NewToken {
    fn read(fields: &mut Fields) -> Self {
        let name = fields.text("name");
        check_name(fields, &name);
        if !fields.is_given("scopes") {
            fields.fault("scopes", "is required");
        }
        let scopes = scopes(fields);
        let kind = fields.optional_text("kind");
        match kind.as_deref().map(Kind::named) {
            None | Some(Some(Kind::Standard | Kind::Embed)) => {}
            Some(Some(Kind::Demo)) => {
                fields.fault("kind", "`demo` is the kind of the public demo token alone");
            }
            Some(None) => fields.fault("kind", "must be `standard` or `embed`"),
        }
        let new = Self {
            name,
            scopes: scopes.unwrap_or_default(),
            allowed_tables: tables(fields, "allowed_tables"),
            allowed_views: tables(fields, "allowed_views"),
            hmac: fields.optional_bool("hmac"),
            ip_allowlist: addresses(fields),
            domain_allowlist: domains(fields),
            kind,
            expires_at: end(fields),
            rate_limit: fields.optional_number("rate_limit", 1..=RATE),
        };
        for (field, message) in new.draft().conflicts() {
            fields.fault(field, message);
        }
        new
    }
}

impl Form for TokenChanges {
    fn read(fields: &mut Fields) -> Self {
        const NULLABLE: [&str; 6] = [
            "allowed_tables",
            "allowed_views",
            "ip_allowlist",
            "domain_allowlist",
            "expires_at",
            "rate_limit",
        ];
        for (fixed, why) in [
            ("kind", "is fixed when a token is made"),
            ("hmac", "is fixed when a token is made; make another token"),
            ("token", "is never changed; make another token"),
        ] {
            if fields.is_given(fixed) {
                fields.take(fixed);
                fields.fault(fixed, why);
            }
        }
        let given = NULLABLE.into_iter().filter(|name| fields.is_given(name));
        let given = given.collect();
        for name in ["name", "scopes"] {
            if fields.is_null(name) {
                fields.fault(name, "can't be null");
            }
        }
        let name = fields.optional_text("name");
        if let Some(name) = &name {
            check_name(fields, name);
        }
        Self {
            name,
            scopes: scopes(fields),
            allowed_tables: tables(fields, "allowed_tables"),
            allowed_views: tables(fields, "allowed_views"),
            ip_allowlist: addresses(fields),
            domain_allowlist: domains(fields),
            expires_at: end(fields),
            rate_limit: fields.optional_number("rate_limit", 1..=RATE),
            given,
        }
    }
}

impl NewToken {
    /// All that is said of the token.
    pub fn draft(&self) -> Draft {
        Draft {
            name: self.name.trim().to_owned(),
            kind: (self.kind.as_deref().and_then(Kind::named)).unwrap_or(Kind::Standard),
            scopes: set(self.scopes.clone()),
            allowed_tables: listed(&self.allowed_tables),
            allowed_views: listed(&self.allowed_views),
            hmac: self.hmac == Some(true),
            ip_allowlist: listed(&self.ip_allowlist),
            domain_allowlist: listed(&self.domain_allowlist),
            rate_limit: self.rate_limit,
            expires_at: self.expires_at,
        }
    }
}

impl TokenChanges {
    /// What the token is after the changes.
    ///
    /// # Errors
    /// `validation-failed` where what is changed does not go with what stays.
    pub fn applied(self, record: &Model) -> Result<Draft, Problem> {
        let given = |name| self.given.contains(name);
        let kept = |name, new: &Option<Vec<String>>, old| match given(name) {
            true => Ok(listed(new)),
            false => record::list(old),
        };
        let draft = Draft {
            name: (self.name.as_deref())
                .map_or_else(|| record.name.clone(), |name| name.trim().to_owned()),
            kind: Kind::named(&record.kind).unwrap_or(Kind::Standard),
            scopes: match self.scopes {
                Some(scopes) => set(scopes),
                None => record::list(&record.scopes)?,
            },
            allowed_tables: kept(
                "allowed_tables",
                &self.allowed_tables,
                &record.allowed_tables,
            )?,
            allowed_views: kept("allowed_views", &self.allowed_views, &record.allowed_views)?,
            hmac: record.hmac_salt.is_some(),
            ip_allowlist: kept("ip_allowlist", &self.ip_allowlist, &record.ip_allowlist)?,
            domain_allowlist: kept(
                "domain_allowlist",
                &self.domain_allowlist,
                &record.domain_allowlist,
            )?,
            rate_limit: match given("rate_limit") {
                true => self.rate_limit,
                false => record
                    .rate_limit
                    .and_then(|limit| u32::try_from(limit).ok()),
            },
            expires_at: match given("expires_at") {
                true => self.expires_at,
                false => record.expires_at,
            },
        };
        let conflicts = draft.conflicts();
        if conflicts.is_empty() {
            return Ok(draft);
        }
        let problem = Problem::new(ProblemKind::ValidationFailed);
        Err(conflicts
            .into_iter()
            .fold(problem, |problem, (field, message)| {
                problem.field(field, message)
            }))
    }
}

impl Draft {
    /// What does not go together: the field that is at fault, and why.
    fn conflicts(&self) -> Vec<(&'static str, String)> {
        let has = |scope: Scope| self.scopes.contains(scope.as_str());
        let mut conflicts = Vec::new();
        let mut conflict = |field, message: &str| conflicts.push((field, message.to_owned()));
        if has(Scope::Sql) {
            if !has(Scope::Write) {
                conflict("scopes", "`sql` needs `write` beside it");
            }
            let excluded = "can't be limited for a token with the scope `sql`, which reaches all";
            if !self.allowed_tables.is_empty() {
                conflict("allowed_tables", excluded);
            }
            if !self.allowed_views.is_empty() {
                conflict("allowed_views", excluded);
            }
        }
        if self.kind == Kind::Embed {
            if has(Scope::Write) || has(Scope::Sql) {
                conflict(
                    "scopes",
                    "a token of kind `embed` reads; it takes neither `write` nor `sql`",
                );
            }
            if self.hmac {
                conflict(
                    "hmac",
                    "a token of kind `embed` is part of an address, and signs nothing",
                );
            }
        }
        conflicts
    }
}

fn check_name(fields: &mut Fields, name: &str) {
    let length = name.trim().chars().count();
    if fields.is_sound("name") && !(1..=NAME).contains(&length) {
        fields.fault("name", format!("must have 1 to {NAME} characters"));
    }
}

fn scopes(fields: &mut Fields) -> Option<Vec<String>> {
    let scopes = fields.optional_texts("scopes")?;
    if scopes.is_empty() {
        fields.fault("scopes", "must name one at least");
    }
    for scope in &scopes {
        if Scope::named(scope).is_none() {
            fields.fault(
                "scopes",
                format!(
                    "{} is none of tables, views, graphql, write, sql",
                    quoted(scope)
                ),
            );
        }
    }
    Some(scopes)
}

fn tables(fields: &mut Fields, name: &str) -> Option<Vec<String>> {
    list(
        fields,
        name,
        |item| ((1..=TABLE).contains(&item.len())).then_some(item),
        "is no name of 1 to 63 bytes",
    )
}

fn addresses(fields: &mut Fields) -> Option<Vec<String>> {
    list(
        fields,
        "ip_allowlist",
        |item| Net::read(&item).is_some().then_some(item),
        "is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32",
    )
}

fn domains(fields: &mut Fields) -> Option<Vec<String>> {
    list(
        fields,
        "domain_allowlist",
        |item| {
            let item = item.to_ascii_lowercase();
            is_domain(&item).then_some(item)
        },
        "is no domain such as app.example, *.example or https://app.example:8443",
    )
}

/// A list of texts, each as `read` has it; those that it refuses are named.
fn list(
    fields: &mut Fields,
    name: &str,
    read: impl Fn(String) -> Option<String>,
    fault: &str,
) -> Option<Vec<String>> {
    let items = fields.optional_texts(name)?;
    if items.len() > ITEMS {
        fields.fault(name, format!("must have {ITEMS} items at most"));
        return None;
    }
    let mut sound = Vec::with_capacity(items.len());
    for item in items {
        let shown = quoted(&item);
        match read(item) {
            Some(item) => sound.push(item),
            None => fields.fault(name, format!("{shown} {fault}")),
        }
    }
    Some(sound)
}

fn end(fields: &mut Fields) -> Option<DateTime<Utc>> {
    let end = fields.optional_instant("expires_at")?;
    if end <= Utc::now() {
        fields.fault("expires_at", "is in the past");
    }
    Some(end)
}

fn quoted(item: &str) -> String {
    let shown: String = item.chars().take(80).collect();
    format!("`{shown}`")
}

fn listed(items: &Option<Vec<String>>) -> BTreeSet<String> {
    set(items.clone().unwrap_or_default())
}

fn set(items: Vec<String>) -> BTreeSet<String> {
    items.into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::edge::form::read;
    use serde_json::{Value, json};

    fn faults(body: &Value) -> Vec<String> {
        match read::<NewToken>(body.to_string().as_bytes()) {
            Ok(_) => Vec::new(),
            Err(problem) => {
                assert_eq!(problem.kind, ProblemKind::ValidationFailed);
                problem.errors.into_keys().collect()
            }
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = json!({"name": "n", "scopes": ["tables"]});
        body[name] = value;
        body
    }

    #[test]
    fn each_field_is_judged() {
        for (name, good, bad) in [
            ("name", json!("ü".repeat(100)), json!("ü".repeat(101))),
            ("name", json!(" a "), json!("   ")),
            ("scopes", json!(["tables", "tables"]), json!([])),
            ("scopes", json!(["views", "graphql"]), json!(["Tables"])),
            ("scopes", json!(["sql", "write"]), json!(["sql"])),
            ("scopes", json!(["write"]), json!("write")),
            ("allowed_tables", json!([]), json!([""])),
            ("allowed_views", json!(null), json!(["x".repeat(64)])),
            ("allowed_tables", json!(["a b"]), json!([1])),
            ("allowed_tables", json!(["a"]), json!(vec!["a"; 201])),
            ("hmac", json!(true), json!(1)),
            ("ip_allowlist", json!(["::1"]), json!(["::1", "here"])),
            (
                "domain_allowlist",
                json!(["App.example"]),
                json!(["app.example/"]),
            ),
            ("kind", json!("embed"), json!("demo")),
            ("kind", json!("standard"), json!("other")),
            (
                "expires_at",
                json!("2999-01-01T00:00:00+02:00"),
                json!("2001-01-01T00:00:00Z"),
            ),
            ("expires_at", json!(null), json!("tomorrow")),
            ("rate_limit", json!(1), json!(0)),
            ("rate_limit", json!(100_000), json!(1.5)),
        ] {
            assert!(
                faults(&with(name, good.clone())).is_empty(),
                "{name} {good}"
            );
            assert_eq!(faults(&with(name, bad.clone())), [name], "{bad}");
        }
        assert_eq!(faults(&json!({})), ["name", "scopes"]);
        assert_eq!(faults(&with("secret", json!(1))), ["secret"]);
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let sql = json!({"name": "n", "scopes": ["sql", "write"], "allowed_tables": ["a"], "allowed_views": ["b"]});
        assert_eq!(faults(&sql), ["allowed_tables", "allowed_views"]);
        let embed =
            json!({"name": "n", "scopes": ["views", "write"], "kind": "embed", "hmac": true});
        assert_eq!(faults(&embed), ["hmac", "scopes"]);
    }
}
