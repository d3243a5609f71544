//! What there are rights to, and how they are written: `runs:read`, `runs:*`, `*:read`, `*`.

use std::fmt;

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Resource {
    /// Clients.
    Clients,
    /// Connectors.
    Connectors,
    /// Integrations, with their schedules, budgets and circuits.
    Integrations,
    /// Runs, with their attempts and logs.
    Runs,
    /// What was read from upstreams.
    Records,
    /// Work that could not be done.
    DeadLetters,
    /// What happened.
    Events,
    /// The figures.
    Overview,
    /// Credentials of this API.
    ApiKeys,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verb {
    /// It is looked at.
    Read,
    /// It is changed, or made to work.
    Write,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Clients,
        Self::Connectors,
        Self::Integrations,
        Self::Runs,
        Self::Records,
        Self::DeadLetters,
        Self::Events,
        Self::Overview,
        Self::ApiKeys,
    ];

    /// Its name in a scope.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Connectors => "connectors",
            Self::Integrations => "integrations",
            Self::Runs => "runs",
            Self::Records => "records",
            Self::DeadLetters => "dead_letters",
            Self::Events => "events",
            Self::Overview => "overview",
            Self::ApiKeys => "api_keys",
        }
    }

    /// Whether anything can be changed about it: records come from syncs, events and figures from what happens.
    const fn is_written(self) -> bool {
        !matches!(self, Self::Records | Self::Events | Self::Overview)
    }

    /// Whether changing it is for those alone whom no client binds.
    #[must_use]
    pub const fn is_the_operators(self) -> bool {
        matches!(self, Self::Clients | Self::Connectors)
    }
}

impl Verb {
    const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// Its name in a scope.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u32);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);

    /// All that there are.
    #[must_use]
    pub fn all() -> Self {
        Self::matching(None, None)
    }

    fn matching(resource: Option<Resource>, verb: Option<Verb>) -> Self {
        let each = existing().filter(|(each, what)| {
            resource.is_none_or(|resource| resource == *each) && verb.is_none_or(|verb| verb == *what)
        });
        Self(each.fold(0, |bits, (resource, verb)| bits | bit(resource, verb)))
    }

    /// The rights that a scope's text names; none where it names none.
    #[must_use]
    pub fn of_scope(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::all());
        }
        let (resource, verb) = text.split_once(':')?;
        let resource = match resource {
            "*" => None,
            name => Some(
                Resource::ALL
                    .into_iter()
                    .find(|resource| resource.name() == name)?,
            ),
        };
        let verb = match verb {
            "*" => None,
            name => Some(Verb::ALL.into_iter().find(|verb| verb.name() == name)?),
        };
        Some(Self::matching(resource, verb)).filter(|rights| *rights != Self::NONE)
    }

    /// The rights that these scopes name together. What is no scope names nothing: a word that a later version gave a
    /// meaning must not become another one here.
    #[must_use]
    pub fn of_scopes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let rights = scopes.into_iter().filter_map(Self::of_scope);
        Self(rights.fold(0, |bits, rights| bits | rights.0))
    }

    /// Without those that whoever is bound to a client cannot have.
    #[must_use]
    pub fn of_a_client(self) -> Self {
        let beyond = Resource::ALL
            .into_iter()
            .filter(|resource| resource.is_the_operators());
        Self(beyond.fold(self.0, |bits, resource| bits & !bit(resource, Verb::Write)))
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn allow(self, resource: Resource, verb: Verb) -> bool {
        self.0 & bit(resource, verb) != 0
    }

    /// Whether all of the others are among them.
    #[must_use]
    pub const fn include(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// As scopes, each on its own; `*` where that is all.
    #[must_use]
    pub fn scopes(self) -> Vec<String> {
        if self == Self::all() {
            return vec!["*".to_owned()];
        }
        existing()
            .filter(|(resource, verb)| self.allow(*resource, *verb))
            .map(|(resource, verb)| scope_name(resource, verb))
            .collect()
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.scopes()).finish()
    }
}

/// Every scope that names one right, for whoever asked for one that there is not.
pub(super) fn scope_names() -> String {
    existing()
        .map(|(resource, verb)| scope_name(resource, verb))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn scope_name(resource: Resource, verb: Verb) -> String {
    format!("{}:{}", resource.name(), verb.name())
}

fn existing() -> impl Iterator<Item = (Resource, Verb)> {
    let verbs = |resource: Resource| Verb::ALL.into_iter().map(move |verb| (resource, verb));
    Resource::ALL
        .into_iter()
        .flat_map(verbs)
        .filter(|(resource, verb)| *verb == Verb::Read || resource.is_written())
}

const fn bit(resource: Resource, verb: Verb) -> u32 {
    1 << (resource as u8 * 2 + verb as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_what_it_says_and_nothing_else() {
        for (scope, reads_runs, writes_runs, reads_records) in [
            ("runs:read", true, false, false),
            ("runs:write", false, true, false),
            ("runs:*", true, true, false),
            ("*:read", true, false, true),
            ("*", true, true, true),
        ] {
            let rights = Rights::of_scope(scope).unwrap();
            let allowed = (
                rights.allow(Resource::Runs, Verb::Read),
                rights.allow(Resource::Runs, Verb::Write),
                rights.allow(Resource::Records, Verb::Read),
            );
            assert_eq!(allowed, (reads_runs, writes_runs, reads_records), "{scope}");
        }
        for none in [
            "",
            "runs",
            "runs:",
            ":read",
            "run:read",
            "Runs:read",
            "runs:delete",
            "records:write",
            "**",
        ] {
            assert_eq!(Rights::of_scope(none), None, "{none}");
        }
    }

    #[test]
    fn rights_are_written_as_they_are_read() {
        assert_eq!(Rights::all().scopes(), ["*"]);
        let rights = Rights::of_scopes(["runs:*", "records:read", "of a later version"]);
        assert_eq!(rights.scopes(), ["runs:read", "runs:write", "records:read"]);
        assert_eq!(
            Rights::of_scopes(rights.scopes().iter().map(String::as_str)),
            rights
        );
        assert!(Rights::all().include(rights) && !rights.include(Rights::all()));
    }
}
