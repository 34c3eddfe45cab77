//! The settings of TLS to an upstream.

use std::{fs, path::PathBuf, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::StatusCode;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use super::{ask, get, proxy, text};

/// A directory with certificates, each its own CA, that is removed in the end.
struct Store(PathBuf);

impl Store {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("td-upstream-tls-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let store = Self(path);
        for name in ["up", "me"] {
            let host = format!("{name}.internal");
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed([host]).unwrap();
            for (end, kind, der) in [
                ("pem", "CERTIFICATE", cert.der().to_vec()),
                ("key", "PRIVATE KEY", signing_key.serialize_der()),
            ] {
                let text = BASE64_STANDARD.encode(der);
                let text = format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
                fs::write(store.0.join(format!("{name}.{end}")), text).unwrap();
            }
        }
        store
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An upstream that wants a certificate, and responds with the name that it finds in the handshake.
async fn upstream(store: &Store) -> u16 {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    let certificate = |name: &str| CertificateDer::from_pem_file(store.path(name)).unwrap();
    roots.add(certificate("me.pem")).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_file(store.path("up.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate("up.pem")], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let name = stream
                .get_ref()
                .1
                .server_name()
                .unwrap_or("none")
                .to_owned();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
            let length = name.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{name}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

#[tokio::test]
async fn deploy_23_the_settings_of_tls_reach_the_upstream() {
    let store = Store::new();
    let port = upstream(&store).await;
    let ca = format!("ca = {} {}\n", store.path("me.pem"), store.path("up.pem"));
    let name = "server_name = up.internal\n";
    let (chain, key) = (store.path("me.pem"), store.path("me.key"));
    let own = format!("client_certificate = {chain}\nclient_key = {key}\n");
    let all = format!("{ca}{name}{own}");
    let address = format!("https://localhost:{port}");
    let response = ask(&proxy(&address, &all), get("/")).await;
    assert_eq!(text(response).await, "up.internal");
    // Each of them is needed.
    for without in [&ca, name, &own] {
        let settings = all.replace(without, "");
        let response = ask(&proxy(&address, &settings), get("/")).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "{settings}");
    }
}
