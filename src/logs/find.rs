//! What of the log is asked for, and the statement that finds it.

use chrono::{DateTime, Datelike as _, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement, Value};

use super::{Call, Who, shown};
use crate::{
    directory::tenant,
    listing::{
        parameters::{parameters, unknown},
        words::invalid,
    },
    problem::Problem,
};

/// Most calls that are counted, and that pages reach; who looks for older ones says `until`.
const REACH: u64 = 10_000;

const PER_PAGE: u64 = 25;
const MOST_PER_PAGE: u64 = 1000;

const NAMES: [&str; 9] = [
    "page", "per_page", "status", "method", "path", "since", "until", "user_id", "token_id",
];

/// The parameters as they were sent.
#[derive(Default)]
pub struct Given {
    pub page: Option<u64>,
    pub per_page: Option<u64>,
    pub status: Option<String>,
    pub method: Option<String>,
    pub path: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub user: Option<String>,
    pub token: Option<String>,
}

/// Which calls, and which page of them.
#[derive(Debug, Default)]
pub struct Filters {
    /// From 1.
    pub page: u64,
    /// Calls of a page.
    pub per_page: u64,
    /// From and to which status, both included.
    status: Option<(i16, i16)>,
    method: Option<String>,
    path: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    user: Option<String>,
    token: Option<i64>,
}

/// A page of calls.
pub struct Found {
    /// The calls.
    pub calls: Vec<Call>,
    /// Whether there are more behind them.
    pub more: bool,
    /// How many there are in all, up to [`REACH`].
    pub total: Option<u64>,
}

/// Refuses parameters that do not exist, and those that come twice.
///
/// # Errors
/// `invalid-parameter` naming the first one at fault.
pub fn refuse_unknown(query: &str) -> Result<(), Problem> {
    let mut seen = Vec::new();
    for (name, _) in parameters(query)? {
        if name.starts_with('_') {
            continue;
        }
        if !NAMES.contains(&name.as_str()) {
            return Err(unknown(&name));
        }
        if seen.contains(&name) {
            return Err(invalid(&name, "may be given once"));
        }
        seen.push(name);
    }
    Ok(())
}

impl Filters {
    /// Reads the parameters.
    ///
    /// # Errors
    /// `invalid-parameter` naming the one at fault.
    pub fn read(given: Given) -> Result<Self, Problem> {
        let page = given.page.unwrap_or(1);
        let per_page = given.per_page.unwrap_or(PER_PAGE);
        if page == 0 {
            return Err(invalid("page", "begins with 1"));
        }
        if !(1..=MOST_PER_PAGE).contains(&per_page) {
            return Err(invalid("per_page", format!("is from 1 to {MOST_PER_PAGE}")));
        }
        if page.saturating_mul(per_page) > REACH {
            return Err(invalid(
                "page",
                format!("reaches the latest {REACH} calls; `until` leads to earlier ones"),
            ));
        }
        for (name, text) in [
            ("method", &given.method),
            ("path", &given.path),
            ("user_id", &given.user),
        ] {
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                return Err(invalid(name, "must not contain the character NUL"));
            }
        }
        let instant = |name, text: Option<String>| {
            text.map(|text| match text.parse::<DateTime<Utc>>() {
                Ok(instant) if (0..=9999).contains(&instant.year()) => Ok(instant),
                _ => Err(invalid(
                    name,
                    "is an instant such as 2026-11-28T12:00:00Z (RFC 3339)",
                )),
            })
            .transpose()
        };
        let token = given.token.map(|token| {
            let id = token.parse();
            id.map_err(|_| invalid("token_id", "is the id of a token, a number"))
        });
        Ok(Self {
            page,
            per_page,
            status: given.status.as_deref().map(statuses).transpose()?,
            method: given.method.map(|method| method.to_ascii_uppercase()),
            path: given.path,
            since: instant("since", given.since)?,
            until: instant("until", given.until)?,
            user: given.user,
            token: token.transpose()?,
        })
    }

    /// What was asked for besides the page, for links to other pages.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let rfc3339 =
            |instant: DateTime<Utc>| instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        let status = self.status.map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{}xx", from / 100),
        });
        [
            ("status", status),
            ("method", self.method.clone()),
            ("path", self.path.clone()),
            ("since", self.since.map(rfc3339)),
            ("until", self.until.map(rfc3339)),
            ("user_id", self.user.clone()),
            ("token_id", self.token.map(|id| id.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// Conditions and their values; the first is the tenant.
    fn conditions(&self, tenant: i64) -> (String, Vec<Value>) {
        let mut text = String::from("tenant_id = $1");
        let mut values: Vec<Value> = vec![tenant.into()];
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            text.push_str(" and ");
            text.push_str(&condition.replace('?', &format!("${}", values.len())));
        };
        if let Some((from, to)) = self.status {
            and("status >= ?", from.into());
            and("status <= ?", to.into());
        }
        if let Some(method) = &self.method {
            and("method = ?", method.clone().into());
        }
        if let Some(path) = &self.path {
            and("starts_with(path, ?)", path.clone().into());
        }
        if let Some(since) = self.since {
            and("at >= ?", since.into());
        }
        if let Some(until) = self.until {
            and("at < ?", until.into());
        }
        if let Some(user) = &self.user {
            and("caller = ?", format!("user:{tenant}:{user}").into());
        }
        if let Some(token) = self.token {
            and("caller = ?", format!("token:{tenant}:{token}").into());
        }
        (text, values)
    }
}

/// Finds a page of a tenant's calls.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn find(
    db: &DatabaseConnection,
    tenant: &tenant::Model,
    filters: &Filters,
) -> Result<Found, Problem> {
    let (conditions, values) = filters.conditions(tenant.id);
    let backend = db.get_database_backend();
    let offset = (filters.page - 1) * filters.per_page;
    let sql = format!(
        "select id, at, method, path, query, status, ms, host(address) as address, request_id, caller \
         from audit_log where {conditions} order by at desc, id desc limit {} offset {offset}",
        filters.per_page + 1
    );
    let statement = Statement::from_sql_and_values(backend, sql, values.clone());
    let mut rows = db.query_all_raw(statement).await?;
    let more = rows.len() as u64 > filters.per_page;
    rows.truncate(filters.per_page as usize);
    let calls: Result<Vec<Call>, _> = rows.iter().map(|row| call(row, tenant)).collect();

    // The first page tells the number, if all of them are on it.
    let counted = if !more && filters.page == 1 {
        rows.len() as u64
    } else {
        let sql = format!(
            "select count(*) as count from \
             (select 1 from audit_log where {conditions} limit {}) as calls",
            REACH + 1
        );
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let row = db.query_one_raw(statement).await?;
        let count = row.map(|row| row.try_get::<i64>("", "count"));
        count.transpose()?.unwrap_or_default() as u64
    };
    Ok(Found {
        calls: calls?,
        more,
        total: (counted <= REACH).then_some(counted),
    })
}

fn call(row: &QueryResult, tenant: &tenant::Model) -> Result<Call, sea_orm::DbErr> {
    let caller: Option<String> = row.try_get("", "caller")?;
    let address: String = row.try_get("", "address")?;
    Ok(Call {
        id: row.try_get("", "id")?,
        at: row.try_get("", "at")?,
        method: row.try_get("", "method")?,
        path: row.try_get("", "path")?,
        query: row.try_get("", "query")?,
        status: row.try_get::<i16>("", "status")?.into(),
        duration_ms: row.try_get("", "ms")?,
        address: address.parse().map_or(address, shown),
        request_id: row.try_get("", "request_id")?,
        caller: caller.map(|caller| who(&caller, tenant)),
    })
}

/// Who it was, as far as the tenant's administrator may know: a stranger who came with the
/// tenant's `Api-Key` and was refused stays nameless.
fn who(caller: &str, tenant: &tenant::Model) -> Who {
    let (kind, id) = caller.split_once(':').unwrap_or((caller, ""));
    let id = match kind {
        "user" | "token" => id
            .split_once(':')
            .filter(|(of, _)| *of == tenant.id.to_string())
            .map(|(_, id)| id),
        "account" => Some(id).filter(|id| *id == tenant.account_id.to_string()),
        _ => Some(id),
    };
    Who {
        kind: kind.to_owned(),
        id: id.map(str::to_owned),
    }
}

/// `404`, or `4xx` for all of a class.
fn statuses(text: &str) -> Result<(i16, i16), Problem> {
    let class = text
        .strip_suffix("xx")
        .or_else(|| text.strip_suffix("XX"))
        .and_then(|class| class.parse::<i16>().ok())
        .filter(|class| (1..=5).contains(class));
    if let Some(class) = class {
        return Ok((class * 100, class * 100 + 99));
    }
    match text.parse::<i16>() {
        Ok(status) if (100..600).contains(&status) => Ok((status, status)),
        _ => Err(invalid(
            "status",
            "is a status such as 404 or a class such as 4xx",
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(given: Given) -> String {
        let problem = Filters::read(given).unwrap_err();
        problem.errors.keys().next().unwrap().clone()
    }

    #[test]
    fn a_status_is_one_or_a_class() {
        assert_eq!(statuses("404").unwrap(), (404, 404));
        assert_eq!(statuses("4xx").unwrap(), (400, 499));
        for bad in ["", "4x", "99", "600", "9xx", "-1", "xx", "4xx4"] {
            assert!(statuses(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_at_fault_are_named() {
        let text = |text: &str| Some(text.to_owned());
        for (given, name) in [
            (
                Given {
                    page: Some(0),
                    ..Given::default()
                },
                "page",
            ),
            (
                Given {
                    page: Some(401),
                    ..Given::default()
                },
                "page",
            ),
            (
                Given {
                    page: Some(u64::MAX),
                    ..Given::default()
                },
                "page",
            ),
            (
                Given {
                    per_page: Some(1001),
                    ..Given::default()
                },
                "per_page",
            ),
            (
                Given {
                    since: text("yesterday"),
                    ..Given::default()
                },
                "since",
            ),
            (
                Given {
                    until: text("2026-11-28"),
                    ..Given::default()
                },
                "until",
            ),
            (
                Given {
                    token: text("x"),
                    ..Given::default()
                },
                "token_id",
            ),
        ] {
            assert_eq!(refused(given), name);
        }
        assert!(refuse_unknown("page=1&_=2").is_ok());
        assert!(refuse_unknown("pages=1").is_err());
        assert!(refuse_unknown("page=1&page=2").is_err());
    }

    #[test]
    fn every_value_is_a_bind() {
        let filters = Filters::read(Given {
            status: Some("5xx".to_owned()),
            method: Some("get".to_owned()),
            path: Some("/api/v1/'; drop".to_owned()),
            user: Some("7".to_owned()),
            ..Given::default()
        })
        .unwrap();
        let (text, values) = filters.conditions(3);
        assert_eq!(
            text,
            "tenant_id = $1 and status >= $2 and status <= $3 and method = $4 \
             and starts_with(path, $5) and caller = $6"
        );
        assert_eq!(values.len(), 6);
        assert_eq!(
            filters.pairs(),
            [
                ("status", "5xx".to_owned()),
                ("method", "GET".to_owned()),
                ("path", "/api/v1/'; drop".to_owned()),
                ("user_id", "7".to_owned()),
            ]
        );
    }
}
