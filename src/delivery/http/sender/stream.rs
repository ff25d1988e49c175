//! A stream that remembers what it received: hyper does not tell what a head says that it refuses, nor
//! whether an endpoint said anything at all.

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

/// What was received, as much as a head may be long.
#[derive(Clone, Default)]
pub(super) struct SourceActivity(Arc<Mutex<Vec<u8>>>);

impl SourceActivity {
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

    fn add(&self, received: &[u8]) {
        let mut bytes = self.bytes();
        let room = MAX_HEADER_BYTES - bytes.len();
        bytes.extend(received.iter().take(room));
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose reads are remembered.
pub(super) struct Listening {
    stream: Box<dyn Stream>,
    heard: SourceActivity,
}

impl Listening {
    pub(super) fn new(stream: Box<dyn Stream>, heard: SourceActivity) -> Self {
        Self { stream, heard }
    }
}

impl AsyncRead for Listening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.heard
            .add(buffer.filled().get(before..).unwrap_or_default());
        read
    }
}

impl AsyncWrite for Listening {
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
