//! Upstreams that respond with the bytes of a test.

use std::{fmt, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A listener on loopback. Its `Display` is its URL.
pub(crate) struct Upstream(TcpListener);

impl Upstream {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) async fn accept(&self) -> Wire {
        Wire(self.0.accept().await.unwrap().0)
    }

    /// Reads the head of a request, and responds with these bytes.
    pub(crate) async fn answers(&self, answer: &str) -> Wire {
        let mut peer = self.accept().await;
        peer.head().await;
        peer.write(answer).await;
        peer
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0.local_addr().unwrap())
    }
}

/// One end of a connection.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads the head of a request without a body.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.0.read_buf(&mut head);
            let read = tokio::time::timeout(Duration::from_secs(10), read).await;
            assert!(read.unwrap().unwrap() > 0, "the end came before the head's");
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads up to the end of the connection.
    pub(crate) async fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await.unwrap();
        rest
    }
}
