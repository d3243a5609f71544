//! How many exports run at once in a process, and for one client.
//!
//! Each holds some megabytes and reads as fast as it is read. Who is bound to a client shares its places with that
//! client's other keys, so that nobody takes all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Actor;
use engine::ids::ClientId;

const PLACES: usize = 16;
const OF_A_CLIENT: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<Option<ClientId>, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Option<ClientId>,
    taken: Arc<Mutex<HashMap<Option<ClientId>, usize>>>,
}

impl Places {
    /// A place, if there is one for this caller.
    pub(super) fn take(&self, actor: &Actor) -> Option<Place> {
        let of = actor.client();
        let mut taken = lock(&self.0);
        let all: usize = taken.values().sum();
        let own = taken.get(&of).copied().unwrap_or_default();
        if all >= PLACES || (of.is_some() && own >= OF_A_CLIENT) {
            return None;
        }
        taken.insert(of, own + 1);
        Some(Place {
            of,
            taken: Arc::clone(&self.0),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(own) = taken.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

fn lock<T>(places: &Mutex<T>) -> MutexGuard<'_, T> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}
