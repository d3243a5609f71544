//! A body that is written while it is sent.
//!
//! A task of its own writes, and waits for whoever reads: between the two there are [`AHEAD`] pieces, so a slow reader
//! slows the reading of the database, and one who goes away ends it with the next piece. The task and not the reader's
//! polling decides, because a body whose reader has stalled is not polled: it would neither notice that its key was
//! revoked nor give its place to somebody else.
//!
//! A body that did not come to its end must not look like one that did. So [`Writer::finish`] is the only way to the
//! regular end; whatever else happens to the task, be it a panic, the reader gets an error, which cuts the connection
//! without the last chunk.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::places::Place;
use crate::auth::Session;
use crate::http::Api;

/// Pieces between the database and the reader.
const AHEAD: usize = 2;
/// The size that a piece aims at.
const PIECE: usize = 128 * 1024;
/// A reader who takes nothing for this long is not reading.
const STALLED: Duration = Duration::from_secs(60);

enum Piece {
    Bytes(Bytes),
    End,
}

/// Why nothing more is written.
#[derive(Debug)]
pub(super) enum Cut {
    /// The reader went away.
    Gone,
    /// The reader takes nothing.
    Stalled,
    /// The credential has ended.
    Ended,
    /// The process is stopping.
    Stopping,
    /// The rest cannot be read.
    Failed(engine::Error),
}

impl From<engine::Error> for Cut {
    fn from(error: engine::Error) -> Self {
        Self::Failed(error)
    }
}

/// Writes a body.
pub(super) struct Writer {
    pieces: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    api: Api,
    session: Session,
    _place: Place,
}

impl Writer {
    /// A body, and who writes it. The place is given back when the writing has ended.
    pub(super) fn new(api: &Api, session: Session, place: Place) -> (Self, Body) {
        let (pieces, read) = mpsc::channel(AHEAD);
        let body = stream::unfold(Some(read), |read| async move {
            let mut read = read?;
            match read.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(read))),
                Some(Piece::End) => None,
                None => Some((Err(io::Error::other("the export broke off")), None)),
            }
        });
        // Whoever compresses it asks once more after its end.
        let body = body.fuse();
        let writer = Self {
            pieces,
            buffer: Vec::with_capacity(PIECE),
            api: api.clone(),
            session,
            _place: place,
        };
        (writer, Body::from_stream(body))
    }

    /// Where the next bytes are put.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Sends what is in the buffer, if that is worth it.
    pub(super) async fn flush_full(&mut self) -> Result<(), Cut> {
        if self.buffer.len() < PIECE {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Cut> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.send(Piece::Bytes(bytes.into())).await
    }

    async fn send(&mut self, piece: Piece) -> Result<(), Cut> {
        tokio::select! {
            biased;
            () = self.api.shutdown.soft.cancelled() => Err(Cut::Stopping),
            () = self.session.ended() => Err(Cut::Ended),
            sent = timeout(STALLED, self.pieces.send(piece)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Cut::Gone),
                Err(_) => Err(Cut::Stalled),
            },
        }
    }

    /// Does a part of the work, unless nobody waits for it any more.
    pub(super) async fn unless_cut<T>(
        &mut self,
        work: impl Future<Output = engine::Result<T>>,
    ) -> Result<T, Cut> {
        tokio::select! {
            biased;
            () = self.api.shutdown.soft.cancelled() => Err(Cut::Stopping),
            () = self.session.ended() => Err(Cut::Ended),
            () = self.pieces.closed() => Err(Cut::Gone),
            done = work => Ok(done?),
        }
    }

    /// Sends the rest, and says that it is all.
    pub(super) async fn finish(mut self) -> Result<(), Cut> {
        self.flush().await?;
        self.send(Piece::End).await
    }
}

/// Says in the log how an export ended.
pub(super) fn say(ended: &Result<(), Cut>) {
    match ended {
        Ok(()) => tracing::info!("an export was read to its end"),
        Err(Cut::Failed(error)) => {
            tracing::error!(error = %error.chain(), "an export broke off; its reader was cut");
        }
        Err(cut) => tracing::info!(?cut, "an export broke off"),
    }
}
