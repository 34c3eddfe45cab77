//! HTTPS, and plain HTTP beside it that redirects.

use std::{convert::Infallible, error, fmt, future::ready, io};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{HOST, LOCATION, STRICT_TRANSPORT_SECURITY},
    uri::{Authority, PathAndQuery},
};
use http_body_util::Full;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_kit::Rejection;
use tower_layer::Layer;
#[cfg(feature = "cli")]
use tower_serve::Address;
use tower_serve::{Bound, Shutdown, Tls};

use crate::{App, Body};

/// The port of URLs that name none.
const DEFAULT_PORT: u16 = 443;

/// A server with TLS.
pub(crate) struct Https {
    server: tower_serve::Server,
    tls: Tls,
    hsts: Option<HeaderValue>,
    redirect: Option<tower_serve::Server>,
    /// The port in the URLs of redirects, if it is not the server's own.
    redirect_port: Option<u16>,
}

impl Https {
    pub(crate) fn new(server: tower_serve::Server, tls: Tls) -> Self {
        Self {
            server: server.tls(tls.clone()),
            tls,
            hsts: None,
            redirect: None,
            redirect_port: None,
        }
    }

    /// Sets the header with which browsers remember that the site has HTTPS.
    pub(crate) fn hsts(mut self, hsts: Option<HeaderValue>) -> Self {
        self.hsts = hsts;
        self
    }

    /// Sets the server that redirects, and the port in its URLs.
    pub(crate) fn redirect(
        mut self,
        redirect: Option<tower_serve::Server>,
        port: Option<u16>,
    ) -> Self {
        (self.redirect, self.redirect_port) = (redirect, port);
        self
    }

    /// Replaces the address of HTTPS.
    #[cfg(feature = "cli")]
    pub(crate) fn address(mut self, address: Address) -> Self {
        self.server = self.server.address(address);
        self
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) async fn bind(self) -> io::Result<BoundHttps> {
        let bound = self.server.bind().await?;
        let redirect = match self.redirect {
            Some(redirect) => {
                let port = self.redirect_port.or_else(|| port(&bound));
                let app = redirect_to(port.unwrap_or(DEFAULT_PORT));
                Some((redirect.bind().await?, app))
            }
            None => None,
        };
        Ok(BoundHttps {
            bound,
            hsts: self.hsts,
            redirect,
        })
    }
}

fn port(bound: &Bound) -> Option<u16> {
    let address = bound.addresses().next()?;
    let (_, port) = address.rsplit_once(':')?;
    port.parse().ok()
}

/// A server with TLS whose sockets are open.
pub(crate) struct BoundHttps {
    bound: Bound,
    hsts: Option<HeaderValue>,
    redirect: Option<(Bound, App)>,
}

impl BoundHttps {
    #[cfg(feature = "cli")]
    pub(crate) fn addresses(&self) -> impl Iterator<Item = String> {
        let redirect = self.redirect.iter();
        let redirects = redirect.flat_map(|(bound, _)| bound.addresses());
        self.bound.addresses().chain(redirects)
    }

    /// Serves until SIGTERM or Ctrl-C, which end both servers.
    pub(crate) async fn serve(self, app: App) -> io::Result<()> {
        let app = match self.hsts {
            Some(hsts) => {
                let name = STRICT_TRANSPORT_SECURITY;
                App::new(SetResponseHeaderLayer::if_not_present(name, hsts).layer(app))
            }
            None => app,
        };
        let serving = self.bound.serve(app, Shutdown::signals()?);
        match self.redirect {
            Some((redirect, app)) => {
                let redirecting = redirect.serve(app, Shutdown::signals()?);
                // Both end at the same signal, and each waits for its own requests.
                let (served, redirected) = tokio::join!(serving, redirecting);
                served.and(redirected)
            }
            None => serving.await,
        }
    }
}

/// Returns an app that responds with a redirect to the same URL of HTTPS.
fn redirect_to(port: u16) -> App {
    App::new(tower::service_fn(move |request: Request<Body>| {
        ready(Ok::<_, Infallible>(redirect(&request, port)))
    }))
}

fn redirect(request: &Request<Body>, port: u16) -> Response<Full<Bytes>> {
    let Some(location) = location(request, port) else {
        return Rejection::new(StatusCode::BAD_REQUEST, NoHost).response_for(request);
    };
    let mut response = Response::new(Full::default());
    // It keeps the method, so a form is not lost.
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    response
}

fn location<B>(request: &Request<B>, port: u16) -> Option<HeaderValue> {
    let uri = request.uri();
    let authority = uri.authority().cloned().or_else(|| {
        let host = request.headers().get(HOST)?;
        Authority::try_from(host.as_bytes()).ok()
    })?;
    let host = authority.host();
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    // The target of `OPTIONS *` is no path.
    let target = if target.starts_with('/') { target } else { "/" };
    let location = match port {
        DEFAULT_PORT => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    HeaderValue::try_from(location).ok()
}

/// A request of HTTP/1.0 that names no host.
#[derive(Debug)]
struct NoHost;

impl fmt::Display for NoHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request names no host to redirect to")
    }
}

impl error::Error for NoHost {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_keeps_host_path_and_query() {
        for (target, host, port, expected) in [
            (
                "/a?b",
                Some("a.example"),
                443,
                Some("https://a.example/a?b"),
            ),
            ("/", Some("a.example:80"), 443, Some("https://a.example/")),
            ("/%2F//", Some("a"), 8443, Some("https://a:8443/%2F//")),
            ("/", Some("[::1]:80"), 8443, Some("https://[::1]:8443/")),
            ("*", Some("a.example"), 443, Some("https://a.example/")),
            ("http://b/c", Some("b"), 443, Some("https://b/c")),
            ("http://b", Some("b"), 443, Some("https://b/")),
            ("/", None, 443, None),
        ] {
            let mut request = Request::builder().uri(target);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let location = location(&request.body(()).unwrap(), port);
            let location = location.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(location, expected, "{target}");
        }
    }
}
