//! From components to the plan: one file for each part of the plan, one function for each component.
//!
//! A function answers `None` when its component is faulty, after every field of it was looked at; the faults are
//! in the [`Load`](super::load::Load). So the order in every function is the same: open, read all, then build.

mod auth;
mod budget;
mod configuration;
mod decoding;
mod dynamic;
mod errors;
mod extraction;
mod files;
mod groups;
mod jobs;
mod jwt;
mod lazy;
mod native;
mod paging;
mod properties;
mod protocol;
mod records;
mod recovery;
mod requests;
mod rotation;
mod schema;
mod slicing;
mod soap;
mod source;
mod storage;
mod streams;
mod values;

pub(crate) use dynamic::DATA_TYPES;
pub(crate) use schema::laid_over;
pub(super) use source::source;
pub(super) use streams::stream;
