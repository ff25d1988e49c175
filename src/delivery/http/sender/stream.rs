//! A stream that records what it receives: hyper does not tell what a head says that it refuses, nor whether
//! an endpoint said anything at all.

use super::head::{self, Head};
use super::{MAX_BODY_BYTES, MAX_HEADER_BYTES};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The bytes that were received, as many as a head may have.
#[derive(Clone, Default)]
pub(super) struct ReceivedBytes(Arc<Mutex<Vec<u8>>>);

impl ReceivedBytes {
    pub(super) fn clear(&self) {
        self.bytes().clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes().len() >= MAX_HEADER_BYTES
    }

    /// The head of a reply, and what is there of its body.
    pub(super) fn head(&self) -> Option<(Head, Vec<u8>)> {
        let bytes = self.bytes();
        let head = head::read(&bytes)?;
        let body = bytes.iter().skip(head.length).take(MAX_BODY_BYTES);
        let body = body.copied().collect();
        Some((head, body))
    }

    fn add(&self, read: &[u8]) {
        let mut bytes = self.bytes();
        let room = MAX_HEADER_BYTES - bytes.len();
        bytes.extend(read.iter().take(room));
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose reads are recorded.
pub(super) struct Recorded {
    stream: Box<dyn Stream>,
    received: ReceivedBytes,
}

impl Recorded {
    pub(super) fn new(stream: Box<dyn Stream>, received: ReceivedBytes) -> Self {
        Self { stream, received }
    }
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.received
            .add(buffer.filled().get(before..).unwrap_or_default());
        read
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
