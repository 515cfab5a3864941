//! From a caller to what they may see and do, for every surface alike.

use tenants::{Identity, Tenants};

use crate::{
    data::plan::{Reach, Refusal, Rules, Secret, Special},
    directory::Directory,
    problem::{Kind, Problem},
};

use super::{
    caller::{Caller, Place, Role},
    tokens::Scope,
    usable,
};

/// How HTTP writes an instant (RFC 9110, 5.6.7).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// How to log in for the caller, and what the header `Sandlot-Mode` says of it.
///
/// # Errors
/// `tenant-provisioning` while the tenant's copy is being made.
pub fn place(caller: &Caller, tenants: &Tenants) -> Result<(Identity, &'static str), Problem> {
    match &caller.place {
        Place::Template => Ok((tenants.reader(), "template")),
        Place::Tenant(tenant) => Ok((usable(tenant)?, "live")),
        Place::Demo(demo) => Ok((demo.identity.clone(), "demo")),
    }
}

/// What the headers of every answer to the caller say beside the mode.
pub fn marks(caller: &Caller, directory: &Directory) -> Vec<(&'static str, String)> {
    let seed = match &caller.place {
        Place::Demo(demo) => Some(("sandlot-seed", demo.seed.to_string())),
        _ => None,
    };
    let sunset = sunset(caller, directory).map(|at| ("sunset", at));
    seed.into_iter().chain(sunset).collect()
}

/// When the caller's copy expires, as the header `Sunset` says it (RFC 8594); `None` if it stays.
fn sunset(caller: &Caller, directory: &Directory) -> Option<String> {
    let Place::Tenant(tenant) = &caller.place else {
        return None;
    };
    let at = directory.expiry(tenant)?;
    Some(at.format(HTTP_DATE).to_string())
}

/// What the caller may see and do.
pub fn rules(caller: &Caller) -> Rules {
    if let Place::Demo(demo) = &caller.place {
        // What nobody may see is not there; what is there, anybody may write to, and nothing is kept.
        return Rules {
            simulation: Some(demo.late.clone()),
            ..Rules::default()
        };
    }
    let mut users = Special {
        table: "users".to_owned(),
        hidden: vec!["password_hash".to_owned()],
        secrets: vec![Secret {
            given: "password".to_owned(),
            stored: "password_hash".to_owned(),
        }],
        ..Special::default()
    };
    let no_writes = match (&caller.place, caller.role) {
        (Place::Template, _) => {
            users.absent = true;
            Some(Refusal::new(Kind::ReadOnly))
        }
        _ if caller.token.as_ref().is_some_and(|token| !token.writes()) => {
            Some(Refusal::new(Kind::WriteNotAllowed))
        }
        (_, Role::Viewer) => Some(denied(
            "Viewers read; writing rows needs the role `editor` or `admin`.",
        )),
        (_, Role::Editor) => {
            users.no_writes = Some(denied("Only administrators write to `users`."));
            None
        }
        (_, Role::Admin) => None,
    };
    let no_growth = match &caller.place {
        Place::Tenant(tenant) if tenant.over_quota => Some(Refusal::new(Kind::QuotaExceeded)),
        _ => None,
    };
    Rules {
        tables: reach(caller, Scope::Tables),
        views: reach(caller, Scope::Views),
        no_writes,
        no_growth,
        special: vec![users],
        nothing: false,
        simulation: None,
    }
}

/// Which tables or views are within reach of whoever asks.
fn reach(caller: &Caller, scope: Scope) -> Reach {
    let Some(token) = &caller.token else {
        return Reach::All;
    };
    let names = match scope {
        Scope::Views => &token.allowed_views,
        _ => &token.allowed_tables,
    };
    if !token.has(scope) {
        Reach::Nothing(scope.as_str())
    } else if names.is_empty() {
        Reach::All
    } else {
        Reach::Only(names.clone())
    }
}

fn denied(detail: &'static str) -> Refusal {
    Refusal {
        kind: Kind::PermissionDenied,
        detail: Some(detail.into()),
    }
}
