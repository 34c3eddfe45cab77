use std::{net::IpAddr, sync::Arc};

use http::{request::Parts, uri::Scheme};
use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};
use tower_environ::MountExt;

use crate::host::{Host, default_port};

/// Who asked for a request, and for which URL. It is in the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Option<Host>,
    /// Whether the layer was given the host: listed, or as the default.
    pub(crate) vouched: bool,
    pub(crate) client: Option<IpAddr>,
    pub(crate) client_port: Option<u16>,
    pub(crate) prefix: Arc<str>,
}

impl Origin {
    /// The scheme of the client's own connection: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The host that the client asked for, in lower case, an IPv6 address in brackets; without the port. `None` if
    /// the request names none and the layer has no
    /// [`default_host`](crate::OriginLayer::default_host).
    ///
    /// It is well-formed, but unless the layer was given a list of hosts it is just what the client says.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_ref().map(|host| &*host.name)
    }

    /// The port that the client asked for: the one that it named, or that of the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        let named = self.host.as_ref().map(|host| host.port(&self.scheme));
        named.unwrap_or_else(|| default_port(&self.scheme))
    }

    /// Host and port as they stand in a URL: the port only if it is not the scheme's own. `None` where
    /// [`host`](Origin::host) is.
    ///
    /// Like that one it is the client's word where there is no list of hosts: make links with [`url`](Origin::url) or
    /// [`application_url`](Origin::application_url).
    #[must_use]
    pub fn authority(&self) -> Option<String> {
        let mut host = self.host.clone()?;
        host.port = host.port.filter(|port| *port != default_port(&self.scheme));
        Some(host.to_string())
    }

    /// The address of the client: of the last hop that is not a trusted proxy. `None` if it is not known, or hidden
    /// by a proxy.
    ///
    /// Where all hops are trusted it is the first of them: one of your own that asks by itself.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The port of the client's end of the connection, where it is known.
    #[must_use]
    pub fn client_port(&self) -> Option<u16> {
        self.client_port
    }

    /// What the proxies have taken off the path, such as `/app`; empty if nothing.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The absolute URL that the client asked for: scheme, host, port unless it is the scheme's own, prefix, the path
    /// as the server saw it, and the query. What no URL has, and clients send all the same, is encoded: quotes,
    /// backslashes, bytes beyond ASCII.
    ///
    /// `None` where nobody vouches for the host: a link made of what a client says leads its next reader to
    /// wherever that client likes. [`OriginLayer::hosts`](crate::OriginLayer::hosts) says who is vouched for.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    /// use tower_origin::{Origin, OriginLayer};
    ///
    /// async fn app(request: Request<()>) -> Result<Response<Full<Bytes>>, BoxError> {
    ///     let (parts, ()) = request.into_parts();
    ///     let origin = parts.extensions.get::<Origin>();
    ///     let url = origin.and_then(|origin| origin.url(&parts));
    ///     Ok(Response::new(Full::from(url.unwrap_or("a link within this host".to_owned()))))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// for (layer, text) in [
    ///     (OriginLayer::new(), "a link within this host"),
    ///     (OriginLayer::new().hosts(["example.org"])?, "http://example.org/a"),
    /// ] {
    ///     let request = Request::get("/a").header("host", "example.org").body(())?;
    ///     let response = layer.layer(service_fn(app)).oneshot(request).await?;
    ///     assert_eq!(response.into_body().collect().await?.to_bytes(), text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn url(&self, parts: &Parts) -> Option<String> {
        let mut url = self.application_url(parts)?;
        // `*`, in OPTIONS, is no path (RFC 9110, section 7.1).
        if parts.path_info().starts_with('/') {
            url.extend(legal(parts.path_info()));
        }
        if let Some(query) = parts.uri.query() {
            url.push('?');
            url.extend(legal(query));
        }
        Some(url)
    }

    /// The absolute URL of the application: up to where it is mounted, without a slash at the end. What is to be linked
    /// is appended, beginning with a slash.
    ///
    /// `None` where [`url`](Origin::url) is.
    #[must_use]
    pub fn application_url(&self, parts: &Parts) -> Option<String> {
        let authority = self.authority().filter(|_| self.vouched)?;
        let (scheme, prefix) = (&self.scheme, &self.prefix);
        let script_name = legal(parts.script_name());
        Some(format!("{scheme}://{authority}{prefix}{script_name}"))
    }
}

/// What RFC 3986 has in no path and no query, though `http::Uri` lets it pass.
const ILLEGAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

fn legal(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ILLEGAL)
}
