//! The accept loop: header time limit, a cap on sockets, no delay, and a graceful end.

use std::{future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use poem::{
    Addr, Endpoint, Response,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use super::{Edge, Peer};

/// How the sockets are treated.
#[derive(Clone, Copy, Debug)]
pub struct Sockets {
    /// How many may be open at once; more wait in the kernel's queue.
    pub most: usize,
    /// Time for a request's header to arrive.
    pub header_time: Duration,
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
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if timeout(sockets.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
    Ok(())
}
