//! A connection of the tenant's with the statements prepared on it.

use parking_lot::Mutex;
use std::collections::HashMap;
use tokio_postgres::{Client, Error, Statement};

/// The most statements that one connection keeps; the least used half goes when it is full.
const CAPACITY: usize = 200;

/// A logged-in client and its prepared statements by text.
pub struct Connection {
    client: Client,
    statements: Mutex<Statements>,
}

#[derive(Default)]
struct Statements {
    by_text: HashMap<Box<str>, (Statement, u64)>,
    clock: u64,
}

impl Connection {
    /// Wraps a client whose connection task is running.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            statements: Mutex::default(),
        }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The statement of that text, prepared at its first use on this connection.
    pub async fn prepare(&self, text: &str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.lock().get(text) {
            return Ok(known);
        }
        let statement = self.client.prepare(text).await?;
        self.statements.lock().put(text, statement.clone());
        Ok(statement)
    }

    /// Drops the statement of that text, whose tables have changed since.
    pub fn forget(&self, text: &str) {
        self.statements.lock().by_text.remove(text);
    }
}

impl Statements {
    fn get(&mut self, text: &str) -> Option<Statement> {
        self.clock += 1;
        let (statement, used) = self.by_text.get_mut(text)?;
        *used = self.clock;
        Some(statement.clone())
    }

    fn put(&mut self, text: &str, statement: Statement) {
        if self.by_text.len() >= CAPACITY {
            let mut uses: Vec<u64> = self.by_text.values().map(|(_, used)| *used).collect();
            let (_, median, _) = uses.select_nth_unstable(CAPACITY / 2);
            let median = *median;
            self.by_text.retain(|_, (_, used)| *used > median);
        }
        self.by_text.insert(text.into(), (statement, self.clock));
    }
}
