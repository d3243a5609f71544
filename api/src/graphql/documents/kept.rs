//! Documents by their hash, as many as fit. The one that was used longest ago goes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Documents that are kept.
pub(super) const MOST: usize = 1_000;
/// Bytes of their texts together.
pub(super) const MOST_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    documents: HashMap<String, (u64, String)>,
    bytes: usize,
    uses: u64,
}

impl Kept {
    pub(super) fn get(&self, hash: &str) -> Option<String> {
        let mut shelf = self.shelf();
        shelf.uses += 1;
        let now = shelf.uses;
        let (last_use, text) = shelf.documents.get_mut(hash)?;
        *last_use = now;
        Some(text.clone())
    }

    pub(super) fn put(&self, hash: &str, text: &str) {
        let mut shelf = self.shelf();
        if shelf.documents.contains_key(hash) || text.len() > MOST_BYTES {
            return;
        }
        while shelf.documents.len() >= MOST || shelf.bytes + text.len() > MOST_BYTES {
            let oldest = shelf.documents.iter().min_by_key(|(_, (last_use, _))| *last_use);
            let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) else {
                break;
            };
            if let Some((_, gone)) = shelf.documents.remove(&oldest) {
                shelf.bytes -= gone.len();
            }
        }
        shelf.uses += 1;
        shelf.bytes += text.len();
        let now = shelf.uses;
        shelf.documents.insert(hash.to_owned(), (now, text.to_owned()));
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
