//! One stream, from its first byte to its last.
//!
//! A task of its own, where a WebSocket needs none: a body is asked for more only while the connection can take it,
//! and somebody has to notice the end of a credential, the stop, and a peer that does not read, meanwhile.

use std::time::Duration;

use async_graphql::Response;
use axum::body::Bytes;
use futures::StreamExt;
use futures::future::{BoxFuture, Fuse};
use futures::stream::BoxStream;
use platform::clock::SharedClock;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::event;
use crate::auth::Permit;
use crate::graphql::{self, Code};
use crate::http::places::Place;
use crate::http::request_id::RequestId;

/// A proxy that waits for less than half a minute is rare.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
/// A peer that takes nothing for this long is not reading.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Feed {
    pub(super) answers: BoxStream<'static, Response>,
    /// The end of the credential. Told once: the last words are not cut short by it.
    pub(super) revoked: Fuse<BoxFuture<'static, ()>>,
    pub(super) stopping: CancellationToken,
    pub(super) clock: SharedClock,
    pub(super) id: RequestId,
    pub(super) frames: Sender<Bytes>,
    /// Both free again when this is dropped.
    pub(super) _place: Place,
    pub(super) _permit: Option<Permit>,
}

enum Step {
    Say(Bytes),
    /// Nothing comes after it.
    SayLast(Bytes),
    /// Without a `complete`: the caller connects again, to a process that stays.
    Leave,
}

impl Feed {
    pub(super) async fn run(mut self) {
        let mut step = Step::Say(event::COMMENT);
        loop {
            let (frame, is_last) = match step {
                Step::Say(frame) => (frame, false),
                Step::SayLast(frame) => (frame, true),
                Step::Leave => return,
            };
            if !self.say(frame).await || is_last {
                return;
            }
            step = self.step().await;
        }
    }

    async fn step(&mut self) -> Step {
        tokio::select! {
            biased;
            () = self.frames.closed() => Step::Leave,
            () = self.stopping.cancelled() => Step::Leave,
            () = &mut self.revoked => {
                let message = "The credential has ended";
                Step::SayLast(event::last(&graphql::answer(Code::Unauthenticated, message, &self.id.0)))
            }
            answer = self.answers.next() => match answer {
                // What validation refuses ends the operation, whatever else its stream would bring.
                Some(response) if graphql::is_request_error(&response) => {
                    Step::SayLast(event::last(&response))
                }
                Some(response) => Step::Say(event::next(&response)),
                None => Step::SayLast(event::COMPLETE),
            },
            () = self.clock.sleep(KEEP_ALIVE) => Step::Say(event::COMMENT),
        }
    }

    /// Whether the frame was taken. A credential that ends while the peer does not read ends the stream without a word.
    async fn say(&mut self, frame: Bytes) -> bool {
        tokio::select! {
            biased;
            sent = self.frames.send(frame) => sent.is_ok(),
            () = self.stopping.cancelled() => false,
            () = &mut self.revoked => false,
            () = self.clock.sleep(SEND_TIMEOUT) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{FutureExt, pending};
    use futures::stream;
    use platform::clock::ManualClock;
    use tokio::sync::mpsc::{self, Receiver};
    use tokio::task::JoinHandle;

    use super::super::FRAMES;
    use super::*;
    use crate::http::places::Places;

    struct Running {
        clock: ManualClock,
        places: Places,
        body: Receiver<Bytes>,
        task: JoinHandle<()>,
    }

    /// A feed that has nothing to say, whose greeting nobody has read yet.
    async fn running(revoked: BoxFuture<'static, ()>) -> Running {
        let clock = ManualClock::default();
        let places = Places::new(1, 1);
        let (frames, body) = mpsc::channel(FRAMES);
        let feed = Feed {
            answers: stream::pending().boxed(),
            revoked: revoked.fuse(),
            stopping: CancellationToken::new(),
            clock: clock.shared(),
            id: RequestId("id".into()),
            frames,
            _place: places.take().unwrap(),
            _permit: None,
        };
        let task = tokio::spawn(feed.run());
        tokio::task::yield_now().await;
        Running {
            clock,
            places,
            body,
            task,
        }
    }

    #[tokio::test]
    async fn who_reads_nothing_for_a_minute_is_given_up() {
        let Running {
            clock,
            places,
            mut body,
            task,
        } = running(pending().boxed()).await;
        assert!(places.take().is_none(), "it is taken");
        clock.advance(KEEP_ALIVE);
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!task.is_finished());
        clock.advance(SEND_TIMEOUT);
        let given_up = tokio::time::timeout(Duration::from_secs(20), task).await;
        given_up.expect("nobody waits for it any more").unwrap();
        assert!(places.take().is_some(), "and free again");
        assert_eq!(body.recv().await, Some(event::COMMENT));
        assert_eq!(body.recv().await, None);
    }

    #[tokio::test]
    async fn who_reads_late_still_hears_why_it_ends() {
        let (revoke, revoked) = tokio::sync::oneshot::channel::<()>();
        let Running { mut body, task, .. } = running(revoked.map(drop).boxed()).await;
        revoke.send(()).unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(body.recv().await, Some(event::COMMENT));
        let last = body.recv().await.expect("the reason");
        assert!(last.starts_with(b"event: next\ndata: {\"errors\":["), "{last:?}");
        assert!(last.ends_with(&event::COMPLETE), "{last:?}");
        assert_eq!(body.recv().await, None);
        task.await.unwrap();
    }
}
