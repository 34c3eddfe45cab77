//! Makes requests and calls the layer with them.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response, Version, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_kit::Rejection;
use tower_origin::{BadOrigin, Origin, OriginLayer, PeerAddr, XForwarded};

/// The address of a proxy that the tests trust.
pub(crate) const PROXY: &str = "10.0.0.1:4000";
/// The address of a peer that the tests do not trust.
pub(crate) const STRANGER: &str = "203.0.113.7:5000";

/// Trusts 10.0.0.0/8 and fd00::/8.
pub(crate) fn behind_proxies() -> OriginLayer {
    OriginLayer::new()
        .trusted(["10.0.0.0/8", "fd00::/8"])
        .unwrap()
}

/// The same, for proxies that set all of X-Forwarded-*.
pub(crate) fn behind_thorough_proxies() -> OriginLayer {
    behind_proxies().x_forwarded([XForwarded::Host, XForwarded::Port, XForwarded::Prefix])
}

/// Returns a request from a peer with these headers, written `name: value`.
pub(crate) fn request(peer: &str, uri: &str, headers: &[&str]) -> Request<()> {
    let mut request = Request::get(uri).body(()).unwrap();
    if !peer.is_empty() {
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(PeerAddr(peer));
    }
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name, value);
    }
    request
}

pub(crate) fn http2(mut request: Request<()>) -> Request<()> {
    *request.version_mut() = Version::HTTP_2;
    request
}

/// Returns the parts that the inner service sees, or the reason of the rejection with the client's
/// text.
pub(crate) fn seen(
    layer: &OriginLayer,
    request: Request<()>,
) -> Result<Parts, (BadOrigin, String)> {
    let app = layer.layer(service_fn(async |request: Request<()>| {
        let mut response = Response::new(Full::<Bytes>::default());
        response.extensions_mut().insert(request.into_parts().0);
        Ok::<_, Infallible>(response)
    }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let response = app.oneshot(request).await.unwrap();
        let (mut parts, body) = response.into_parts();
        match parts.extensions.remove::<Parts>() {
            Some(parts) => Ok(parts),
            None => {
                assert_eq!(parts.status, 400);
                let text = body.collect().await.unwrap().to_bytes();
                let text = String::from_utf8(text.into()).unwrap();
                let rejection = Rejection::of_head(&parts).and_then(Rejection::reason);
                Err((BadOrigin::clone(rejection.unwrap()), text))
            }
        }
    })
}

pub(crate) fn origin(layer: &OriginLayer, request: Request<()>) -> Result<Origin, BadOrigin> {
    match seen(layer, request) {
        Ok(parts) => Ok(parts.extensions.get::<Origin>().unwrap().clone()),
        Err((reason, _)) => Err(reason),
    }
}

/// Returns scheme, host, port, client and prefix, or the reason of the rejection.
pub(crate) fn summary(layer: &OriginLayer, request: Request<()>) -> String {
    match origin(layer, request) {
        Err(reason) => reason.to_string(),
        Ok(origin) => {
            let client = origin
                .client()
                .map_or("-".to_owned(), |client| client.to_string());
            let port = origin
                .client_port()
                .map_or("-".to_owned(), |port| port.to_string());
            let (scheme, host) = (origin.scheme(), origin.host().unwrap_or("-"));
            let prefix = origin.prefix();
            format!("{scheme} {host} {} {client} {port} {prefix}", origin.port())
        }
    }
}
