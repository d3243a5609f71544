//! Who asks, and what they may see and do.
//!
//! There are two kinds of right. What somebody may *see* is a [`Scope`], which every query of the store takes
//! as a condition: a list that forgot it would not compile. What somebody may *do* beyond their own things
//! (register clients, install connectors) only an operator may, and services ask [`Actor::is_operator`].

use crate::ids::ClientId;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Holds the operator's key.
    Operator,
    /// Calls over loopback while no key is set: the operator's own machine.
    AnonymousLoopback,
    /// Holds a client's key.
    Client(ClientId),
    /// The scheduler: a tick, a worker, a maintenance job.
    System,
}

impl Actor {
    /// What the actor may see.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Client(client) => Scope::Client(*client),
            Self::Operator | Self::AnonymousLoopback | Self::System => Scope::All,
        }
    }

    /// Whether the actor runs the installation.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        !matches!(self, Self::Client(_))
    }
}

/// What an actor may see: the condition that every query takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    All,
    /// What belongs to this client.
    Client(ClientId),
}

impl Scope {
    /// Whether what belongs to this client is in it.
    #[must_use]
    pub fn includes(self, owner: ClientId) -> bool {
        match self {
            Self::All => true,
            Self::Client(client) => client == owner,
        }
    }
}
