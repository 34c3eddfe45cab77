//! Upstreams that send the bytes of a test, and clients that see each byte.

use std::{fmt, net::SocketAddr, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;
use tower_origin::PeerAddr;

use super::{App, Body};

/// A listener on loopback. Its `Display` is its URL.
pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) async fn accept(&self) -> Wire {
        Wire::new(self.0.accept().await.unwrap().0)
    }

    /// Takes the head of a request, and responds with this.
    pub(crate) async fn answers(&self, answer: &str) -> Wire {
        let mut peer = self.accept().await;
        peer.head().await;
        peer.write(answer).await;
        peer
    }

    /// Returns whether a client connects within a short time.
    pub(crate) async fn is_asked(&self) -> bool {
        tokio::time::timeout(super::SHORT, self.0.accept())
            .await
            .is_ok()
    }

    /// Responds to requests without a body, each on a connection of its own, and returns their
    /// heads.
    pub(crate) fn answering(self, answer: &'static str) -> tokio::sync::mpsc::Receiver<String> {
        let (heads, received) = tokio::sync::mpsc::channel(9);
        tokio::spawn(async move {
            loop {
                let mut wire = self.accept().await;
                let head = wire.head().await;
                wire.write(answer).await;
                if heads.send(head).await.is_err() {
                    return;
                }
            }
        });
        received
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0.local_addr().unwrap())
    }
}

/// One end of a connection.
pub(crate) struct Wire<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads up to and including this.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        if end.is_empty() {
            return String::new();
        }
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|at| at == end.as_bytes());
            if let Some(found) = found {
                let rest = self.read.split_off(found + end.len());
                let taken = std::mem::replace(&mut self.read, rest);
                return String::from_utf8(taken).unwrap();
            }
            let got = tokio::time::timeout(
                Duration::from_secs(10),
                self.stream.read_buf(&mut self.read),
            );
            let got = got.await.unwrap().unwrap();
            let so_far = String::from_utf8_lossy(&self.read);
            assert!(got > 0, "the end came before {end:?}: {so_far:?}");
        }
    }

    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads up to the end of the connection, even if it is reset.
    pub(crate) async fn rest(mut self) -> String {
        loop {
            let got = tokio::time::timeout(
                Duration::from_secs(10),
                self.stream.read_buf(&mut self.read),
            );
            if matches!(got.await.unwrap(), Ok(0) | Err(_)) {
                return String::from_utf8(self.read).unwrap();
            }
        }
    }

    /// Reads what comes within a short time.
    pub(crate) async fn now(&mut self) -> String {
        let _ = tokio::time::timeout(super::SHORT, async {
            while self.stream.read_buf(&mut self.read).await.unwrap() > 0 {}
        })
        .await;
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Writes, even if the other end has closed.
    pub(crate) async fn try_write(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Returns whether the other end closes the connection within a short time.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.read);
        let read = tokio::time::timeout(Duration::from_millis(20), read).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    pub(crate) async fn shut_down(&mut self) {
        self.stream.shutdown().await.unwrap();
    }
}

/// Serves an app with the peer's address, and returns the server's.
pub(crate) async fn serve(app: App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let app = app.clone().map_request(
                move |mut request: http::Request<hyper::body::Incoming>| {
                    request.extensions_mut().insert(PeerAddr(peer));
                    request.map(Body::new)
                },
            );
            tokio::spawn(async move {
                let mut server = auto::Builder::new(TokioExecutor::new());
                server.http2().enable_connect_protocol();
                let connection = server.serve_connection_with_upgrades(
                    TokioIo::new(stream),
                    TowerToHyperService::new(app),
                );
                let _ = connection.await;
            });
        }
    });
    address
}

pub(crate) async fn client(server: SocketAddr) -> Wire {
    Wire::new(TcpStream::connect(server).await.unwrap())
}
