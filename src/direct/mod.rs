//! The door for programs that speak PostgreSQL's own protocol: psql, drivers, ORMs, as a tenant's role.
//!
//! Off by default. A client's first message is read here: it must name a tenant's role and the
//! tenants' database, so nobody comes near another role or database by this way. Who it is, is
//! proved by SCRAM: to this door where the own PostgreSQL trusts whoever reaches its socket, and
//! to a given server itself. From then on bytes pass both ways.
//!
//! What guards a session: the settings that the server's own sessions start with; a share of
//! connections for each role besides that of the API, and one for all; an end when nothing passes
//! for a while, when the tenant goes or is above its quota; and, as for every session of a
//! tenant's, an end from outside when a transaction lasts too long (`tenants`, its guard).

mod scram;
mod startup;

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use sha2::Sha256;
use tenants::{Credentials, Tenants, names::is_role};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

use crate::{
    config::Settings,
    directory::{Directory, tenant},
    problem::{Kind, Problem},
};

use startup::{First, Refusal, Startup};

/// Sessions of one tenant.
pub const EACH: usize = 5;

/// Sockets of one address, and of all, that have not proved yet whose they are.
const STRANGERS: (usize, usize) = (32, 1024);

/// Time for the first message and the proof.
const HASTE: Duration = Duration::from_secs(10);

/// A session ends when nothing passes for so long.
const IDLE: Duration = Duration::from_secs(600);

/// How often it is looked whether a tenant may still have its sessions.
const LOOK: Duration = Duration::from_secs(5);

/// The door, open.
pub struct Direct {
    listener: TcpListener,
    /// What clients reach it under: host and port.
    authority: String,
    directory: Directory,
    tenants: Tenants,
    secret: [u8; 32],
    places: Arc<Semaphore>,
    strangers: Semaphore,
    /// Places of each role, and of each address of strangers.
    taken: Mutex<HashMap<String, usize>>,
}

/// One of the places of a role or address, free again when dropped.
struct Place<'a> {
    door: &'a Direct,
    of: String,
}

impl Direct {
    /// Opens the door, if the settings say so.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn open(
        settings: &Settings,
        directory: Directory,
        tenants: Tenants,
        secret: [u8; 32],
    ) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(address) = settings.direct_listen else {
            return Ok(None);
        };
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("can't listen on {address} (SANDLOT_DIRECT_LISTEN)"))?;
        let port = listener.local_addr()?.port();
        let authority = match &settings.direct_host {
            Some(host) if host.contains(':') => host.clone(),
            Some(host) => format!("{host}:{port}"),
            None => listener.local_addr()?.to_string(),
        };
        tracing::info!(%address, authority, "open to PostgreSQL's own protocol");
        Ok(Some(Arc::new(Self {
            listener,
            authority,
            directory,
            tenants,
            secret,
            places: Arc::new(Semaphore::new(settings.direct_connections as usize)),
            strangers: Semaphore::new(STRANGERS.1),
            taken: Mutex::default(),
        })))
    }

    /// The address for one tenant, its password in it; the role is put in order on the way.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach.
    pub async fn url(&self, tenant: &tenant::Model) -> Result<String, Problem> {
        self.tenants.heal(&tenant.role).await?;
        let password = self.password(&tenant.role).ok_or(Kind::InternalError)?;
        Ok(format!(
            "postgres://{}:{password}@{}/{}",
            tenant.role,
            self.authority,
            self.database()
        ))
    }

    /// Lets clients in for ever.
    pub async fn serve(self: Arc<Self>) {
        loop {
            let (client, address) = match self.listener.accept().await {
                Ok((client, address)) => (client, address.ip()),
                Err(error) => {
                    tracing::debug!(%error, "a client was not accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let door = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = door.attend(client, address).await {
                    tracing::debug!(%error, "a direct session ended");
                }
            });
        }
    }

    async fn attend(&self, mut client: TcpStream, address: IpAddr) -> io::Result<()> {
        client.set_nodelay(true)?;
        // Whoever says nothing must not keep out who can prove to be a tenant.
        let stranger = (
            self.strangers.try_acquire().ok(),
            self.share(&address.to_string(), STRANGERS.0),
        );
        if stranger.0.is_none() || stranger.1.is_none() {
            let refusal = Refusal::crowded("too many connections that have not logged in yet");
            return client.write_all(&refusal.message()).await;
        }
        let admitted = timeout(HASTE, self.admit(&mut client)).await;
        let admitted = admitted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        drop(stranger);
        let (startup, tenant) = match admitted {
            Admitted::In(startup, tenant) => (startup, tenant),
            Admitted::Cancel(message) => {
                let mut server = self.tenants.dial().await?;
                return server.write_all(&message).await;
            }
            Admitted::Refused(refusal) => return client.write_all(&refusal.message()).await,
        };
        let Ok(_place) = Arc::clone(&self.places).try_acquire_owned() else {
            let refusal = Refusal::crowded("too many direct connections");
            return client.write_all(&refusal.message()).await;
        };
        let Some(_share) = self.share(&tenant.role, EACH) else {
            let refusal = Refusal::crowded("too many direct connections for this role");
            return client.write_all(&refusal.message()).await;
        };
        let mut server = self.tenants.dial().await?;
        let options = self.tenants.session_options(&tenant.identity());
        server.write_all(&startup.message(&options)).await?;
        // The own PostgreSQL says nothing before the session is there.
        let mut first = [0; 1024];
        let count = timeout(HASTE, server.read(&mut first)).await??;
        self.tenants.session_has_begun();
        client.write_all(&first[..count]).await?;
        tokio::select! {
            passed = pass(client, server) => passed,
            // What is in the way of the client's own words is dropped with the connection.
            () = self.until_unwelcome(tenant.id) => Ok(()),
        }
    }

    /// Reads who comes, and on the own PostgreSQL has them prove it.
    async fn admit(&self, client: &mut TcpStream) -> io::Result<Admitted> {
        let startup = match startup::read(client).await? {
            First::Startup(startup) => startup,
            First::Cancel(message) => return Ok(Admitted::Cancel(message)),
            First::Refused(refusal) => return Ok(Admitted::Refused(refusal)),
        };
        let role = startup.user();
        if startup.database() != self.database() {
            let refusal = Refusal::no_database(startup.database());
            return Ok(Admitted::Refused(refusal));
        }
        if !is_role(role) || startup.replicates() {
            return Ok(Admitted::Refused(Refusal::unproved(role)));
        }
        let found = self.directory.by_role(role).await;
        let found = found.map_err(|problem| io::Error::other(problem.to_string()))?;
        let Some(tenant) = found.filter(|tenant| tenant.status == tenant::Status::Ready) else {
            return Ok(Admitted::Refused(Refusal::unproved(role)));
        };
        if matches!(self.tenants.settings().credentials, Credentials::Trust) {
            let password = self.password(role).unwrap_or_default();
            if !scram::prove(client, password).await? {
                return Ok(Admitted::Refused(Refusal::unproved(role)));
            }
        }
        // Told only to who has proved to be the tenant; a given server asks for the proof later.
        if tenant.over_quota {
            return Ok(Admitted::Refused(Refusal::full()));
        }
        Ok(Admitted::In(startup, tenant))
    }

    fn share(&self, of: &str, most: usize) -> Option<Place<'_>> {
        let mut taken = self.taken.lock();
        let count = taken.entry(of.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place {
            door: self,
            of: of.to_owned(),
        })
    }

    /// Returns when the tenant is gone or has to make room first.
    async fn until_unwelcome(&self, id: i64) {
        loop {
            sleep(LOOK).await;
            match self.directory.tenant(id).await {
                Ok(Some(tenant))
                    if tenant.status == tenant::Status::Ready && !tenant.over_quota => {}
                // The platform's database may be away for a moment.
                Err(_) => {}
                Ok(_) => return,
            }
        }
    }

    fn database(&self) -> &str {
        let platform = &self.tenants.settings().platform;
        platform.get_dbname().unwrap_or_default()
    }

    /// On a given server it is the role's own; on the own one, which asks nobody, this door's.
    fn password(&self, role: &str) -> Option<String> {
        if let Some(password) = self.tenants.password(role) {
            return Some(password);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(b"direct connections of ");
        mac.update(role.as_bytes());
        Some(hex::encode(mac.finalize().into_bytes()))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.door.taken.lock();
        if let Some(count) = taken.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

enum Admitted {
    In(Startup, tenant::Model),
    Cancel(Vec<u8>),
    Refused(Refusal),
}

/// Passes bytes both ways until one side is done, or nothing has passed for too long.
async fn pass(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let (client_in, client_out) = tokio::io::split(client);
    let (server_in, server_out) = tokio::io::split(server);
    let began = Instant::now();
    let last = AtomicU64::new(0);
    let idle = async {
        loop {
            let quiet = began.elapsed().as_millis() as u64 - last.load(Ordering::Relaxed);
            match IDLE.checked_sub(Duration::from_millis(quiet)) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(left) => sleep(left).await,
            }
        }
    };
    tokio::select! {
        passed = one_way(client_in, server_out, &began, &last) => passed,
        passed = one_way(server_in, client_out, &began, &last) => passed,
        ended = idle => ended,
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    began: &Instant,
    last: &AtomicU64,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        last.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
        to.write_all(&bytes[..count]).await?;
    }
}
