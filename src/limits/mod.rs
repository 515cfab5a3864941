//! Rate limits: how much one address or one caller may ask for in a window of time.
//!
//! A window is fixed and begins with a subject's first draw. A draw is granted whole or not at
//! all, and one that is refused takes nothing, so whoever asks too often gets exactly the limit.
//! The counters are in this process ([`memory`]), or in Redis for several servers ([`redis`]);
//! if Redis is out of reach, draws fail, and nothing is let through.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use crate::problem::{Kind, Problem};

pub mod headers;
pub mod memory;
pub mod redis;

/// How many draws a window grants; 0 for as many as one likes.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Requests of one address, whoever asks.
    pub address: u32,
    /// Requests of one caller, unless the credential has a limit of its own.
    pub caller: u32,
    /// Passwords that one address may try.
    pub sign_in: u32,
    /// Registrations and sign-ups of one address.
    pub register: u32,
    /// How long a window is.
    pub window: Duration,
}

/// Which rule a draw falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// All requests of an address.
    Address,
    /// All requests of a caller.
    Caller,
    /// Passwords tried from an address.
    SignIn,
    /// Registrations and sign-ups from an address.
    Register,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Address, Self::Caller, Self::SignIn, Self::Register];

    /// Its name in the headers and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Caller => "caller",
            Self::SignIn => "sign-in",
            Self::Register => "register",
        }
    }

    const fn whose(self) -> &'static str {
        match self {
            Self::Address => "requests of this address",
            Self::Caller => "requests of this token, user or account",
            Self::SignIn => "sign-ins from this address",
            Self::Register => "registrations from this address",
        }
    }
}

/// What counts as one client: an IPv4 address, or the first 64 bits of an IPv6 one, since whoever
/// has one such address mostly has the whole network.
pub fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Whose counter it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    policy: Policy,
    subject: Subject,
}

/// Who draws.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    /// A client's address; of an IPv6 one the network.
    Client(IpAddr),
    /// A caller, by name.
    Caller(Arc<str>),
}

impl Key {
    /// The counter of a client's address.
    pub fn address(policy: Policy, address: IpAddr) -> Self {
        Self {
            policy,
            subject: Subject::Client(client(address)),
        }
    }

    /// The counter of a caller, under a name that no other caller has.
    pub fn caller(name: &str) -> Self {
        Self {
            policy: Policy::Caller,
            subject: Subject::Caller(name.into()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.policy.name();
        match &self.subject {
            Subject::Client(IpAddr::V4(address)) => write!(f, "{policy}:{address}"),
            Subject::Client(IpAddr::V6(network)) => write!(f, "{policy}:{network}/64"),
            Subject::Caller(name) => write!(f, "{policy}:{name}"),
        }
    }
}

/// What came of a draw.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Whose counter it was.
    pub key: Key,
    /// What a window grants.
    pub quota: u32,
    /// How long a window is.
    pub window: Duration,
    /// What was asked for.
    pub cost: u32,
    /// What is left in this window.
    pub left: u32,
    /// Time until the window ends.
    pub reset: Duration,
    /// Whether the draw was granted.
    pub granted: bool,
}

impl Drawn {
    /// Which rule it fell under.
    pub fn policy(&self) -> Policy {
        self.key.policy
    }

    /// The answer to a draw that was not granted.
    pub fn refusal(&self) -> Problem {
        let seconds = headers::seconds(self.reset);
        let detail = if self.cost > self.quota {
            format!(
                "This would draw {} from the limit of {} {} in {} seconds; ask for less at once.",
                self.cost,
                self.quota,
                self.policy().whose(),
                headers::seconds(self.window),
            )
        } else {
            format!(
                "The limit of {} {} in {} seconds is reached; wait {seconds} seconds.",
                self.quota,
                self.policy().whose(),
                headers::seconds(self.window),
            )
        };
        Problem::new(Kind::TooManyRequests)
            .detail(detail)
            // The member that draft-ietf-httpapi-ratelimit-headers defines for its own type.
            .member("violated-policies", vec![self.policy().name()])
            .header("retry-after", seconds.to_string())
    }
}

/// The limits of a server.
pub struct Limits {
    quotas: Quotas,
    store: Store,
}

enum Store {
    Memory(memory::Memory),
    Redis(Box<redis::Redis>),
}

/// What a store says of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Whether it was granted.
    pub granted: bool,
    /// What has been drawn in this window.
    pub used: u32,
    /// Time until the window ends.
    pub reset: Duration,
}

impl Limits {
    /// Limits with their counters in this process.
    pub fn in_memory(quotas: Quotas) -> Self {
        let store = Store::Memory(memory::Memory::default());
        Self { quotas, store }
    }

    /// Limits with their counters in a Redis that several servers share; it is connected to when
    /// it is first needed.
    ///
    /// # Errors
    /// When the address can't be read.
    pub fn in_redis(quotas: Quotas, url: &str) -> anyhow::Result<Self> {
        let store = Store::Redis(Box::new(redis::Redis::open(url)?));
        Ok(Self { quotas, store })
    }

    /// What the windows grant.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// What a window of one of an address's policies, or of callers without a limit of their own,
    /// grants.
    pub fn quota(&self, policy: Policy) -> u32 {
        match policy {
            Policy::Address => self.quotas.address,
            Policy::Caller => self.quotas.caller,
            Policy::SignIn => self.quotas.sign_in,
            Policy::Register => self.quotas.register,
        }
    }

    /// Draws `cost` from a counter that may reach `quota` in a window; `None` without a limit.
    ///
    /// # Errors
    /// `service-unavailable` if the store is out of reach.
    pub async fn draw(&self, key: Key, quota: u32, cost: u32) -> Result<Option<Drawn>, Problem> {
        if quota == 0 {
            return Ok(None);
        }
        let window = self.quotas.window;
        let count = match &self.store {
            Store::Memory(memory) => memory.draw(&key, quota, cost, window),
            Store::Redis(redis) => Box::pin(redis.draw(&key, quota, cost, window)).await?,
        };
        Ok(Some(Drawn {
            key,
            quota,
            window,
            cost,
            left: quota.saturating_sub(count.used),
            reset: count.reset,
            granted: count.granted,
        }))
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// `service-unavailable` if it does not.
    pub async fn check(&self) -> Result<(), Problem> {
        match &self.store {
            Store::Memory(_) => Ok(()),
            Store::Redis(redis) => redis.ping().await,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::in_memory(Quotas {
            address: 3,
            caller: 0,
            sign_in: 1,
            register: 1,
            window: Duration::from_secs(60),
        })
    }

    fn key(address: &str) -> Key {
        Key::address(Policy::Address, address.parse().unwrap())
    }

    #[test]
    fn a_network_of_64_bits_is_one_subject() {
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:203.0.113.7"), key("203.0.113.7"));
        assert_ne!(key("203.0.113.7"), key("203.0.113.8"));
    }

    #[tokio::test]
    async fn a_limit_of_none_draws_nothing() {
        let draw = limits().draw(Key::caller("user:1:1"), 0, 1).await;
        assert!(draw.unwrap().is_none());
    }

    #[tokio::test]
    async fn policies_have_counters_of_their_own() {
        let limits = limits();
        let address = "203.0.113.7".parse().unwrap();
        for policy in [Policy::SignIn, Policy::Register] {
            let key = Key::address(policy, address);
            let first = limits.draw(key.clone(), 1, 1).await.unwrap().unwrap();
            let second = limits.draw(key, 1, 1).await.unwrap().unwrap();
            assert!(first.granted && !second.granted, "{policy:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_says_how_long_to_wait() {
        let limits = limits();
        let drawn = limits
            .draw(key("203.0.113.7"), 3, 4)
            .await
            .unwrap()
            .unwrap();
        let problem = drawn.refusal();
        assert!(
            problem.detail.contains("ask for less"),
            "{}",
            problem.detail
        );
        limits.draw(key("203.0.113.7"), 3, 3).await.unwrap();
        let drawn = limits
            .draw(key("203.0.113.7"), 3, 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((drawn.granted, drawn.left), (false, 0));
        let problem = drawn.refusal();
        assert!(
            problem.detail.contains("wait 60 seconds"),
            "{}",
            problem.detail
        );
        assert_eq!(problem.headers, [("retry-after", "60".to_owned())]);
    }
}
