//! Encryption of connections, and certificates of clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::error::{Error, Result};

/// Where certificates are; without any, connections are not encrypted. The files are read again when they change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// The server's certificates, PEM, its own first. Default: none.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM. Default: none.
    pub key: Option<PathBuf>,
    /// Certificates, PEM, one of which must have signed a client's: without such a certificate nobody gets in.
    /// Default: none, clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

impl TlsOptions {
    /// True if connections are encrypted.
    pub fn is_on(&self) -> bool {
        self.certificate.is_some() || self.key.is_some() || self.client_ca.is_some()
    }

    /// The files that are named.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificate, &self.key, &self.client_ca].into_iter().flatten()
    }

    /// Reads the files; `None` if none is named.
    ///
    /// Errors: a file is missing, or not what it should be; certificate and key don't belong together.
    pub(super) fn read(&self) -> Result<Option<Arc<ServerConfig>>> {
        if !self.is_on() {
            return Ok(None);
        }
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Err(Error::Config("serve.tls needs both `certificate` and `key`".into()));
        };
        let wrong = |what: &dyn std::fmt::Display| Error::Config(format!("serve.tls: {what}"));
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = verifier.build().map_err(|error| wrong(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| wrong(&format!("{}: {error}", key.display())))?;
        let mut config = builder
            .with_single_cert(certificates(certificate)?, private)
            .map_err(|error| wrong(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Some(Arc::new(config)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |what: String| Error::Config(format!("serve.tls: {}: {what}", path.display()));
    let list = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let list: Vec<_> =
        list.collect::<std::result::Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if list.is_empty() {
        return Err(wrong("there is no certificate in it".into()));
    }
    Ok(list)
}
