//! The resolver that gives out only addresses that may be called.

use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::error::Blocked;
use super::guard::{NetworkPolicy, not_public};

/// The system's resolver behind the guard.
pub(super) struct GuardedResolver(pub(super) Arc<NetworkPolicy>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            // Port 0 is replaced by the URL's.
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<_> = found
                .iter()
                .copied()
                .filter(|address| policy.allows(address.ip()))
                .collect();
            if allowed.is_empty()
                && let Some(refused) = found.first()
            {
                let target = name.as_str().to_owned();
                let reason = format!("of what its name resolves to, {}", not_public(refused.ip()));
                return Err(Blocked { target, reason }.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
