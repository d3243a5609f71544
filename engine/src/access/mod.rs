//! Who asks, and what they may see and do.
//!
//! A right has two halves. *Whose* things: a [`Scope`], which every query of the store takes as a condition. *What*
//! with them: a [`Resource`] and a verb, of which an actor has some ([`Rights`]). The two are given out together:
//! [`Actor::reads`] and [`Actor::writes`] ask for the right and hand back the scope, and there is no other way to a
//! scope. So a service that forgot to ask what its caller may do has nothing to query with, and does not compile.
//!
//! What is beyond a client's own things (registering clients, installing connectors, and whatever else decides to where
//! secrets are sent) is for those whom no client binds: [`Actor::operates`].
//!
//! Nothing is looked up before the right is there. So a refusal for want of a right says nothing about what exists, and
//! what is somebody else's is refused exactly as what is not there, by the query that does not find it.

mod actor;
mod key_model;
mod key_secret;
mod keys;
mod presented;
mod rights;

pub use actor::{Actor, Credential, Holder, Scope};
pub use key_model::{ApiKey, ApiKeyFilter, CreateApiKey, IssuedKey, RotateApiKey};
pub use key_secret::KEY_MARK;
pub use keys::ApiKeys;
pub use presented::Presented;
pub use rights::{Resource, Rights, Verb};
