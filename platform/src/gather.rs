//! Questions that come at the same time are asked together.
//!
//! Every request asks who shows this key and whether its budget has something left. Under load many wait for the same
//! answer, or for answers that one statement gives as well as ten do. So one question is asked at a time, and what comes
//! meanwhile goes with the next one. Nobody is given an answer to a question that was asked before theirs: a key that is
//! revoked is refused from that moment on, as though each had asked alone.
//!
//! Rejected: keeping answers for a moment, which is simpler and lets a revoked key in for as long.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The most that go together.
const TOGETHER: usize = 500;

/// Questions of one kind.
pub struct Gather<K, V>(Arc<Mutex<Asked<K, V>>>);

/// A question may be a secret.
impl<K, V> fmt::Debug for Gather<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}

struct Asked<K, V> {
    waiting: Vec<(K, oneshot::Sender<V>)>,
    /// Whether somebody asks at the moment.
    asking: bool,
}

impl<K, V> Default for Gather<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Asked {
            waiting: Vec::new(),
            asking: false,
        })))
    }
}

impl<K: Send + 'static, V: Send + 'static> Gather<K, V> {
    /// The answer to this question. `ask` gets many, and gives as many answers in the same order. None where it did not
    /// come to an end.
    pub async fn ask<F, A>(&self, question: K, ask: F) -> Option<V>
    where
        F: Fn(Vec<K>) -> A + Send + 'static,
        A: Future<Output = Vec<V>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let begins = {
            let mut asked = lock(&self.0);
            asked.waiting.push((question, tell));
            !std::mem::replace(&mut asked.asking, true)
        };
        if begins {
            // On a task of its own: who began may go away, and the others wait on.
            tokio::spawn(Turn(Arc::clone(&self.0)).ask_until_nobody_waits(ask));
        }
        told.await.ok()
    }
}

/// The right to ask. Whoever waits when it is lost to a panic is told that there is no answer.
struct Turn<K, V>(Arc<Mutex<Asked<K, V>>>);

impl<K, V> Turn<K, V> {
    async fn ask_until_nobody_waits<F, A>(self, ask: F)
    where
        F: Fn(Vec<K>) -> A,
        A: Future<Output = Vec<V>>,
    {
        loop {
            let together: Vec<(K, oneshot::Sender<V>)> = {
                let mut asked = lock(&self.0);
                let count = asked.waiting.len().min(TOGETHER);
                if count == 0 {
                    asked.asking = false;
                    return;
                }
                asked.waiting.drain(..count).collect()
            };
            let (questions, who): (Vec<K>, Vec<_>) = together.into_iter().unzip();
            for (tell, answer) in who.into_iter().zip(ask(questions).await) {
                let _gone_meanwhile = tell.send(answer);
            }
        }
    }
}

impl<K, V> Drop for Turn<K, V> {
    fn drop(&mut self) {
        let mut asked = lock(&self.0);
        if asked.asking && std::thread::panicking() {
            asked.waiting.clear();
            asked.asking = false;
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_comes_while_one_is_asked_goes_with_the_next() {
        let gather = Gather::<u32, u32>::default();
        let (asked, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let ask = |question| {
            let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
            gather.ask(question, move |questions: Vec<u32>| {
                let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
                async move {
                    asked.lock().unwrap().push(questions.clone());
                    gate.acquire().await.unwrap().forget();
                    questions.iter().map(|number| number * 2).collect()
                }
            })
        };
        let first = async {
            let answers = join_all([ask(1), ask(2), ask(3)]);
            let open = async {
                while asked.lock().unwrap().is_empty() {
                    tokio::task::yield_now().await;
                }
                gate.add_permits(2);
            };
            futures::join!(answers, open).0
        };
        assert_eq!(first.await, [Some(2), Some(4), Some(6)]);
        let all: Vec<u32> = asked.lock().unwrap().iter().flatten().copied().collect();
        assert_eq!(all, [1, 2, 3], "each once");
        assert!(asked.lock().unwrap().len() <= 2, "three questions, two askings");
    }

    #[tokio::test]
    async fn who_began_may_go_and_a_panic_leaves_nobody_waiting() {
        let gather = Gather::<u32, u32>::default();
        let echo = |questions: Vec<u32>| async move { questions };
        drop(tokio::time::timeout(std::time::Duration::ZERO, gather.ask(1, echo)).await);
        assert_eq!(gather.ask(2, echo).await, Some(2));
        let panics = |_: Vec<u32>| async move { panic!("as a fault of ours would") };
        assert_eq!(gather.ask(3, panics).await, None);
        assert_eq!(gather.ask(4, echo).await, Some(4));
    }
}
