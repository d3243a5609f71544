//! How many streams are open: so many in this process, and of those a quarter for one holder of a key or a token, so that
//! no client takes them all. The operator has no share but the whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Actor;

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    taken: Arc<Mutex<HashMap<Actor, usize>>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    actor: Actor,
    taken: Arc<Mutex<HashMap<Actor, usize>>>,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// This caller has so many.
    OfCaller(usize),
    /// There are no more.
    All,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    pub(super) fn take(&self, actor: Actor) -> Result<Place, Taken> {
        let mut taken = lock(&self.taken);
        let share = match actor {
            Actor::Holder(_) => (self.most / 4).max(1),
            _ => self.most,
        };
        if taken.values().sum::<usize>() >= self.most {
            return Err(Taken::All);
        }
        let of_caller = taken.entry(actor).or_default();
        if *of_caller >= share {
            return Err(Taken::OfCaller(share));
        }
        *of_caller += 1;
        Ok(Place {
            actor,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(of_caller) = taken.get_mut(&self.actor) {
            *of_caller -= 1;
            if *of_caller == 0 {
                taken.remove(&self.actor);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Actor, usize>>) -> MutexGuard<'_, HashMap<Actor, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}
