//! The socket of a connection, with a bound on what one message of the server's may hold.
//!
//! The driver reads a message as a whole before anybody sees it, and a tenant can make one row, one
//! notice or one error as long as Postgres can hold in memory. Here its length is looked at when its
//! first five bytes come by (the protocol's type and length); one that is too long ends the connection.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_postgres::{Config, config::Host};

/// Bytes of the longest message that is read: somewhat more than an answer may hold.
pub(crate) const LONGEST: usize = 33 << 20;

/// A connected socket to Postgres.
pub(crate) struct Socket {
    stream: Stream,
    frames: Frames,
    exceeded: Arc<AtomicBool>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Where in the server's messages the bytes read so far end.
#[derive(Default)]
struct Frames {
    /// Bytes of the current message that are still to come.
    left: usize,
    /// Its type and length, as far as they have come.
    head: [u8; 5],
    known: usize,
}

impl Socket {
    /// Connects to the first host of `config` that answers; `exceeded` is set when a message is too long.
    pub(crate) async fn open(config: &Config, exceeded: Arc<AtomicBool>) -> io::Result<Self> {
        let mut failure = io::Error::other("no host is named");
        for (at, host) in config.get_hosts().iter().enumerate() {
            let ports = config.get_ports();
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let connect = Stream::connect(host, port);
            let connected = match config.get_connect_timeout() {
                Some(limit) => timeout(*limit, connect)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                None => connect.await,
            };
            match connected {
                Ok(stream) => {
                    return Ok(Self {
                        stream,
                        frames: Frames::default(),
                        exceeded,
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Stream {
    async fn connect(host: &Host, port: u16) -> io::Result<Self> {
        match host {
            Host::Tcp(name) => {
                let stream = TcpStream::connect((name.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            Host::Unix(folder) => {
                let path = folder.join(format!(".s.PGSQL.{port}"));
                Ok(Self::Unix(UnixStream::connect(path).await?))
            }
        }
    }
}

impl Frames {
    /// Goes over bytes of the server's; false if a message in them is too long.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.left > 0 {
                let part = self.left.min(bytes.len());
                self.left -= part;
                bytes = &bytes[part..];
                continue;
            }
            let part = (self.head.len() - self.known).min(bytes.len());
            self.head[self.known..self.known + part].copy_from_slice(&bytes[..part]);
            self.known += part;
            bytes = &bytes[part..];
            if self.known == self.head.len() {
                let [_, length @ ..] = self.head;
                // The length counts itself and not the type.
                self.left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                self.known = 0;
                if self.left > LONGEST {
                    return false;
                }
            }
        }
        true
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        })?;
        if this.frames.follow(&buffer.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        this.exceeded.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::other("a message is too long")))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32, sent: usize) -> Vec<u8> {
        let mut bytes = vec![b'D'];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.resize(5 + sent, 0);
        bytes
    }

    #[test]
    fn messages_are_followed_in_portions_of_any_size() {
        let bytes = [message(4, 0), message(300, 296), message(10, 6)].concat();
        for portion in [1, 2, 3, 7, 100, bytes.len()] {
            let mut frames = Frames::default();
            assert!(bytes.chunks(portion).all(|part| frames.follow(part)));
            assert_eq!((frames.left, frames.known), (0, 0), "{portion}");
            let long = message(LONGEST as u32 + 5, 0);
            let (head, last) = long.split_at(4);
            assert!(frames.follow(head));
            assert!(!frames.follow(last));
        }
        assert!(Frames::default().follow(&message(LONGEST as u32 + 4, 1000)));
    }
}
