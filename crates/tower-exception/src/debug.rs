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
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS},
    request,
};

pub(crate) use self::rendering::Rendering;
use crate::{
    Incident,
    answer::{self, Form},
    grpc,
    guard::catch,
    snapshot::Album,
};

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

    /// The page, or one of its other forms.
    pub(crate) fn page(&self, incident: &Incident) -> Rendering<Response<Bytes>> {
        let (incident, sources) = (incident.clone(), self.sources.clone());
        Rendering::start(move || answer(&incident, sources.as_deref()))
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
        match grpc::essence(content_type).to_ascii_lowercase().as_slice() {
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

fn answer(incident: &Incident, sources: Option<&Path>) -> Response<Bytes> {
    let form = Form::of(incident);
    let (body, policy) = match form {
        Form::Html => {
            let nonce = page::nonce();
            let policy = format!(
                "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            );
            (page::of(incident, sources, &nonce), policy)
        }
        Form::Text => (text::of(incident, sources), "default-src 'none'".to_owned()),
        Form::Problem | Form::Json => (
            text::json(incident, sources),
            "default-src 'none'".to_owned(),
        ),
        Form::Grpc => return answer::production(incident),
    };
    let mut response = answer::response(incident, form, body.into());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}
