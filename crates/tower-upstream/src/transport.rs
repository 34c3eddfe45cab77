//! How an upstream is spoken to: with TLS or without, and in which version of HTTP.

#[cfg(feature = "tls")]
use crate::tls::{Handshakes, Tls};
use crate::{Address, Protocol};

/// How the upstreams of a list are spoken to.
#[derive(Clone, Default)]
pub(crate) struct Transport {
    pub(crate) protocol: Protocol,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
}

impl Transport {
    /// Returns whether the connections to this address may speak HTTP/2.
    pub(crate) fn may_be_http2(&self, address: &Address) -> bool {
        match self.protocol {
            Protocol::Negotiated => address.is_https,
            Protocol::Http1 => false,
            Protocol::Http2 => true,
        }
    }

    /// Returns whether the connections may speak HTTP/1.
    pub(crate) fn may_be_http1(&self) -> bool {
        self.protocol != Protocol::Http2
    }

    /// Returns the same for connections that speak HTTP/1.
    pub(crate) fn http1(&self) -> Self {
        let mut http1 = self.clone();
        http1.protocol = Protocol::Http1;
        http1
    }

    /// Returns the handshakes with this address, if it has any.
    #[cfg(feature = "tls")]
    pub(crate) fn handshakes(&self, address: &Address) -> Option<Handshakes> {
        let host = address.authority().host();
        let handshakes = || Handshakes::new(self.tls.clone(), host, self.protocol);
        address.is_https.then(handshakes)
    }
}
