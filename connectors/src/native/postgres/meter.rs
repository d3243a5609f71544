//! A connection that counts what comes in, and stops at the bound.
//!
//! PostgreSQL sends a row as one message, and the client gathers a message before anybody sees it: a field may have a
//! gigabyte. So the bound is where the bytes come from.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection counts, shared with whoever asks.
#[derive(Debug, Default)]
pub(super) struct Count {
    read: AtomicUsize,
    limit: AtomicUsize,
    exceeded: AtomicBool,
}

impl Count {
    /// Begins anew, with this bound.
    pub(super) fn restart(&self, limit: usize) {
        self.read.store(0, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes since it began.
    pub(super) fn bytes(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    /// Whether the bound was met.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

/// See the module.
pub(super) struct Metered<S> {
    inner: S,
    count: Arc<Count>,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, count: Arc<Count>) -> Self {
        Self { inner, count }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let came = buffer.filled().len() - before;
        let read = self.count.read.fetch_add(came, Ordering::Relaxed) + came;
        if read > self.count.limit.load(Ordering::Relaxed) {
            self.count.exceeded.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("more bytes than are taken")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
