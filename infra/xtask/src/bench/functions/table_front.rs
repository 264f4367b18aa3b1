//! The table behind TLS, as DynamoDB is, with a certificate that all packages trust.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Ends TLS in front of the table and passes on what was in it, byte by byte.
pub(super) struct TableFront {
    /// Where it answers.
    pub(super) url: String,
    /// The folder of the packages.
    pub(super) packages: PathBuf,
}

impl TableFront {
    /// Before the table at `endpoint`, as long as the process lives.
    pub(super) async fn start(packages: &Path, endpoint: String) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(&packages.join("tls"))));
        let upstream = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(acceptor.clone(), client, upstream.clone()));
            }
        });
        Self { url, packages: packages.to_owned() }
    }
}

fn config(folder: &Path) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(folder.join("table.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("table.key")).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap()
}

/// One connection. It breaks off when whoever made it is killed, which is how each of them ends.
async fn pass(acceptor: TlsAcceptor, client: TcpStream, upstream: String) {
    let mut table = TcpStream::connect(upstream).await.unwrap();
    for stream in [&client, &table] {
        stream.set_nodelay(true).unwrap();
    }
    if let Ok(mut client) = acceptor.accept(client).await {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut table).await;
    }
}
