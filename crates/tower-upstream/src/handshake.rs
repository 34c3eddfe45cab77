//! Requests that ask for a tunnel, and the responses that open one.
//!
//! A client of HTTP/1.1 asks with `Upgrade` (RFC 9110, section 7.8). A client of HTTP/2 asks for a
//! WebSocket with extended CONNECT (RFC 8441), which becomes a request of the first kind.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TE, UPGRADE},
    request::Parts,
};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use sha1::{Digest, Sha1};

use crate::{UpgradeProtocol, headers::members};

/// A client's request for a tunnel.
pub(crate) struct Handshake {
    /// The client's connection, when the response has been sent.
    pub(crate) client: OnUpgrade,
    /// The protocols that the upstream may choose from.
    offered: HeaderValue,
    /// What `Sec-WebSocket-Accept` has to be, if this proxy is the client of the handshake.
    accept: Option<HeaderValue>,
}

/// The upstream has opened a tunnel that it was not asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAsked {
    Protocol,
    Accept,
}

impl Handshake {
    /// Returns the request for a tunnel in a head, if there is one, and removes it from the head.
    /// An extended CONNECT becomes a GET.
    ///
    /// All other requests are ordinary ones, as RFC 9110 allows: those of HTTP/1.0, of other
    /// methods, with content, for other protocols, and those of a server without upgrades.
    pub(crate) fn take(
        head: &mut Parts,
        has_content: bool,
        protocols: &[UpgradeProtocol],
    ) -> Option<Self> {
        if head.method == Method::CONNECT {
            return Self::take_connect(head, protocols);
        }
        if head.method != Method::GET || head.version != Version::HTTP_11 || has_content {
            return None;
        }
        let mut options = head.headers.get_all(CONNECTION).iter().flat_map(members);
        if !options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
            return None;
        }
        let asked = head.headers.get_all(UPGRADE).iter().flat_map(members);
        let offered: Vec<&[u8]> = asked
            .filter(|name| protocols.iter().any(|protocol| protocol.is(name)))
            .collect();
        if offered.is_empty() {
            return None;
        }
        let offered = HeaderValue::from_bytes(&offered.join(&b", "[..])).ok()?;
        let client = head.extensions.remove::<OnUpgrade>()?;
        let accept = None;
        Some(Self {
            client,
            offered,
            accept,
        })
    }

    fn take_connect(head: &mut Parts, protocols: &[UpgradeProtocol]) -> Option<Self> {
        let name = head.extensions.get::<Protocol>()?.as_str().as_bytes();
        let is_allowed = protocols.iter().any(|protocol| protocol.is(name));
        // Only the handshake of WebSockets is defined for both versions.
        if !is_allowed || !name.eq_ignore_ascii_case(b"websocket") {
            return None;
        }
        // Without entropy there is no handshake, and the CONNECT is rejected.
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let client = head.extensions.remove::<OnUpgrade>()?;
        let key = BASE64_STANDARD.encode(random);
        let value = HeaderValue::from_str(&key).expect("base64 is a value");
        head.headers.insert(SEC_WEBSOCKET_KEY, value);
        head.method = Method::GET;
        Some(Self {
            client,
            offered: HeaderValue::from_static("websocket"),
            accept: Some(accept_of(&key)),
        })
    }

    /// Asks the upstream, in a head that asks for nothing.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        // Some servers do not find the option among others.
        headers.remove(TE);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, self.offered.clone());
    }

    /// Returns whether the client has sent an extended CONNECT, so that a 2xx opens the tunnel, and
    /// not a 101.
    pub(crate) fn is_connect(&self) -> bool {
        self.accept.is_some()
    }

    /// Returns the protocol that the upstream has chosen in a 101.
    ///
    /// # Errors
    ///
    /// Returns an error if that is not what the client has asked for. Such a tunnel could carry
    /// requests that the proxy does not see.
    pub(crate) fn chosen(&self, headers: &HeaderMap) -> Result<HeaderValue, NotAsked> {
        let mut chosen = headers.get_all(UPGRADE).iter();
        let (Some(chosen), None) = (chosen.next(), chosen.next()) else {
            return Err(NotAsked::Protocol);
        };
        let mut offered = members(&self.offered);
        if !offered.any(|name| name.eq_ignore_ascii_case(chosen.as_bytes().trim_ascii())) {
            return Err(NotAsked::Protocol);
        }
        match &self.accept {
            Some(accept) if headers.get(SEC_WEBSOCKET_ACCEPT) != Some(accept) => {
                Err(NotAsked::Accept)
            }
            _ => Ok(chosen.clone()),
        }
    }

    /// Changes the headers of a 101, without those about one hop, into those for the client.
    pub(crate) fn confirm(&self, headers: &mut HeaderMap, chosen: HeaderValue) {
        headers.remove(CONTENT_LENGTH);
        if self.is_connect() {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
        } else {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, chosen);
        }
    }
}

/// Returns the answer to a key (RFC 6455, section 4.2.2).
fn accept_of(key: &str) -> HeaderValue {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    HeaderValue::from_str(&BASE64_STANDARD.encode(digest)).expect("base64 is a value")
}
