use http::{Extensions, uri::Scheme};

/// The scheme of the connection from the peer, for a server that knows it for each request. The
/// server puts it into the request's extensions.
///
/// It counts before [`OriginLayer::https`](crate::OriginLayer::https). The report of a trusted
/// proxy counts before both. tower-gateway inserts it, because a web server in front of a FastCGI
/// program states the scheme in a variable.
///
/// # Examples
///
/// ```
/// use http::{Request, uri::Scheme};
/// use tower_origin::PeerScheme;
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(PeerScheme(Scheme::HTTPS));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerScheme(pub Scheme);

/// Returns the scheme that the server has inserted.
pub(crate) fn of(extensions: &Extensions) -> Option<&Scheme> {
    extensions.get::<PeerScheme>().map(|scheme| &scheme.0)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use http_body_util::Empty;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::{Origin, OriginLayer, PeerAddr};

    #[tokio::test]
    async fn origin_18_the_scheme_of_the_server_counts_before_the_option() {
        let app = service_fn(async |request: Request<()>| {
            let origin: &Origin = request.extensions().get().unwrap();
            let mut response = Response::new(Empty::<bytes::Bytes>::new());
            response.extensions_mut().insert(origin.scheme().clone());
            Ok::<_, Infallible>(response)
        });
        let layer = OriginLayer::new().trusted(["10.0.0.1"]).unwrap();
        for (layer, of_server, reported, expected) in [
            (layer.clone(), None, None, Scheme::HTTP),
            (layer.clone(), Some(Scheme::HTTPS), None, Scheme::HTTPS),
            (layer.clone().https(), None, None, Scheme::HTTPS),
            (
                layer.clone().https(),
                Some(Scheme::HTTP),
                None,
                Scheme::HTTP,
            ),
            (
                layer.clone(),
                Some(Scheme::HTTP),
                Some("https"),
                Scheme::HTTPS,
            ),
            (layer, Some(Scheme::HTTPS), Some("http"), Scheme::HTTP),
        ] {
            let peer = PeerAddr("10.0.0.1:4000".parse().unwrap());
            let mut request = Request::get("/").extension(peer);
            if let Some(reported) = reported {
                request = request.header("x-forwarded-proto", reported);
            }
            if let Some(scheme) = of_server {
                request = request.extension(PeerScheme(scheme));
            }
            let request = request.body(()).unwrap();
            let response = layer.layer(app).oneshot(request).await.unwrap();
            assert_eq!(response.extensions().get(), Some(&expected));
        }
    }
}
