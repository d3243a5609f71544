//! Reading a body that somebody else wrote.
//!
//! 521 kB of gzip can be 512 MiB of zeros, and a Content-Length is a claim. So the bytes are counted after
//! decompression, while they come, and reading stops at the bound.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use super::error::HttpError;
use crate::clock::SharedClock;

/// The most that is set aside for a body because of what it says of itself.
const BELIEVED: usize = 1 << 20;

pub(super) async fn read(
    mut response: Response,
    limit: usize,
    stall: Duration,
    timeout: Duration,
) -> Result<Bytes, HttpError> {
    let url = response.url().clone();
    // None where the body is compressed: then it says nothing of its size.
    let announced = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(HttpError::TooLarge { limit });
    }
    let mut next = async || match tokio::time::timeout(stall, response.chunk()).await {
        Err(_) => Err(HttpError::Stalled { after: stall }),
        Ok(chunk) => chunk.map_err(|error| HttpError::of_body(error, &url, timeout)),
    };

    let Some(first) = next().await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(HttpError::TooLarge { limit });
    }
    if announced == Some(first.len()) {
        // A small body comes in one piece, and need not be copied.
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(
        announced
            .unwrap_or(0)
            .clamp(first.len() * 2, BELIEVED.max(first.len() * 2)),
    );
    body.extend_from_slice(&first);
    while let Some(chunk) = next().await? {
        if body.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A body that is read piece by piece, for whoever looks at each piece once: under the same bounds as one that is
/// read whole, except that time counts only while we wait for the other side. A body that we are slow to use is not
/// late.
#[derive(Debug)]
pub struct BodyStream {
    response: Response,
    left: usize,
    limit: usize,
    stall: Duration,
    patience: Duration,
    timeout: Duration,
    clock: SharedClock,
}

impl BodyStream {
    pub(super) fn new(
        response: Response,
        limit: usize,
        stall: Duration,
        timeout: Duration,
        clock: SharedClock,
    ) -> Self {
        Self {
            response,
            left: limit,
            limit,
            stall,
            patience: timeout,
            timeout,
            clock,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the body is larger than allowed, stops coming, takes too long, ends early or cannot be decompressed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let started = self.clock.monotonic();
        let url = self.response.url().clone();
        let late = self.clock.sleep(self.patience);
        let piece = tokio::select! {
            biased;
            piece = tokio::time::timeout(self.stall, self.response.chunk()) => match piece {
                Err(_) => Err(HttpError::Stalled { after: self.stall }),
                Ok(piece) => piece.map_err(|error| HttpError::of_body(error, &url, self.timeout)),
            },
            () = late => Err(HttpError::late(&url, self.timeout)),
        }?;
        let waited = self.clock.monotonic().saturating_sub(started);
        self.patience = self.patience.saturating_sub(waited);
        if let Some(piece) = &piece {
            self.left = self
                .left
                .checked_sub(piece.len())
                .ok_or(HttpError::TooLarge { limit: self.limit })?;
        }
        Ok(piece)
    }
}
