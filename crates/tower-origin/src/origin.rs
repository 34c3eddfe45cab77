use std::{net::IpAddr, sync::Arc};

use http::{request::Parts, uri::Scheme};
use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};
use tower_environ::MountExt;

use crate::host::{Host, default_port};

/// The client of a request, and the URL that the client requested. It is in the request's
/// extensions.
///
/// # Examples
///
/// ```
/// use http::request::Parts;
/// use tower_origin::Origin;
///
/// fn log_line(parts: &Parts) -> Option<String> {
///     let origin: &Origin = parts.extensions.get()?;
///     let client = origin.client()?;
///     Some(format!("{client} {} {}", origin.scheme(), origin.host()?))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Option<Host>,
    /// Whether the host is on the layer's list or its default host.
    pub(crate) vouched: bool,
    pub(crate) client: Option<IpAddr>,
    pub(crate) client_port: Option<u16>,
    pub(crate) prefix: Option<Arc<str>>,
}

impl Origin {
    /// Returns the scheme of the client's own connection: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Returns the host that the client requested, without the port. It is in lower case, and an
    /// IPv6 address is in brackets. It is `None` if the request names no host and the layer has no
    /// [`default_host`](crate::OriginLayer::default_host).
    ///
    /// It is well-formed. Without a list of hosts it may be any host that the client sends.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_ref().map(|host| host.name.as_str())
    }

    /// Returns the port that the client requested: the one that it named, or that of the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        let named = self.host.as_ref().map(|host| host.port(&self.scheme));
        named.unwrap_or_else(|| default_port(&self.scheme))
    }

    /// Returns host and port as in a URL, with the port only if it is not the scheme's own. It is
    /// `None` if [`host`](Origin::host) is.
    ///
    /// Without a list of hosts it may be any host that the client sends. Make links with
    /// [`url`](Origin::url) or [`application_url`](Origin::application_url).
    #[must_use]
    pub fn authority(&self) -> Option<String> {
        let mut host = self.host.clone()?;
        host.port = host.port.filter(|port| *port != default_port(&self.scheme));
        Some(host.to_string())
    }

    /// Returns the address of the client: of the last hop that is not a trusted proxy. It is `None`
    /// if it is not known, or if a proxy hides it.
    ///
    /// If all hops are trusted it is the first of them, because then one of your own hosts is the
    /// client.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Returns the port of the client's end of the connection, if it is known.
    #[must_use]
    pub fn client_port(&self) -> Option<u16> {
        self.client_port
    }

    /// Returns the prefix that the proxies have stripped from the path, such as `/app`, or an empty
    /// text.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// Returns the absolute URL that the client requested.
    ///
    /// It has the scheme, the host, the port if it is not the scheme's own, the prefix, the path as
    /// the server saw it, and the query. Characters that are not legal in a URL are encoded,
    /// because clients send them: quotes, backslashes, bytes beyond ASCII.
    ///
    /// It is `None` if the host is not on the list of
    /// [`OriginLayer::hosts`](crate::OriginLayer::hosts) and not the default host. Otherwise a
    /// client could choose where a link leads its next reader.
    ///
    /// # Examples
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
        // `*` in OPTIONS is not a path (RFC 9110, section 7.1).
        if parts.path_info().starts_with('/') {
            url.extend(legal(parts.path_info()));
        }
        if let Some(query) = parts.uri.query() {
            url.push('?');
            url.extend(legal(query));
        }
        Some(url)
    }

    /// Returns the absolute URL of the application, up to the end of its mount. It has no slash at
    /// its end. To make a link, append a path that begins with a slash.
    ///
    /// It is `None` if [`url`](Origin::url) is.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_origin::Origin;
    ///
    /// fn login(parts: &Parts) -> Option<String> {
    ///     let origin: &Origin = parts.extensions.get()?;
    ///     Some(format!("{}/login", origin.application_url(parts)?))
    /// }
    /// ```
    #[must_use]
    pub fn application_url(&self, parts: &Parts) -> Option<String> {
        let authority = self.authority().filter(|_| self.vouched)?;
        let (scheme, prefix) = (&self.scheme, self.prefix());
        let script_name = legal(parts.script_name());
        Some(format!("{scheme}://{authority}{prefix}{script_name}"))
    }
}

/// The characters that `http::Uri` accepts in a path or a query, and RFC 3986 does not.
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
