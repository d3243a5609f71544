//! Clients: the operator's customers, to whom everything else belongs.

mod model;
mod service;

pub use model::*;
pub use service::Clients;
