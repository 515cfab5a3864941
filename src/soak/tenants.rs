//! The tenants that are called as: taken from a file or registered.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Context as _;
use parking_lot::RwLock;
use rand::{RngExt as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use super::{
    judge::{MARKER, RUN, TENANT},
    options::Options,
    rows::Rows,
};

/// How a tenant is signed in to, as the file has it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Access {
    pub email: String,
    pub password: String,
    /// Empty until it is registered.
    pub api_key: String,
}

/// One tenant, its sessions and what its table must hold.
pub struct Tenant {
    pub access: Access,
    pub schema: String,
    /// Of the administrator's session.
    pub session: String,
    pub refresh: String,
    /// An API token with all scopes.
    pub token: String,
    pub rows: Rows,
    /// Writes so far: each has a label and a key of its own.
    pub writes: u64,
    /// What its table holds is no longer known; nothing is asked of it any more.
    pub aside: bool,
}

/// All of them; one call at a time is made as each.
pub struct Tenants {
    all: Vec<Mutex<Tenant>>,
    keys: RwLock<BTreeSet<String>>,
    next: AtomicUsize,
}

impl Tenants {
    /// Those of the file, and as many more, not yet registered, as are asked for.
    ///
    /// # Errors
    /// When the file is there and is not such a list.
    pub fn listed(options: &Options) -> anyhow::Result<Self> {
        let known: Vec<Access> = match &options.tenants_file {
            Some(file) if file.exists() => {
                let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
                serde_json::from_slice(&text)
                    .with_context(|| format!("{} is no list of tenants", file.display()))?
            }
            _ => Vec::new(),
        };
        let run = format!("{:0width$x}", rand::random::<u32>(), width = RUN);
        let tenant = |number: usize| {
            let access = known.get(number).cloned().unwrap_or_else(|| Access {
                email: format!("soak-{run}-{number}@mail.example"),
                password: hex::encode(rand::random::<[u8; 12]>()),
                api_key: String::new(),
            });
            Mutex::new(Tenant {
                access,
                schema: String::new(),
                session: String::new(),
                refresh: String::new(),
                token: String::new(),
                rows: Rows::new(format!("{MARKER}{run}.{number:0width$x}", width = TENANT)),
                writes: 0,
                aside: false,
            })
        };
        Ok(Self {
            all: (0..options.tenants as usize).map(tenant).collect(),
            keys: RwLock::default(),
            next: AtomicUsize::new(0),
        })
    }

    /// Writes the file that was asked for, with all that it had and all that were registered.
    ///
    /// # Errors
    /// When it can't be written.
    pub async fn keep(&self, options: &Options) -> anyhow::Result<()> {
        let Some(file) = &options.tenants_file else {
            return Ok(());
        };
        let mut list: Vec<Access> = match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => Vec::new(),
        };
        for tenant in self.all.iter().skip(list.len()) {
            list.push(tenant.lock().await.access.clone());
        }
        let text = serde_json::to_string_pretty(&list)? + "\n";
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    /// The next one that nobody has taken since [`Tenants::again`], for a walk of all clients over all tenants.
    pub async fn next(&self) -> Option<MutexGuard<'_, Tenant>> {
        let tenant = self.all.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        Some(tenant.lock().await)
    }

    /// Begins such a walk.
    pub fn again(&self) {
        self.next.store(0, Ordering::Relaxed);
    }

    /// Any one that nobody is calling as; none if all are put aside.
    pub async fn any(&self, rng: &mut StdRng) -> Option<MutexGuard<'_, Tenant>> {
        let start = rng.random_range(0..self.all.len());
        let mut busy = None;
        for step in 0..self.all.len() {
            let tenant = &self.all[(start + step) % self.all.len()];
            match tenant.try_lock() {
                Ok(tenant) if tenant.aside => {}
                Ok(tenant) => return Some(tenant),
                Err(_) => busy = busy.or(Some(tenant)),
            }
        }
        let tenant = busy?.lock().await;
        (!tenant.aside).then_some(tenant)
    }

    /// Makes a tenant's key known to the others, who must not get anywhere with it.
    pub fn tell_key(&self, key: &str) {
        self.keys.write().insert(key.to_owned());
    }

    /// The key of another tenant.
    pub fn key_of_another(&self, own: &str, rng: &mut StdRng) -> Option<String> {
        let keys = self.keys.read();
        let others: Vec<&String> = keys.iter().filter(|key| *key != own).collect();
        let count = others.len();
        (count > 0).then(|| others[rng.random_range(0..count)].clone())
    }
}
