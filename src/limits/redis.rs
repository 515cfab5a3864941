//! Counters in a Redis that several servers share: one script for one decision.

use std::time::Duration;

use ::redis::{
    Client, RedisError, Script, aio::ConnectionManager, aio::ConnectionManagerConfig, cmd,
};
use anyhow::Context as _;
use tokio::time::timeout;

use super::{Count, Key};
use crate::problem::{Kind, Problem};

/// Longest time that a decision may take; a request that waits longer is refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads the counter, and grants the draw if the quota allows. Redis runs it as one step, so what
/// several servers draw at once adds up. A counter without an end, which nothing here makes, is
/// begun anew. The time is Redis' own: the servers' clocks need not agree.
const SCRIPT: &str = r"
local quota, cost, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used = tonumber(redis.call('get', KEYS[1]) or '0')
local left = redis.call('pttl', KEYS[1])
if left < 0 then
    used, left = 0, window
end
if used + cost > quota then
    return {0, used, left}
end
if used == 0 then
    redis.call('set', KEYS[1], cost, 'px', left)
else
    redis.call('incrby', KEYS[1], cost)
end
return {1, used + cost, left}
";

/// The counters.
pub struct Redis {
    connection: ConnectionManager,
    script: Script,
}

impl Redis {
    /// A store at an address such as `redis://127.0.0.1:6379/0`; it is connected to when it is
    /// first needed, and again whenever the connection has broken.
    ///
    /// # Errors
    /// When the address can't be read.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        let client = Client::open(url).context("SANDLOT_REDIS_URL can't be read")?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = ConnectionManager::new_lazy_with_config(client, config)
            .context("SANDLOT_REDIS_URL can't be used")?;
        Ok(Self {
            connection,
            script: Script::new(SCRIPT),
        })
    }

    /// Draws `cost` from a counter that may reach `quota` in a window.
    ///
    /// # Errors
    /// `service-unavailable` if Redis does not answer in time.
    pub async fn draw(
        &self,
        key: &Key,
        quota: u32,
        cost: u32,
        window: Duration,
    ) -> Result<Count, Problem> {
        let mut connection = self.connection.clone();
        let mut invocation = self.script.key(format!("sandlot:limit:{key}"));
        invocation
            .arg(quota)
            .arg(cost)
            .arg(window.as_millis() as u64);
        let (granted, used, left): (u8, u32, u64) =
            in_time(invocation.invoke_async(&mut connection)).await?;
        Ok(Count {
            granted: granted == 1,
            used,
            reset: Duration::from_millis(left),
        })
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// `service-unavailable` if it does not.
    pub async fn ping(&self) -> Result<(), Problem> {
        let mut connection = self.connection.clone();
        in_time(cmd("PING").query_async::<()>(&mut connection)).await
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Problem> {
    let away = || {
        Problem::new(Kind::ServiceUnavailable)
            .detail("The store of the rate limits is out of reach.")
            .header("retry-after", "1")
    };
    match timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(away().because(error)),
        Err(late) => Err(away().because(late)),
    }
}
