//! From a caller to what they may see and do, for every surface alike.

use tenants::{Identity, Tenants};

use crate::{
    data::plan::{Refusal, Rules, Secret, Special},
    problem::{Kind, Problem},
};

use super::{
    caller::{Caller, Place, Role},
    usable,
};

/// How to log in for the caller, and what the header `Sandlot-Mode` says of it.
///
/// # Errors
/// `tenant-provisioning` while the tenant's copy is being made.
pub fn place(caller: &Caller, tenants: &Tenants) -> Result<(Identity, &'static str), Problem> {
    match &caller.place {
        Place::Template => Ok((tenants.reader(), "template")),
        Place::Tenant(tenant) => Ok((usable(tenant)?, "live")),
    }
}

/// What the caller may see and do.
pub fn rules(caller: &Caller) -> Rules {
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
        (_, Role::Viewer) => Some(denied(
            "Viewers read; writing rows needs the role `editor` or `admin`.",
        )),
        (_, Role::Editor) => {
            users.no_writes = Some(denied("Only administrators write to `users`."));
            None
        }
        (_, Role::Admin) => None,
    };
    Rules {
        no_writes,
        special: vec![users],
        ..Rules::default()
    }
}

fn denied(detail: &'static str) -> Refusal {
    Refusal {
        kind: Kind::PermissionDenied,
        detail: Some(detail.into()),
    }
}
