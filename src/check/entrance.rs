//! How a tenant's session is opened: the one thing that the check takes from whoever runs it.

use std::{future::Future, pin::Pin};

use tenants::{Error, Identity, Tenants};
use tokio_postgres::{Client, SimpleQueryMessage};

type Opening = Pin<Box<dyn Future<Output = Result<Client, Error>> + Send>>;

/// A way to a session in which a tenant's work is done.
pub struct Entrance {
    /// Opens a connection for the tenant, to the tenants' database or another one of the cluster.
    pub open: Box<dyn Fn(Identity, Option<&'static str>) -> Opening + Send + Sync>,
    /// What is sent in front of each piece of work, inside its transaction; empty for nothing.
    pub before: Box<dyn Fn(&Identity) -> String + Send + Sync>,
}

/// A tenant's session.
pub struct Session {
    client: Client,
    before: String,
}

impl Entrance {
    /// The server's own way: a connection that has logged in as the tenant.
    pub fn own(tenants: Tenants) -> Self {
        Self {
            open: Box::new(move |identity, database| {
                let tenants = tenants.clone();
                Box::pin(async move { tenants.session(&identity, database).await })
            }),
            before: Box::new(|_| String::new()),
        }
    }

    /// Opens a session; waits a little where the role's connections are all taken.
    ///
    /// # Errors
    /// When the login is refused.
    pub async fn session(
        &self,
        identity: &Identity,
        database: Option<&'static str>,
    ) -> Result<Session, Error> {
        let mut tries = 0;
        loop {
            match (self.open)(identity.clone(), database).await {
                Ok(client) => {
                    return Ok(Session {
                        client,
                        before: (self.before)(identity),
                    });
                }
                // Sessions that were closed a moment ago still count.
                Err(Error::Busy) if tries < 50 => {
                    tries += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Session {
    /// Does a piece of a tenant's work as a surface would: in a transaction of its own.
    ///
    /// Returns the first column of what its statements gave.
    ///
    /// # Errors
    /// Postgres' refusal; nothing is kept then.
    pub async fn work(&self, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        self.client
            .batch_execute(&format!("begin; {}", self.before))
            .await?;
        let outcome = match self.client.simple_query(sql).await {
            Ok(given) => self.client.batch_execute("commit").await.map(|()| given),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(given) => Ok(given.iter().filter_map(first).collect()),
            Err(error) => {
                // Fails where the session itself has been ended, which the caller learns from the first error.
                let _ = self.client.batch_execute("rollback").await;
                Err(error)
            }
        }
    }

    /// The connection itself, for what is about connections.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

fn first(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) if !row.is_empty() => {
            Some(row.get(0).unwrap_or("null").to_owned())
        }
        _ => None,
    }
}
