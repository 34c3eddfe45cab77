//! The service, from a request to its response.

use std::{
    convert::Infallible,
    io,
    pin::pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use bytes::Buf;
use http::{HeaderName, Method, Request, Response, StatusCode, Version, request::Parts};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error as ClientError;
use tokio::time::{Instant, sleep_until};
use tower_environ::MountExt;
use tower_service::Service;

use crate::{
    HostPolicy, ResponseBody, ResponseFuture, Upstream, UpstreamError,
    body::{Received, RequestBody},
    error::{BoxError, Chain, Client},
    forwarded,
    handshake::Handshake,
    headers, host,
    length::Length,
    locations::Locations,
    progress::{Progress, Upload},
    tunnel,
    upstream::Options,
};

/// The largest number of dropped headers that are logged.
const MAX_LOGGED: usize = 32;

impl<B> Service<Request<B>> for Upstream
where
    B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let options = self.options.clone();
        ResponseFuture::new(async move { options.respond(request).await })
    }
}

impl Options {
    /// Returns the upstream's response, or a rejection. If the future or the response's body is
    /// dropped, so is the connection that the request is on.
    async fn respond<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let client = Client::of(&parts);
        let handshake = Handshake::take(&mut parts, !body.is_end_stream(), &self.upgrades);
        let response = match self.to_upstream(parts, &body, handshake.as_ref()) {
            Ok((head, locations)) => {
                let progress = Progress::new();
                let body = RequestBody::new(body, progress.clone());
                self.exchange(head.map(|()| body), &progress)
                    .await
                    .and_then(|response| match handshake {
                        Some(handshake) => self.to_handshake(handshake, response, progress),
                        None => self.to_client(&client.method, response, progress),
                    })
                    .map(|mut response| {
                        if let Some(locations) = locations {
                            locations.apply(response.headers_mut());
                        }
                        response
                    })
            }
            Err(error) => Err(error),
        };
        response.unwrap_or_else(|error| {
            let allow = self.methods.as_ref().map(|methods| &methods.allow);
            error.response(&client, allow).map(ResponseBody::own)
        })
    }

    /// Returns the head of the request to the upstream, and how references in the response are
    /// mapped. The body is not read for it.
    fn to_upstream(
        &self,
        parts: Parts,
        body: &impl Body,
        handshake: Option<&Handshake>,
    ) -> Result<(Request<()>, Option<Locations>), UpstreamError> {
        if parts.method == Method::CONNECT {
            return Err(UpstreamError::NoTunnel);
        }
        if headers::is_coded(&parts.headers) {
            return Err(UpstreamError::UnknownCoding);
        }
        // DIFFERENCE: Paste responds with 400.
        if let Some(methods) = &self.methods
            && !methods.list.contains(&parts.method)
        {
            return Err(UpstreamError::MethodNotAllowed);
        }
        let named = host::of(&parts.uri, &parts.headers)?;
        let at_mount = parts.path_info().is_empty() && !parts.script_name().is_empty();
        let target = self.address.target(&parts.uri, at_mount)?;

        let forwarding = forwarded::headers(&parts, named.as_ref(), &self.trusted);
        let host = match self.host {
            HostPolicy::Client => named,
            HostPolicy::Upstream => None,
        };
        let host = host.unwrap_or_else(|| self.address.host().clone());
        let locations = self
            .maps_locations
            .then(|| Locations::new(&self.address, &forwarding, &host));
        let length = Length::of(&parts.method, &parts.headers, body);

        // It is a new request without extensions. One of them would tell the connection how to
        // write headers.
        let mut head = Request::new(());
        *head.method_mut() = parts.method;
        *head.uri_mut() = target;
        *head.version_mut() = Version::HTTP_11;
        *head.headers_mut() = parts.headers;
        let headers = head.headers_mut();
        self.log(headers::remove_ambiguous(headers, &self.passed));
        headers::to_upstream(
            headers,
            parts.version,
            forwarding,
            &self.suppressed,
            host,
            length,
            &self.via,
        );
        if let Some(handshake) = handshake {
            handshake.ask(headers);
        }
        Ok((head, locations))
    }

    /// Logs names of headers that are not passed on, each once. Clients choose the names, so there
    /// is a limit.
    fn log(&self, dropped: Vec<HeaderName>) {
        if dropped.is_empty() {
            return;
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for name in dropped {
            if logged.len() < MAX_LOGGED && !logged.contains(&name) {
                tracing::warn!(
                    %name,
                    "the header is not passed on, since servers may take its name for another's; \
                     pass_headers can name it"
                );
                logged.push(name);
            }
        }
    }

    /// Sends a request, and waits for the head of its response.
    async fn exchange(
        &self,
        request: Request<RequestBody>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let mut response = pin!(self.pool.request(request));
        let mut timer = pin!(sleep_until(progress.last().1 + self.header_timeout));
        loop {
            tokio::select! {
                biased;
                response = &mut response => {
                    return response.map_err(|error| error_of(&error, progress.last().0));
                }
                () = &mut timer => {
                    // A moving upload has no limit.
                    let (upload, since) = progress.last();
                    let deadline = since + self.header_timeout;
                    if deadline <= Instant::now() {
                        let error = match upload {
                            Upload::Awaited => UpstreamError::StalledRequest,
                            Upload::Passed | Upload::Failed => UpstreamError::HeaderTimeout,
                        };
                        tracing::warn!(timeout = ?self.header_timeout, "{error}");
                        return Err(error);
                    }
                    timer.as_mut().reset(deadline);
                }
            }
        }
    }

    /// Returns the response to a handshake. If it opens the tunnel, that begins when the client has
    /// got the response.
    fn to_handshake(
        &self,
        handshake: Handshake,
        mut response: Response<Incoming>,
        progress: Arc<Progress>,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // To a CONNECT, any 2xx would open the tunnel (RFC 9110, section 9.3.6).
            if handshake.is_connect() && response.status().is_success() {
                tracing::warn!("the upstream responds to a handshake as to any request");
                return Err(UpstreamError::NoResponse);
            }
            return self.to_client(&Method::GET, response, progress);
        }
        let chosen = handshake.chosen(response.headers()).map_err(|reason| {
            tracing::warn!(
                ?reason,
                "the upstream opens a tunnel that it was not asked for"
            );
            UpstreamError::NoResponse
        })?;
        let upstream = hyper::upgrade::on(&mut response);
        let (mut parts, body) = response.into_parts();
        if handshake.is_connect() {
            parts.status = StatusCode::OK;
        }
        headers::to_client(&mut parts.headers, &Method::GET, parts.status, &body);
        handshake.confirm(&mut parts.headers, chosen);
        parts.version = Version::HTTP_11;
        let limits = tunnel::Limits {
            opening: self.header_timeout,
            idle: self.tunnel_timeout,
            half_closed: self.idle_timeout,
        };
        tunnel::join(handshake.client, upstream, limits);
        Ok(Response::from_parts(parts, ResponseBody::default()))
    }

    fn to_client(
        &self,
        method: &Method,
        response: Response<Incoming>,
        progress: Arc<Progress>,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // `Upgrade` was not passed on (RFC 9110, section 7.8).
            tracing::warn!("the upstream opens a tunnel that it was not asked for");
            return Err(UpstreamError::NoResponse);
        }
        if headers::is_coded(response.headers()) {
            tracing::warn!("the upstream responds in a transfer coding that it was not asked for");
            return Err(UpstreamError::NoResponse);
        }
        let (mut parts, body) = response.into_parts();
        let closes = headers::closes(parts.version, &parts.headers);
        if closes && (parts.status.is_client_error() || parts.status.is_server_error()) {
            progress.pause();
        }
        parts.version = Version::HTTP_11;
        headers::to_client(&mut parts.headers, method, parts.status, &body);
        let body = Received::new(body, progress, self.idle_timeout, closes);
        Ok(Response::from_parts(parts, ResponseBody::of_upstream(body)))
    }
}

/// Returns the error that the client gets for one of the connection.
fn error_of(error: &ClientError, upload: Upload) -> UpstreamError {
    if upload == Upload::Failed {
        // The upstream has half a message, on which it must not act (RFC 9112, section 8).
        tracing::debug!(error = %Chain(error), "the client broke off");
        return UpstreamError::BrokenRequest;
    }
    let found = match (error.is_connect(), is_timeout(error)) {
        (true, true) => UpstreamError::ConnectTimeout,
        (true, false) => UpstreamError::Unreachable,
        (false, _) => UpstreamError::NoResponse,
    };
    tracing::warn!(error = %Chain(error), "{found}");
    found
}

fn is_timeout(error: &ClientError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}
