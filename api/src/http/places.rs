//! How many connections of a kind are open in this process: so many in all, and so many of one credential, so that no
//! client takes them all. The operator has no share but the whole.
//!
//! Whoever connects takes a place of the whole at once, and counts as a credential's when it is known whose it is, which on
//! a WebSocket comes later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::Admitted;

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    share: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<Arc<str>, usize>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    share: usize,
    payer: Option<Arc<str>>,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// This many, of which one credential has at most a share.
    pub(crate) fn new(most: usize, share: usize) -> Self {
        Self {
            most,
            share,
            taken: Arc::default(),
        }
    }

    /// A place of nobody's yet; none when all are taken.
    pub(super) fn take(&self) -> Option<Place> {
        let mut taken = lock(&self.taken);
        if taken.all >= self.most {
            return None;
        }
        taken.all += 1;
        Some(Place {
            share: self.share,
            payer: None,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Place {
    /// Counts it as this caller's; the most that one may have when there are as many.
    pub(super) fn claim(&mut self, admitted: &Admitted) -> Result<(), usize> {
        let payer = admitted.payer();
        let mut taken = lock(&self.taken);
        let of_payer = taken.of.get(payer).copied().unwrap_or_default();
        if admitted.has_a_share() && of_payer >= self.share {
            return Err(self.share);
        }
        taken.of.insert(Arc::clone(payer), of_payer + 1);
        drop(taken);
        self.payer = Some(Arc::clone(payer));
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        let Some(payer) = &self.payer else { return };
        match taken.of.get_mut(payer) {
            Some(of_payer) if *of_payer > 1 => *of_payer -= 1,
            _ => {
                taken.of.remove(payer);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}
