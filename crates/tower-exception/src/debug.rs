//! The page that a developer sees instead of the id.

mod lock;
mod page;
mod rendering;
mod source;
mod text;

use std::{
    fmt, mem,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS},
    request,
};
use http_body_util::Full;
use tower_kit::{Format, content::RequestKind};

pub(crate) use self::rendering::Rendering;
use crate::{Incident, guard::catch, snapshot::Album};

/// The markup of a text that is appended to a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Markup {
    Text,
    Html,
}

/// The function that returns the address of a request's TCP connection.
#[derive(Clone)]
struct Peer(Arc<dyn Fn(&request::Parts) -> Option<IpAddr> + Send + Sync>);

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

/// The page of [`ExceptionLayer::debug`](crate::ExceptionLayer::debug), and who may see it.
///
/// The page is for a browser on this machine. The client gets production's response instead, unless
/// all of this holds:
///
/// - The build has debug assertions, or [`force`](Self::force) is on.
/// - The address of the client's TCP connection is a loopback address.
/// - The `Host` is `localhost` or a name below it, a loopback address, or one of
///   [`hosts`](Self::hosts). Otherwise a page elsewhere, whose name resolves to this machine, could
///   read the response.
/// - No header names a client of a proxy. The peer of a proxy on this machine is loopback, too.
/// - The request comes from no page of another site, as far as the browser reports that (`Origin`,
///   `Sec-Fetch-Site`).
///
/// The page has no script and loads nothing, and its content security policy forbids both. A client
/// that prefers text or JSON gets the same content in that format. If the page cannot be made, the
/// client gets production's response.
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::extract::ConnectInfo;
/// use tower_exception::DebugPage;
///
/// let page = DebugPage::new(|head| {
///     let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
///     peer.map(|peer| peer.0.ip())
/// });
/// let page = page.hosts(["dev.example"]).sources("/home/me/app");
/// ```
#[derive(Clone, Debug)]
pub struct DebugPage {
    peer: Peer,
    forced: bool,
    hosts: Vec<String>,
    sources: Option<PathBuf>,
    appends: bool,
}

impl DebugPage {
    /// Returns a page for requests whose TCP connection comes from a loopback address. `peer`
    /// returns that address. A server has it in the request's extensions, axum for example as
    /// `ConnectInfo`.
    pub fn new(peer: impl Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self {
            peer: Peer(Arc::new(peer)),
            forced: false,
            hosts: Vec::new(),
            sources: std::env::current_dir().ok(),
            appends: false,
        }
    }

    /// Switches the page on in release builds, too, for clients with a loopback address. Default:
    /// off.
    ///
    /// **Do not use it behind a proxy**: a proxy on this machine that sets no forwarding header
    /// would show the page to all its clients.
    #[must_use]
    pub fn force(mut self) -> Self {
        self.forced = true;
        self
    }

    /// Adds names of this machine, without a port, besides `localhost`. Default: none.
    #[must_use]
    pub fn hosts<'a>(mut self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let hosts = hosts.into_iter().map(str::to_ascii_lowercase);
        self.hosts.extend(hosts);
        self
    }

    /// Sets the directory below which source files may be shown. Default: the directory that was
    /// current when the page was made.
    #[must_use]
    pub fn sources(mut self, directory: impl Into<PathBuf>) -> Self {
        self.sources = Some(directory.into());
        self
    }

    /// Switches on that the text of an error is appended to the body that was sent so far. The body
    /// then ends without an error. Default: off, the response is broken off.
    ///
    /// The text is appended only where the page would be shown, and only to `text/plain` and
    /// `text/html`. The response must not be a part (206). It must have no encoding, no length in
    /// its head, and no trailers so far.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    ///
    /// use tower_exception::{DebugPage, ExceptionLayer, to_stderr};
    ///
    /// let page = DebugPage::new(|_| Some(IpAddr::V4(Ipv4Addr::LOCALHOST))).append_traceback();
    /// let layer = ExceptionLayer::debug(to_stderr, page);
    /// ```
    #[must_use]
    pub fn append_traceback(mut self) -> Self {
        self.appends = true;
        self
    }

    /// Returns the place for snapshots of this request, if its client may see the page.
    pub(crate) fn album_for<B>(&self, request: &mut Request<B>) -> Option<Album> {
        if !self.forced && !cfg!(debug_assertions) {
            return None;
        }
        // The head is lent to user code without a copy.
        let (mut head, ()) = Request::new(()).into_parts();
        lend(request, &mut head);
        let peer = catch(|| (self.peer.0)(&head)).ok().flatten();
        let open = peer.is_some_and(|peer| lock::opens_to(peer, &head, &self.hosts));
        lend(request, &mut head);
        open.then(|| {
            let album = Album::default();
            request.extensions_mut().insert(album.clone());
            album
        })
    }

    /// Returns the response with the page, or with the page's content as text or JSON.
    pub(crate) fn page(&self, incident: &Incident) -> Rendering<Response<Full<Bytes>>> {
        let (incident, sources) = (incident.clone(), self.sources.clone());
        Rendering::start(move || response(&incident, sources.as_deref()))
    }

    /// Returns the text that is appended to the body.
    pub(crate) fn append(&self, incident: &Incident, to: Markup) -> Rendering<Bytes> {
        let (incident, sources) = (incident.clone(), self.sources.clone());
        Rendering::start(move || {
            let text = text::of(&incident, sources.as_deref());
            let text = match to {
                Markup::Html => page::fragment(&text),
                Markup::Text => format!("\n{text}"),
            };
            text.into()
        })
    }

    /// Returns the markup that may be appended to this body. There is none if the body is a part
    /// (206) or its type is no plain text or HTML.
    pub(crate) fn markup<B>(&self, response: &Response<B>) -> Option<Markup> {
        if !self.appends || response.status() == StatusCode::PARTIAL_CONTENT {
            return None;
        }
        let content_type = response.headers().get(CONTENT_TYPE)?.as_bytes();
        let essence = content_type.split(|byte| *byte == b';').next()?;
        match essence.trim_ascii().to_ascii_lowercase().as_slice() {
            b"text/plain" => Some(Markup::Text),
            b"text/html" => Some(Markup::Html),
            _ => None,
        }
    }
}

fn lend<B>(request: &mut Request<B>, head: &mut request::Parts) {
    mem::swap(request.method_mut(), &mut head.method);
    mem::swap(request.uri_mut(), &mut head.uri);
    mem::swap(request.version_mut(), &mut head.version);
    mem::swap(request.headers_mut(), &mut head.headers);
    mem::swap(request.extensions_mut(), &mut head.extensions);
}

/// Returns production's response, with another body if it is not gRPC.
fn response(incident: &Incident, sources: Option<&Path>) -> Response<Full<Bytes>> {
    let preferences = incident.preferences();
    let mut response = incident.response();
    let mut policy = "default-src 'none'".to_owned();
    let body = match preferences.format() {
        Format::Text => text::of(incident, sources),
        Format::Html => {
            let nonce = page::nonce();
            policy += &format!(
                "; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            );
            page::of(incident, sources, &nonce)
        }
        Format::Problem | Format::Json => text::json(incident, sources),
        _ => return response,
    };
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if preferences.kind() == RequestKind::Head {
        headers.insert(CONTENT_LENGTH, body.len().into());
    } else {
        *response.body_mut() = body.into();
    }
    response
}
