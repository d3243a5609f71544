//! TLS for calls to others: ring, and the system's roots.
//!
//! A container without a `ca-certificates` package has no roots, and a client that takes only the system's
//! then cannot even be built. There, and only there, Mozilla's list that is compiled in serves: where a
//! system has an opinion on whom to trust, it is not added to.

use std::sync::{Arc, Once};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Makes ring the process's provider of cryptography. Once; a second call, or another's choice before, is
/// left alone.
pub fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a provider of cryptography was installed before");
        }
    });
}

pub(super) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut config = with_roots(system_roots())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// For a client that is not to make a secure call.
pub(super) fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    with_roots(RootCertStore::empty())
}

/// TLS could not be set up for a connection.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetup {
    /// The authority that was given is not a certificate.
    #[error(
        "the certificate of the authority cannot be read: it has to be PEM, from -----BEGIN CERTIFICATE----- on"
    )]
    Authority,
    /// rustls refuses.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// TLS for a connection that carries no HTTP. With an authority (PEM), only what that one vouches for is trusted.
///
/// # Errors
/// When the authority cannot be read.
pub fn tls_setup(authority: Option<&str>) -> Result<ClientConfig, TlsSetup> {
    let Some(pem) = authority else {
        return Ok(with_roots(system_roots())?);
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| TlsSetup::Authority)?;
        roots.add(certificate).map_err(|_| TlsSetup::Authority)?;
    }
    if roots.is_empty() {
        return Err(TlsSetup::Authority);
    }
    Ok(with_roots(roots)?)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (_, ignored) = roots.add_parsable_certificates(system.certs);
    if ignored > 0 {
        tracing::debug!(ignored, "some of the system's root certificates cannot be read");
    }
    if roots.is_empty() {
        tracing::warn!("the system has no root certificates: trusting Mozilla's list as of this build");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn with_roots(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    install_crypto_provider();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
