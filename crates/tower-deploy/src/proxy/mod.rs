//! The app `proxy`: passes requests on to another HTTP server, by TCP or through a Unix socket.
//!
//! It speaks HTTP/1.1 to the upstream, whatever the client speaks, streams both ways, and sends no request twice.
//!
//! It is Paste's `make_proxy`, with its names of settings. DIFFERENCE: Paste reads both bodies into memory, and passes hop-by-hop headers and
//! X-Forwarded-* on as the client has sent them.

mod body;
mod connect;
mod error;
mod forwarded;
mod headers;
mod host;
mod length;
mod names;
mod service;
mod settings;
mod upstream;

use std::{convert::Infallible, sync::Arc};

use http::Request;
use tower::service_fn;

use crate::{App, Body, BoxError, Settings};

use self::{service::Proxy, settings::ProxySettings};

/// The factory.
pub(crate) fn app(_global: &Settings, settings: ProxySettings) -> Result<App, BoxError> {
    let proxy = Arc::new(Proxy::new(settings));
    Ok(App::new(service_fn(move |request: Request<Body>| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.answer(request).await) }
    })))
}
