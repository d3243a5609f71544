//! `[identity]`: who else may say who a caller is.

use url::Url;

use super::sources::{Fault, Sources};

/// An OpenID Connect issuer whose tokens are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySettings {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// For whom its tokens must be made.
    pub audience: String,
    /// The claim that names the client that the holder is bound to.
    pub client_claim: String,
    /// The claim that names what the holder may do.
    pub scopes_claim: String,
}

impl IdentitySettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Option<Self>, Fault> {
        let (issuer, audience) = (
            sources.text("identity.issuer")?,
            sources.text("identity.audience")?,
        );
        let claim = |key, default: &str| -> Result<String, Fault> {
            Ok(sources.text(key)?.unwrap_or_else(|| default.to_owned()))
        };
        let client_claim = claim("identity.client_claim", "syncline_client")?;
        let scopes_claim = claim("identity.scopes_claim", "scope")?;
        match (issuer, audience) {
            (None, None) => Ok(None),
            (Some(issuer), Some(audience)) => Ok(Some(Self {
                issuer,
                audience,
                client_claim,
                scopes_claim,
            })),
            (Some(_), None) => Err(Fault::new(
                "identity.audience",
                "is not set, and identity.issuer is: without it every token of the issuer would be let in, whomever it is for",
            )),
            (None, Some(_)) => Err(Fault::new(
                "identity.issuer",
                "is not set, and identity.audience is: set it to the issuer's URL",
            )),
        }
    }

    pub(super) fn validate(&self) -> Result<(), Fault> {
        let url = Url::parse(&self.issuer).ok();
        // Whoever can change what is read from there lets themselves in.
        let fits = url.is_some_and(|url| {
            let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
            (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if fits {
            Ok(())
        } else {
            Err(Fault::new(
                "identity.issuer",
                format!(
                    "is {:?}, must be an https URL such as https://login.example.com",
                    self.issuer
                ),
            ))
        }
    }
}
