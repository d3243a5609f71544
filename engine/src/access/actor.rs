//! Who asks.

use uuid::Uuid;

use super::rights::{Resource, Rights, Verb, scope_name};
use crate::error::{Error, Result};
use crate::ids::{ApiKeyId, ClientId};
use crate::outcome::{Refusal, RefusalCode};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Holds the operator's key.
    Operator,
    /// Calls over loopback while no key is set: the operator's own machine.
    AnonymousLoopback,
    /// Holds an API key or a token.
    Holder(Holder),
    /// The scheduler: a tick, a worker, a maintenance job.
    System,
}

/// Who holds a credential that says what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The client whose things they are; none where the credential is the operator's own.
    pub client: Option<ClientId>,
    /// What may be done with them.
    pub rights: Rights,
    /// Which credential.
    pub credential: Credential,
}

/// Which credential somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An API key.
    Key(ApiKeyId),
    /// A token of the issuer, of the subject that has this number here.
    Token(Uuid),
}

/// What an actor may see: the condition that every query takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    All,
    /// What belongs to this client.
    Client(ClientId),
}

impl Actor {
    /// The right to look at these things, as the scope to look in.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the right.
    pub fn reads(&self, resource: Resource) -> Result<Scope> {
        if self.rights().allow(resource, Verb::Read) {
            Ok(self.scope())
        } else {
            Err(Error::Forbidden(lacks(resource, Verb::Read)))
        }
    }

    /// The right to change these things, as the scope to find them in.
    ///
    /// # Errors
    /// A refusal without the right.
    pub fn writes(&self, resource: Resource) -> Result<Scope, Refusal> {
        if self.rights().allow(resource, Verb::Write) {
            Ok(self.scope())
        } else {
            let message = lacks(resource, Verb::Write);
            Err(Refusal::new(RefusalCode::Forbidden, message, [""; 0]))
        }
    }

    /// The right to change what is the operator's alone.
    ///
    /// # Errors
    /// A refusal without the right, and for whoever is bound to a client.
    pub fn operates(&self, resource: Resource) -> Result<Scope, Refusal> {
        match self.client() {
            Some(_) => Err(Refusal::operators_only()),
            None => self.writes(resource),
        }
    }

    /// The client that the actor is bound to.
    #[must_use]
    pub const fn client(&self) -> Option<ClientId> {
        match self {
            Self::Holder(holder) => holder.client,
            Self::Operator | Self::AnonymousLoopback | Self::System => None,
        }
    }

    /// What the actor may do, with what is in its scope.
    #[must_use]
    pub fn rights(&self) -> Rights {
        match self {
            Self::Holder(holder) => holder.rights,
            Self::Operator | Self::AnonymousLoopback | Self::System => Rights::all(),
        }
    }

    fn scope(&self) -> Scope {
        self.client().map_or(Scope::All, Scope::Client)
    }
}

fn lacks(resource: Resource, verb: Verb) -> String {
    format!("This credential lacks the scope {}.", scope_name(resource, verb))
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
