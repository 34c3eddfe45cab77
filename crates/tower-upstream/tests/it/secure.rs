//! Upstreams that speak TLS, and certificates for them.

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Response, Version};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use super::Body;

/// A directory of certificates that is removed in the end, with a CA in `ca.pem`.
pub(crate) struct Store {
    path: PathBuf,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Store {
    pub(crate) fn new(name: &str) -> Self {
        Self::of_ca(name, name)
    }

    /// The CA has this name.
    pub(crate) fn of_ca(name: &str, ca: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tu-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, ca.to_owned());
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(path.join("ca.pem"), pem("CERTIFICATE", ca.as_ref().der())).unwrap();
        Self { path, ca }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a certificate of the CA for these names in `NAME.pem`, with its key in `NAME.key`.
    pub(crate) fn make(&self, name: &str, hosts: &[&str]) {
        self.make_with(name, hosts, |_| {});
    }

    pub(crate) fn make_with(
        &self,
        name: &str,
        hosts: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) {
        let hosts: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        self.write(name, certificate.der(), &key);
    }

    /// Makes a certificate that is its own issuer, as openssl does, with the mark of a CA or
    /// without.
    pub(crate) fn make_self_signed(&self, name: &str, hosts: &[&str], is_ca: bool) {
        let hosts: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.write(name, certificate.der(), &key);
    }

    fn write(&self, name: &str, der: &[u8], key: &KeyPair) {
        fs::write(self.path(&format!("{name}.pem")), pem("CERTIFICATE", der)).unwrap();
        let key = pem("PRIVATE KEY", &key.serialize_der());
        fs::write(self.path(&format!("{name}.key")), key).unwrap();
    }

    /// Serves with this certificate.
    pub(crate) async fn serve(&self, name: &str, options: Options) -> Server {
        Server::start(self, name, options).await
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub(crate) fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

pub(crate) fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2020, 1, 1);
}

pub(crate) fn early(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2100, 1, 1);
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// The protocols that the server chooses from, in its order.
    pub(crate) alpn: &'static [&'static str],
    /// The server wants a certificate of its CA.
    pub(crate) wants_certificate: bool,
}

/// The request that the server has got.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) sni: Option<String>,
    pub(crate) version: Option<Version>,
    pub(crate) uri: String,
    pub(crate) host: Option<String>,
    pub(crate) client: Option<Vec<u8>>,
}

/// A server. Its `Display` is its URL at `localhost`.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(store: &Store, name: &str, options: Options) -> Self {
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match options.wants_certificate {
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(&store.path("ca.pem"))).unwrap();
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
            false => config.with_no_client_auth(),
        };
        let chain = vec![certificate(&store.path(&format!("{name}.pem")))];
        let key = PrivateKeyDer::from_pem_file(store.path(&format!("{name}.key"))).unwrap();
        let mut config = config.with_single_cert(chain, key).unwrap();
        let alpn = options.alpn.iter().map(|name| name.as_bytes().to_vec());
        config.alpn_protocols = alpn.collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let requests = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, requests) = (acceptor.clone(), requests.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let session = stream.get_ref().1;
                    let client = session.peer_certificates();
                    let first = Seen {
                        sni: session.server_name().map(str::to_owned),
                        client: client.map(|chain| chain[0].to_vec()),
                        ..Seen::default()
                    };
                    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                        let host = request.headers().get("host");
                        requests.lock().unwrap().push(Seen {
                            version: Some(request.version()),
                            uri: request.uri().to_string(),
                            host: host.map(|host| host.to_str().unwrap().to_owned()),
                            ..first.clone()
                        });
                        async { Ok::<_, hyper::Error>(respond(request)) }
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    let stream = TokioIo::new(stream);
                    let _ = server.serve_connection_with_upgrades(stream, service).await;
                });
            }
        });
        Self { address, seen }
    }

    /// Returns the only request so far.
    pub(crate) fn only(&self) -> Seen {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    pub(crate) fn has_seen_none(&self) -> bool {
        self.seen.lock().unwrap().is_empty()
    }
}

/// Opens a tunnel that echoes, if the request asks for one.
fn respond(request: http::Request<hyper::body::Incoming>) -> Response<Body> {
    if !request.headers().contains_key("upgrade") {
        return Response::new(Body::from("ok"));
    }
    tokio::spawn(async move {
        let stream = hyper::upgrade::on(request).await.unwrap();
        let (mut read, mut write) = tokio::io::split(TokioIo::new(stream));
        tokio::io::copy(&mut read, &mut write).await
    });
    let response = Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    response.body(Body::empty()).unwrap()
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://localhost:{}", self.address.port())
    }
}
