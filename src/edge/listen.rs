//! The accept loop: time limits for headers and answers, caps on sockets, no delay, and a graceful end.

use std::{collections::HashMap, future::Future, io, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use parking_lot::Mutex;
use poem::{
    Addr, Endpoint, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use super::{Edge, Peer, paced::Paced};
use crate::limits;

/// How the sockets are treated.
#[derive(Clone, Copy, Debug)]
pub struct Sockets {
    /// How many may be open at once; more wait in the kernel's queue.
    pub most: usize,
    /// How many one address may hold, unless it is a trusted proxy; 0 for as many as there are.
    pub per_address: usize,
    /// Time for a request's header to arrive.
    pub header_time: Duration,
    /// Time for an answer to be taken, if the client takes it slowly.
    pub write_time: Duration,
    /// Time for what is in flight to end, once asked to stop.
    pub grace: Duration,
}

/// Serves until `stop` completes, then lets what is in flight end.
///
/// # Errors
/// When the listener itself fails.
pub async fn serve<E>(
    listener: TcpListener,
    edge: Arc<Edge<E>>,
    sockets: Sockets,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let places = Arc::new(Semaphore::new(sockets.most));
    let held = Held::default();
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(sockets.header_time)
        .max_buf_size(64 * 1024);
    tokio::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream, remote) = tokio::select! {
            () = &mut stop => break,
            (place, accepted) = next => match accepted {
                Ok((stream, remote)) => (place, stream, remote),
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to be closed.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Ok(local) = stream.local_addr() else {
            continue;
        };
        let most = match edge.trusts(remote.ip()) {
            true => 0,
            false => sockets.per_address,
        };
        let Some(hold) = held.take(remote.ip(), most) else {
            edge.turned_away();
            // Reset at once, so that nothing of it lingers here.
            let _ = stream.set_zero_linger();
            continue;
        };
        // Answers are small and whole, so waiting to fill a packet only costs time.
        let _ = stream.set_nodelay(true);
        let peer = Peer {
            local: LocalAddr(Addr::SocketAddr(local)),
            remote: RemoteAddr(Addr::SocketAddr(remote)),
        };
        let edge = Arc::clone(&edge);
        let service = service_fn(move |request| {
            let edge = Arc::clone(&edge);
            let peer = peer.clone();
            async move {
                match edge.answer(request, peer).await {
                    Some(response) => {
                        Ok::<hyper::Response<BoxBody<Bytes, io::Error>>, _>(response.into())
                    }
                    None => Err(io::Error::from(io::ErrorKind::TimedOut)),
                }
            }
        });
        let stream = TokioIo::new(Paced::new(stream, sockets.write_time));
        let connection = graceful.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, hold));
        });
    }
    drop(listener);
    if timeout(sockets.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
    Ok(())
}

/// How many sockets each client holds; as many entries as there are clients with one.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One socket of a client; given back when dropped.
struct Hold {
    held: Held,
    client: IpAddr,
}

impl Held {
    /// Takes one of `most` sockets (0 for any number) for an address; `None` if it holds them all.
    fn take(&self, address: IpAddr, most: usize) -> Option<Hold> {
        let client = limits::client(address);
        let mut held = self.0.lock();
        let count = held.entry(client).or_default();
        if most > 0 && *count >= most {
            return None;
        }
        *count += 1;
        Some(Hold {
            held: self.clone(),
            client,
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.0.lock();
        if let Some(count) = held.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_holds_no_more_than_its_share() {
        let held = Held::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = held.take(one, 2);
        let second = held.take(one, 2);
        assert!(first.is_some() && second.is_some());
        assert!(held.take(one, 2).is_none());
        assert!(held.take(one, 0).is_some());
        assert!(held.take(other, 2).is_some());
        drop(first);
        assert!(held.take(one, 2).is_some());
        drop(second);
        assert!(held.0.lock().is_empty());
    }
}
