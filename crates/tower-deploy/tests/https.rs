//! The server `https`, as a process and as a file with errors.

#![cfg(all(feature = "cli", feature = "reload", feature = "tls", unix))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};
use tower_deploy::{Loader, Registry};

const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("td-https-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Makes a certificate for a host in `NAME.pem` and its key in `NAME.key`.
    fn make(&self, name: &str, host: &str) -> CertificateDer<'static> {
        let made = generate_simple_self_signed([host.to_owned()]).unwrap();
        let CertifiedKey { cert, signing_key } = made;
        let pem = |kind: &str, der: &[u8]| {
            let text = BASE64_STANDARD.encode(der);
            format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
        };
        self.write(&format!("{name}.pem"), &pem("CERTIFICATE", cert.der()));
        let key = pem("PRIVATE KEY", &signing_key.serialize_der());
        self.write(&format!("{name}.key"), &key);
        cert.der().clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SITE: &str = "\
[app:main]
use = egg:tower#text
text = hello

[server:main]
use = egg:tower#https
";

struct Served {
    child: Child,
    addresses: Vec<String>,
    log: Lines<BufReader<ChildStderr>>,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Served {
    async fn start(file: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tower-deploy"))
            .args(["serve", file.to_str().unwrap()])
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut addresses = Vec::new();
        loop {
            let line = timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
            let line = line.expect("it has ended");
            match line.strip_prefix("listening on ") {
                Some(address) => addresses.push(address.to_owned()),
                None if line == "Ctrl-C ends it" => break,
                None => {}
            }
        }
        Self {
            child,
            addresses,
            log,
            _said: said,
        }
    }

    /// Opens a connection of TLS to a server with this certificate, which is for `site.example`.
    async fn connect(&self, certificate: &CertificateDer<'static>) -> TlsStream<TcpStream> {
        let address = self.addresses[0].strip_prefix("https://").unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("site.example").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, socket).await.unwrap()
    }

    async fn reload(&mut self, words: &str) -> String {
        let id = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args(["-HUP", &id]).status();
        assert!(status.await.unwrap().success());
        loop {
            let line = timeout(PATIENCE, self.log.next_line()).await.unwrap();
            let line = line.unwrap().unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }
}

/// Returns the response to one request, whose connection stays open.
async fn get(io: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: site.example\r\n\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
    io.flush().await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") && !response.ends_with(b"hello") {
        response.push(timeout(PATIENCE, io.read_u8()).await.unwrap().unwrap());
        if response.ends_with(b"\r\n\r\n") && response.windows(9).any(|w| w == b"length: 5") {
            for _ in 0..5 {
                response.push(timeout(PATIENCE, io.read_u8()).await.unwrap().unwrap());
            }
        }
    }
    String::from_utf8(response).unwrap()
}

#[tokio::test]
async fn https_serves_and_redirects() {
    let folder = Folder::new("serves");
    let certificate = folder.make("a", "site.example");
    let settings = format!(
        "port = 0\ncertificate = {0}/a.pem\nkey = {0}/a.key\nredirect_http = 0\n\
         redirect_port = 9443\nhsts = 1y\n",
        folder.0.display()
    );
    let file = folder.write("site.ini", &format!("{SITE}{settings}"));
    let served = Served::start(&file).await;
    let [https, http] = &served.addresses[..] else {
        panic!("{:?}", served.addresses);
    };
    assert!(https.starts_with("https://127.0.0.1:"), "{https}");
    let mut io = served.connect(&certificate).await;
    let response = get(&mut io, "/").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let hsts = "\r\nstrict-transport-security: max-age=31557600\r\n";
    assert!(response.contains(hsts), "{response}");

    let address = http.strip_prefix("http://").unwrap();
    let mut io = TcpStream::connect(address).await.unwrap();
    let response = get(&mut io, "/a?b").await;
    assert!(response.starts_with("HTTP/1.1 308 "), "{response}");
    let location = "\r\nlocation: https://site.example:9443/a?b\r\n";
    assert!(response.contains(location), "{response}");
    assert!(!response.contains("strict-transport"), "{response}");
}

#[tokio::test]
async fn sighup_reads_the_certificates_again() {
    let folder = Folder::new("reload");
    let old = folder.make("a", "site.example");
    let settings = format!(
        "port = 0\ncertificate = {0}/a.pem\nkey = {0}/a.key\n",
        folder.0.display()
    );
    let file = folder.write("site.ini", &format!("{SITE}{settings}"));
    let mut served = Served::start(&file).await;
    let mut open = served.connect(&old).await;
    assert!(get(&mut open, "/").await.ends_with("hello"));

    let new = folder.make("a", "site.example");
    served.reload("the certificates are read again").await;
    let mut io = served.connect(&new).await;
    assert!(get(&mut io, "/").await.ends_with("hello"));
    assert!(get(&mut open, "/").await.ends_with("hello"));

    folder.write("a.key", "");
    let line = served.reload("the certificates stay as they were").await;
    assert!(line.contains("a.key` has no key (expected PEM"), "{line}");
    let mut io = served.connect(&new).await;
    assert!(get(&mut io, "/").await.ends_with("hello"));
}

#[cfg(feature = "self-signed")]
#[tokio::test]
async fn a_certificate_for_development_is_made() {
    let folder = Folder::new("self-signed");
    let settings = "port = 0\ncertificate = self-signed\n";
    let file = folder.write("site.ini", &format!("{SITE}{settings}"));
    let served = Served::start(&file).await;
    let address = served.addresses[0].strip_prefix("https://").unwrap();
    // A client that trusts nothing gets as far as the certificate.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let error = TlsConnector::from(Arc::new(config)).connect(name, socket);
    let error = error.await.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn an_error_stands_at_its_setting() {
    let folder = Folder::new("errors");
    folder.make("a", "a.example");
    folder.make("b", "b.example");
    let here = folder.0.display();
    let both = format!("certificate = {here}/a.pem\nkey = {here}/a.key\n");
    let key_of_b = format!(
        "key: `{here}/b.key` is not the key of the certificate in `{here}/a.pem` (expected the \
         key with which the certificate was requested)"
    );
    for (settings, line, expected) in [
        (
            String::new(),
            5,
            "certificate: it is needed, and is not there".to_owned(),
        ),
        (
            format!("certificate = {here}/a.pem\n"),
            5,
            "key: it is needed, and is not there".to_owned(),
        ),
        (
            format!("certificate = {here}/gone.pem\nkey = {here}/a.key\n"),
            7,
            format!("certificate: cannot read `{here}/gone.pem`: No such file or directory"),
        ),
        (
            format!("certificate = {here}/a.pem\nkey = {here}/b.key\n"),
            8,
            key_of_b.clone(),
        ),
        (
            format!(
                "certificate =\n  {here}/b.pem\n  {here}/a.pem\n\
                 key =\n  {here}/b.key\n  {here}/b.key\n"
            ),
            12,
            key_of_b,
        ),
        (
            format!("certificate =\n  {here}/a.pem\n  {here}/b.pem\nkey = {here}/a.key\n"),
            10,
            "key: there are 2 certificates and 1 key".to_owned(),
        ),
        (
            format!("{both}redirect_http = 8443\n"),
            9,
            "redirect_http: HTTP and HTTPS cannot have the same port".to_owned(),
        ),
        (
            format!("{both}bind = unix:/run/a.sock\nredirect_http = 80\n"),
            10,
            "redirect_http: a Unix socket has no host on which this port could be".to_owned(),
        ),
        (
            format!("{both}redirect_port = 443\n"),
            9,
            "redirect_port: there is no redirect without `redirect_http`".to_owned(),
        ),
        (
            format!("{both}proxy_protocol = 10.0.0.0/8 proxy\n"),
            9,
            "proxy_protocol: `proxy` is neither an address nor a network".to_owned(),
        ),
    ] {
        let file = folder.write("site.ini", &format!("{SITE}{settings}"));
        let uri = format!("config:{}", file.display());
        let error = Loader::new(Registry::standard()).load_server(&uri);
        let error = error.unwrap_err();
        let report = error.to_string();
        assert!(report.contains(&expected), "{report}");
        assert_eq!(error.place().unwrap().line(), line, "{report}");
    }
}

#[test]
fn settings_of_tls_are_errors_of_http() {
    let folder = Folder::new("http");
    let text = SITE.replace("#https", "#http") + "hsts = 1y\n";
    let file = folder.write("site.ini", &text);
    let uri = format!("config:{}", file.display());
    let error = Loader::new(Registry::standard()).load_server(&uri);
    let report = error.unwrap_err().report(false);
    assert!(
        report.contains("this server does not speak TLS"),
        "{report}"
    );
    assert!(report.contains("write `use = egg:tower#https`"), "{report}");
}

#[test]
fn the_plan_shows_the_settings_of_tls() {
    let folder = Folder::new("plan");
    let settings = "certificate = /a.pem\nkey = /a.key\nredirect_http = 80\nhsts = 1y\n";
    let file = folder.write("site.ini", &format!("{SITE}{settings}"));
    let explained = std::process::Command::new(env!("CARGO_BIN_EXE_tower-deploy"))
        .args(["explain", file.to_str().unwrap()])
        .output()
        .unwrap();
    let plan = String::from_utf8(explained.stdout).unwrap();
    for line in [
        "certificate = /a.pem\n",
        "key = [redacted]\n",
        "redirect_http = 80\n",
        "hsts = 1year\n",
        "port = 8443  (default)\n",
        "host = 127.0.0.1  (default)\n",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
}
