//! A socket that gives up on a client that takes its answers too slowly.
//!
//! hyper bounds the time for a request's header and the edge that for its body; nothing bounds
//! how long an answer waits in memory for somebody who does not read it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

/// Bytes a second that a client must take, once its time for the first ones is over.
const SLOWEST: f64 = 4096.0;

/// A client's socket.
pub struct Paced<S = TcpStream> {
    stream: S,
    patience: Duration,
    /// Set while bytes wait that the client has no room for: when it is given up.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    /// Gives up when what is to be written has not been taken after `patience`, and a second more
    /// for each [`SLOWEST`] bytes that were; but nobody who has stopped is waited for longer than `patience`.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            waiting: None,
        }
    }

    fn paced(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                if let Some(waiting) = &mut self.waiting {
                    let more = Duration::from_secs_f64(count as f64 / SLOWEST);
                    let deadline = (waiting.deadline() + more).min(Instant::now() + self.patience);
                    waiting.as_mut().reset(deadline);
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let patience = self.patience;
                let waiting = self
                    .waiting
                    .get_or_insert_with(|| Box::pin(sleep(patience)));
                ready!(waiting.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not take its answer",
                )))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.paced(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.paced(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called once all that there was has been written: the next answer has its time anew.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::Instant,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    /// Takes `part` bytes at each beat of 20 ms, until there are no more; gives their number.
    async fn taken(mut stream: tokio::io::DuplexStream, part: usize) -> usize {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let (mut sum, mut bytes) = (0, vec![0; part]);
        loop {
            beat.tick().await;
            match stream.read(&mut bytes).await.unwrap() {
                0 => return sum,
                count => sum += count,
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up() {
        let (mine, _theirs) = duplex(1024);
        let begun = Instant::now();
        let error = Paced::new(mine, PATIENCE)
            .write_all(&[0; 4096])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn a_client_that_reads_a_few_bytes_now_and_then_is_given_up() {
        let (mine, theirs) = duplex(1024);
        // At most 250 bytes a second.
        let reader = tokio::spawn(taken(theirs, 5));
        let error = Paced::new(mine, PATIENCE)
            .write_all(&[0; 100_000])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(reader.await.unwrap() < 2000);
    }

    #[tokio::test]
    async fn a_slow_line_gets_a_long_answer_whole() {
        let (mine, theirs) = duplex(1024);
        let reader = tokio::spawn(taken(theirs, 1000));
        let begun = Instant::now();
        let mut paced = Paced::new(mine, PATIENCE);
        paced.write_all(&[0; 60_000]).await.unwrap();
        paced.flush().await.unwrap();
        assert!(begun.elapsed() > PATIENCE * 4);
        drop(paced);
        assert_eq!(reader.await.unwrap(), 60_000);
    }

    #[tokio::test]
    async fn each_answer_has_its_own_time() {
        let (mine, mut theirs) = duplex(1024);
        let mut paced = Paced::new(mine, PATIENCE);
        let begun = Instant::now();
        for _ in 0..4 {
            let read = async {
                tokio::time::timeout(PATIENCE * 2 / 3, std::future::pending::<()>())
                    .await
                    .unwrap_err();
                theirs.read_exact(&mut [0; 2048]).await.unwrap();
            };
            let write = async {
                paced.write_all(&[0; 2048]).await.unwrap();
                paced.flush().await.unwrap();
            };
            tokio::join!(read, write);
        }
        assert!(begun.elapsed() > PATIENCE * 2);
    }
}
