//! Clients that speak TLS, and the certificates for them.

use std::{fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD as STANDARD};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
        version,
    },
};
use tower_serve::Tls;

use super::*;

/// A directory of certificates that is removed in the end.
pub(crate) struct Store(PathBuf);

impl Store {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ts-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a certificate for these names in `NAME.pem`, with its key in `NAME.key`.
    pub(crate) fn make(&self, name: &str, hosts: &[&str]) -> CertificateDer<'static> {
        let hosts = hosts
            .iter()
            .map(|&host| host.to_owned())
            .collect::<Vec<_>>();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(hosts).unwrap();
        let chain = pem("CERTIFICATE", cert.der());
        fs::write(self.path(&format!("{name}.pem")), chain).unwrap();
        let key = pem("PRIVATE KEY", &signing_key.serialize_der());
        fs::write(self.path(&format!("{name}.key")), key).unwrap();
        cert.der().clone()
    }

    pub(crate) fn tls(&self, name: &str) -> Tls {
        Tls::new(
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        )
        .unwrap()
    }

    pub(crate) fn with(&self, tls: Tls, name: &str) -> Tls {
        tls.certificate(
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        )
        .unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

/// Accepts every certificate, since the tests look at them themselves.
#[derive(Debug)]
pub(crate) struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

pub(crate) fn config(
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> ClientConfig {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(versions).unwrap().dangerous();
    let config = config.with_custom_certificate_verifier(Arc::new(Any));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) async fn handshake<S>(
    io: S,
    config: ClientConfig,
    name: &str,
) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, io);
    timeout(PATIENCE, handshake).await.unwrap()
}

impl Running {
    pub(crate) async fn connect_tls(
        &self,
        alpn: &[&str],
        name: &str,
    ) -> Client<TlsStream<TcpStream>> {
        let socket = self.connect().await.0;
        Client(handshake(socket, config(BOTH, alpn), name).await.unwrap())
    }

    /// Returns the certificate that a client gets which looks for this name.
    pub(crate) async fn certificate_for(&self, name: &str) -> CertificateDer<'static> {
        let mut client = self.connect_tls(&[], name).await;
        assert!(client.get("/a").await.ends_with("/a"));
        let (_, connection) = client.0.get_ref();
        connection.peer_certificates().unwrap()[0].clone()
    }
}

pub(crate) async fn run_tls(tls: Tls) -> Running {
    run(server().tls(tls), echo_path()).await
}
