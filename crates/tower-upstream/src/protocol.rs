/// The version of HTTP that an [`Upstream`](crate::Upstream) speaks to its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// The server's choice of HTTP/2 and HTTP/1.1, in the handshake of TLS (ALPN). Without TLS it
    /// is HTTP/1.1.
    #[default]
    Negotiated,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone. Without TLS it needs prior knowledge (RFC 9113, section 3.3), and is also
    /// known as h2c. A server of gRPC without TLS needs it.
    Http2,
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
}
