//! What a door for tenants' own programs needs: a socket to the server, what a session starts with, a role's password.

use std::{io, path::PathBuf};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::config::Host;

use crate::{
    connect::{Identity, tenant_options},
    handle::Tenants,
};

/// A socket to the server, of either kind.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl Socket for TcpStream {}
impl Socket for UnixStream {}

impl Tenants {
    /// A fresh socket to the server that the tenants database is on; nothing was said on it yet.
    ///
    /// # Errors
    /// When none of its addresses can be reached.
    pub async fn dial(&self) -> io::Result<Box<dyn Socket>> {
        let config = &self.settings().platform;
        let (hosts, ports) = (config.get_hosts(), config.get_ports());
        let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (at, host) in hosts.iter().enumerate() {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let socket = match host {
                Host::Tcp(name) => tcp(name, port).await,
                Host::Unix(folder) => unix(folder.join(format!(".s.PGSQL.{port}"))).await,
            };
            match socket {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// What the server's own sessions as `identity` start with, as `options` of a startup message.
    pub fn session_options(&self, identity: &Identity) -> String {
        tenant_options(identity, &self.settings().limits)
    }

    /// To be called when a session that was dialled has begun, so that who has to give way to others does so at once.
    pub fn session_has_begun(&self) {
        self.0.door.begun.notify_one();
    }

    /// The password of a role; none where the server asks for none.
    pub fn password(&self, role: &str) -> Option<String> {
        self.settings().credentials.password(role)
    }
}

async fn tcp(name: &str, port: u16) -> io::Result<Box<dyn Socket>> {
    let socket = TcpStream::connect((name, port)).await?;
    socket.set_nodelay(true)?;
    Ok(Box::new(socket))
}

async fn unix(path: PathBuf) -> io::Result<Box<dyn Socket>> {
    Ok(Box::new(UnixStream::connect(path).await?))
}
