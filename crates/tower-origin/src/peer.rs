use std::net::SocketAddr;

use http::Extensions;

/// The address at the other end of the connection. The server puts it into each request's extensions: nobody else
/// knows it.
///
/// # Examples
///
/// With hyper, for each accepted connection:
///
/// ```
/// use std::net::SocketAddr;
/// use http::Request;
/// use tower::{ServiceExt, util::MapRequest};
/// use tower_origin::PeerAddr;
///
/// fn with_peer<S, B>(app: S, peer: SocketAddr) -> MapRequest<S, impl FnMut(Request<B>) -> Request<B> + Clone>
/// where
///     S: tower::Service<Request<B>>,
/// {
///     app.map_request(move |mut request: Request<B>| {
///         request.extensions_mut().insert(PeerAddr(peer));
///         request
///     })
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The peer's address, wherever it was left.
pub(crate) fn of(extensions: &Extensions) -> Option<SocketAddr> {
    let peer = extensions.get::<PeerAddr>().map(|peer| peer.0);
    peer.or_else(|| connect_info(extensions))
}

#[cfg(feature = "axum")]
fn connect_info(extensions: &Extensions) -> Option<SocketAddr> {
    let info = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
    info.map(|info| info.0)
}

#[cfg(not(feature = "axum"))]
fn connect_info(_: &Extensions) -> Option<SocketAddr> {
    None
}
