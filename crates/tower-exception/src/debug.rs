//! What a developer sees instead of the id: who may see it, and how it is made.

mod lock;
mod page;
mod rendering;
mod source;
mod text;

use std::{
    mem,
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

type Peer = dyn Fn(&request::Parts) -> Option<IpAddr> + Send + Sync;

/// What `ExceptionLayer::debug` was told.
#[derive(Clone)]
pub(crate) struct Debug {
    peer: Arc<Peer>,
    pub(crate) forced: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) sources: Option<PathBuf>,
    pub(crate) appends: bool,
}

impl Debug {
    pub(crate) fn new(
        peer: impl Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self {
            peer: Arc::new(peer),
            forced: false,
            hosts: Vec::new(),
            sources: std::env::current_dir().ok(),
            appends: false,
        }
    }

    /// Where the snapshots of this request go, if its client may see the page.
    pub(crate) fn album_for<B>(&self, request: &mut Request<B>) -> Option<Album> {
        if !self.forced && !cfg!(debug_assertions) {
            return None;
        }
        // The head as it is, lent to somebody else's function.
        let (mut head, ()) = Request::new(()).into_parts();
        lend(request, &mut head);
        let peer = catch(|| (self.peer)(&head)).ok().flatten();
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

    /// Returns the text that follows what was sent.
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
