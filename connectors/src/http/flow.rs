//! A body that is read while it comes: rows, a batch at a time.

use bytes::{Buf, Bytes};
use platform::http_client::{BodyStream, HttpError};
use url::Url;

use super::answer::classify;
use super::gate::{self, Allowed, Ask, Seen, Told};
use super::session::Session;
use crate::decode::{self, PIECE, Row, Rows, Stage, Undecodable};
use crate::manifest::components::Decoder;
use crate::read::{ErrorKind, ReadError};

/// Where a flowing body's bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The network.
    Stream(BodyStream),
    /// A body that was read whole, because an error handler looks into it.
    Whole(Bytes),
}

impl Source {
    /// Waits for the next piece; `None` at the end.
    pub(crate) async fn next(&mut self, session: &Session, url: &Url) -> Result<Option<Bytes>, ReadError> {
        let context = &session.context;
        let stream = match self {
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                return Ok(Some(bytes).filter(Buf::has_remaining));
            }
            Self::Stream(stream) => stream,
        };
        let next = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(ReadError::cancelled()),
            next = stream.next() => next,
        };
        match next {
            Ok(piece) => {
                session.count_bytes(piece.as_ref().map_or(0, Bytes::len));
                Ok(piece)
            }
            Err(error) => {
                tell(session, url, &error).await;
                let mut error = classify(session, &error);
                error.url = Some(session.scrub(&platform::http_client::redacted(url)));
                Err(error)
            }
        }
    }
}

async fn tell(session: &Session, url: &Url, error: &HttpError) {
    if let Some(gate) = &session.context.gate {
        let seen = Seen::of(Err(error), session.context.clock.now());
        let host = gate::host(url);
        // It was counted when it was admitted; a body that breaks off says nothing more of a limit.
        let ask = Ask {
            host: &host,
            allowed: &Allowed::Unsaid,
        };
        gate.seen(&ask, seen, Told::default()).await;
    }
}

/// The rows of an answer.
pub(crate) struct Flow {
    source: Source,
    url: Url,
    status: u16,
    piece: Bytes,
    stage: Box<dyn Stage>,
    rows: Rows,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Flowing,
    /// No bytes are left; rows may be.
    Unpacking,
    Ended,
}

impl Flow {
    pub(crate) fn new(source: Source, url: Url, status: u16, decoder: &Decoder, limit: usize) -> Self {
        Self {
            source,
            url,
            status,
            piece: Bytes::new(),
            stage: decode::stage(decoder, limit),
            rows: Rows::default(),
            state: State::Flowing,
        }
    }

    /// The next batch; empty: there is none.
    pub(crate) async fn next(&mut self, session: &Session) -> Result<Vec<Row>, ReadError> {
        while !self.rows.is_full() && self.state != State::Ended {
            if self.state == State::Unpacking {
                if self.finish(session)? {
                    self.state = State::Ended;
                }
            } else if self.piece.has_remaining() {
                let piece = self.piece.split_to(self.piece.len().min(PIECE));
                let pushed = self.stage.push(&piece, &mut self.rows);
                pushed.map_err(|wrong| self.undecodable(session, wrong))?;
            } else if !self.more(session).await? {
                self.state = State::Unpacking;
            }
        }
        Ok(self.rows.take())
    }

    /// Whether the batch that was given last was the last one.
    pub(crate) fn has_ended(&self) -> bool {
        self.state == State::Ended && self.rows.is_empty()
    }

    fn finish(&mut self, session: &Session) -> Result<bool, ReadError> {
        let finished = self.stage.finish(&mut self.rows);
        finished.map_err(|wrong| self.undecodable(session, wrong))
    }

    /// Waits for the next piece of the body; false at its end.
    async fn more(&mut self, session: &Session) -> Result<bool, ReadError> {
        let piece = self.source.next(session, &self.url).await?;
        let more = piece.is_some();
        self.piece = piece.unwrap_or_default();
        Ok(more)
    }

    fn undecodable(&self, session: &Session, wrong: Undecodable) -> ReadError {
        let mut error = ReadError::new(ErrorKind::Malformed, wrong.code, session.scrub(&wrong.message));
        error.retryable = wrong.retryable;
        error.http_status = Some(self.status);
        error.url = Some(session.scrub(&platform::http_client::redacted(&self.url)));
        error
    }
}
