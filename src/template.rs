//! The template: migrated and seeded on the first start, copied for every tenant.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::SinkExt as _;
use migration::MigratorTrait as _;
use parking_lot::Mutex;
use sea_orm::{ConnectOptions, Database};
use seed::crm::Crm;
use tenants::{Tenants, script::Script};
use tokio_postgres::Client;

use crate::{
    config::Settings,
    data::sqlstate,
    problem::{Kind, Problem},
};

/// The schema that the template is in.
pub const SCHEMA: &str = "public";

/// The template that copies are made of.
#[derive(Clone)]
pub struct Template {
    script: Arc<Mutex<Arc<Versioned>>>,
}

struct Versioned {
    version: i64,
    script: Script,
}
