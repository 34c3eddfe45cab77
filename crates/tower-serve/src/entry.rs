//! What comes before HTTP on a new connection: the header of the PROXY protocol, and TLS.

use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::OwnedSemaphorePermit;
use tower::BoxError;
use tower_origin::PeerAddr;

#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::{
    proxy_protocol::{Entered, ProxyProtocol},
    stream::{Peer, Socket, Stream},
    transport::Transport,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) proxy_protocol: Option<ProxyProtocol>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

/// An accepted connection.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Option<PeerAddr>,
    pub(crate) slot: OwnedSemaphorePermit,
}

/// A connection on which HTTP begins.
pub(crate) struct Opened {
    pub(crate) transport: Transport,
    pub(crate) peer: Peer,
    /// The address of the client, which a proxy may have sent.
    pub(crate) client: Option<PeerAddr>,
}

impl Entry {
    /// Opens a connection. Returns nothing if it has ended without a request and without an error.
    pub(crate) async fn open(
        &self,
        accepted: Accepted,
        write_timeout: Duration,
    ) -> Result<Option<Opened>, BoxError> {
        let Accepted {
            socket,
            peer: mut client,
            slot,
        } = accepted;
        let mut ahead = BytesMut::new();
        if let Some(protocol) = &self.proxy_protocol {
            match protocol.read(&socket, client, &mut ahead).await {
                Ok(Entered::From(address)) => client = address,
                Ok(Entered::Ended) => return Ok(None),
                Err(error) => {
                    tracing::warn!(peer = ?client, %error, "a connection is refused");
                    return Err(error);
                }
            }
        }
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            if ahead.is_empty() && socket.read_ahead(&mut ahead).await? == 0 {
                return Ok(None);
            }
            if !Tls::begins(ahead[0]) {
                Box::pin(Tls::reject_plain(socket)).await;
                return Err("the client speaks HTTP without TLS".into());
            }
        }
        let (stream, peer) = Stream::open(socket, ahead.freeze(), slot, write_timeout);
        #[cfg(feature = "tls")]
        let transport = match &self.tls {
            // In a box, because the task has room for the largest future all the time.
            Some(tls) => Transport::Tls(Box::pin(tls.accept(stream)).await?),
            None => Transport::Plain(stream),
        };
        #[cfg(not(feature = "tls"))]
        let transport = Transport::Plain(stream);
        Ok(Some(Opened {
            transport,
            peer,
            client,
        }))
    }

    /// Returns the scheme of URLs on this server.
    pub(crate) fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }
}
