use std::net::SocketAddr;

use http::Extensions;

/// The address at the other end of the connection. The server puts it into each request's
/// extensions, because only the server knows it.
///
/// With the feature `axum`, a request without a `PeerAddr` has the address of its
/// `ConnectInfo<SocketAddr>`, and in tests that of axum's `MockConnectInfo<SocketAddr>`. With the
/// feature `tonic`, it has the remote address of tonic's `TcpConnectInfo`.
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
/// fn with_peer<S, B>(
///     app: S,
///     peer: SocketAddr,
/// ) -> MapRequest<S, impl FnMut(Request<B>) -> Request<B> + Clone>
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

/// Returns the peer's address from the extension that the server has inserted.
pub(crate) fn of(extensions: &Extensions) -> Option<SocketAddr> {
    let peer = extensions.get::<PeerAddr>().map(|peer| peer.0);
    #[cfg(feature = "axum")]
    let peer = peer.or_else(|| axum(extensions));
    #[cfg(feature = "tonic")]
    let peer = peer.or_else(|| tonic(extensions));
    peer
}

/// Returns the address that axum's server has inserted. A mock counts after a connection, as with
/// axum's own extractor.
#[cfg(feature = "axum")]
fn axum(extensions: &Extensions) -> Option<SocketAddr> {
    use axum::extract::connect_info::{ConnectInfo, MockConnectInfo};

    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    let mock = || extensions.get::<MockConnectInfo<SocketAddr>>();
    info.map(|info| info.0)
        .or_else(|| mock().map(|mock| mock.0))
}

/// Returns the address that tonic's server has inserted, over TLS too.
#[cfg(feature = "tonic")]
fn tonic(extensions: &Extensions) -> Option<SocketAddr> {
    let info = extensions.get::<tonic::transport::server::TcpConnectInfo>();
    info.and_then(|info| info.remote_addr)
}
