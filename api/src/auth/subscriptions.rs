//! How many subscriptions a credential has open.
//!
//! Counted in each process: what a subscription costs (a feed that is asked again and again) it costs the process that it
//! is open in. A permit is given back when it is dropped, so nothing that ends, panics or is cut off leaves a count behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The subscriptions of this process.
#[derive(Debug)]
pub(super) struct Subscriptions {
    most: usize,
    open: Mutex<HashMap<Arc<str>, usize>>,
}

/// One subscription, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Permit {
    all: Arc<Subscriptions>,
    payer: Arc<str>,
}

impl Subscriptions {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            open: Mutex::default(),
        }
    }

    /// One more of this payer; the most there may be when there are as many.
    pub(super) fn take(self: &Arc<Self>, payer: &Arc<str>) -> Result<Permit, usize> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(payer).copied().unwrap_or_default();
        if count >= self.most {
            return Err(self.most);
        }
        open.insert(Arc::clone(payer), count + 1);
        Ok(Permit {
            all: Arc::clone(self),
            payer: Arc::clone(payer),
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.payer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.payer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_comes_back_when_it_is_dropped() {
        let all = Arc::new(Subscriptions::new(2));
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let first = all.take(&one).unwrap();
        let _second = all.take(&one).unwrap();
        assert_eq!(all.take(&one).unwrap_err(), 2);
        let held = all.take(&other).unwrap();
        drop(first);
        let _third = all.take(&one).unwrap();
        assert_eq!(all.take(&one).unwrap_err(), 2);
        drop(held);
        assert!(
            !all.open.lock().unwrap().contains_key(&other),
            "nothing is kept of who has none"
        );
    }
}
