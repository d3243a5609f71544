//! Events: what happened, told to the outside in an order that misses nothing.
//!
//! An event is written in the transaction that makes it true, with no place in any order. The relay gives
//! places afterwards, in a transaction of its own, one relay at a time. So a reader who has read up to a
//! sequence has read every event that will ever stand before it. An order taken at write time (a UUIDv7, a
//! counter of the database) is the order in which transactions *began*; a reader that had passed a slow one
//! would never see it.

mod model;
mod service;
mod subscription;

pub use model::*;
pub use service::Events;
