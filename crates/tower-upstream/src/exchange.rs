//! One request and its response: the choice of an upstream and of a connection, and the second
//! attempt.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header::HOST,
    uri::PathAndQuery,
};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    UpstreamError,
    body::{Limits, Received},
    connect::connect,
    connection::Lost,
    error::Chain,
    headers,
    member::{Lease, Member},
    progress::{Progress, Upload},
    request_body::RequestBody,
    upstream::Options,
};

/// The head of a request, for any of the upstreams.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    /// The client's host. `None` for that of the upstream's address.
    pub(crate) host: Option<HeaderValue>,
}

impl Head {
    /// Returns whether a request may be processed twice (RFC 9110, section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::TRACE
                | Method::PUT
                | Method::DELETE
        )
    }

    /// Returns the request to this upstream.
    fn request(self, member: &Member, body: RequestBody) -> Request<RequestBody> {
        let host = self.host.unwrap_or_else(|| member.address.host().clone());
        // It has no extensions. One of them would tell the connection how to write headers.
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from(self.target);
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(HOST, host);
        request
    }
}

impl Options {
    /// Sends a request, once or twice, and returns the response.
    ///
    /// It is sent a second time if nothing of it was sent. Otherwise only if a kept connection
    /// turns out closed before any byte of a response, the method is idempotent, and the body can
    /// be sent again. The second attempt has a new connection, which cannot be closed for that
    /// reason.
    pub(crate) async fn exchange(
        &self,
        mut head: Head,
        mut body: RequestBody,
        progress: Option<Arc<Progress>>,
    ) -> Result<Response<Received>, UpstreamError> {
        let is_idempotent = head.is_idempotent();
        let host = head.host.clone();
        let mut is_second = false;
        loop {
            // Where no second attempt follows, the system is asked about the connection.
            let mut lease = self.lease(is_second, !is_idempotent).await?;
            let is_kept = lease.is_kept();
            let spare = (is_kept && is_idempotent).then(|| head.clone());
            let request = head.request(lease.member(), body);
            let unsent = match self.attempt(&mut lease, request, progress.as_deref()).await {
                Ok(response) if spare.is_none() || !is_unasked(&response) => {
                    return self.received(response, lease, progress);
                }
                Ok(_) => None,
                Err(Lost::Broken {
                    unsent: Some(request),
                    ..
                }) if is_kept => Some(request),
                Err(lost) => match spare.is_some() && is_closed(&lost, progress.as_deref()) {
                    true => None,
                    false => return Err(self.error_of(&lost, &lease, progress.as_deref())),
                },
            };
            // This closes the connection, which hands the body back.
            drop(lease);
            tracing::debug!("a kept connection was closed; the request goes to a new one");
            (head, body) = match unsent {
                Some(request) => apart(*request, host.clone()),
                None => spare.zip(body_again(progress.as_ref())).ok_or_else(|| {
                    let found = UpstreamError::NoResponse;
                    tracing::warn!("the request is too long to be sent again: {found}");
                    found
                })?,
            };
            is_second = true;
        }
    }

    /// Chooses an upstream, and takes a connection to it. If none can be made, the next upstream
    /// is tried, since nothing has been sent.
    async fn lease(&self, only_new: bool, probe: bool) -> Result<Lease, UpstreamError> {
        let mut tried: Vec<Arc<Member>> = Vec::new();
        let mut last = UpstreamError::Unreachable;
        while let Some(member) = self.balance.choose(&tried) {
            let mut lease = Lease::new(member.clone());
            if !only_new && lease.take_kept(probe) {
                return Ok(lease);
            }
            match connect(&member.address, self.connect_timeout).await {
                Ok(connection) => {
                    lease.set_new(connection);
                    return Ok(lease);
                }
                Err(error) => {
                    member.health.fail(Instant::now());
                    last = error;
                    tried.push(member);
                }
            }
        }
        Err(last)
    }

    async fn attempt(
        &self,
        lease: &mut Lease,
        request: Request<RequestBody>,
        progress: Option<&Progress>,
    ) -> Result<Response<Incoming>, Lost> {
        let limit = self.header_timeout;
        let connection = lease.connection().expect("a lease has a connection");
        let response = connection.send(request, progress, limit).await?;
        lease.member().health.succeed();
        Ok(response)
    }

    /// Returns the error that the client gets.
    fn error_of(&self, lost: &Lost, lease: &Lease, progress: Option<&Progress>) -> UpstreamError {
        match lost {
            Lost::Late(found) => {
                tracing::warn!(timeout = ?self.header_timeout, "{found}");
                *found
            }
            Lost::Broken { error, .. } if has_failed(progress) => {
                // The upstream has half a message, on which it must not act (RFC 9112, section 8).
                tracing::debug!(error = %Chain(error), "the client broke off");
                UpstreamError::BrokenRequest
            }
            Lost::Broken {
                error, received, ..
            } => {
                if !received && !lease.is_kept() {
                    lease.member().health.fail(Instant::now());
                }
                let found = UpstreamError::NoResponse;
                tracing::warn!(error = %Chain(error), "{found}");
                found
            }
        }
    }

    /// Checks the head of a response, and ties its body to the connection.
    fn received(
        &self,
        response: Response<Incoming>,
        mut lease: Lease,
        progress: Option<Arc<Progress>>,
    ) -> Result<Response<Received>, UpstreamError> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // `Upgrade` was not passed on (RFC 9110, section 7.8).
            tracing::warn!("the upstream switches to a protocol that it was not asked for");
            return Err(UpstreamError::NoResponse);
        }
        if headers::is_coded(response.headers()) {
            tracing::warn!("the upstream responds in a transfer coding that it was not asked for");
            return Err(UpstreamError::NoResponse);
        }
        let closes = headers::closes(response.version(), response.headers());
        if let Some(progress) = &progress {
            progress.respond();
            let is_error =
                response.status().is_client_error() || response.status().is_server_error();
            if closes && is_error {
                progress.pause();
            }
            if !progress.has_ended()
                && let Some(connection) = lease.detach()
            {
                connection.spawn();
            }
        }
        let limits = Limits {
            frame: self.idle_timeout,
            keep: match closes {
                true => None,
                false => Some(self.idle_time(response.headers())),
            },
        };
        Ok(response.map(|body| Received::new(body, lease, progress, limits)))
    }

    /// Returns the time for which a connection is kept: less than the upstream does, if that is
    /// known. A second is enough for a request that is on its way.
    fn idle_time(&self, headers: &HeaderMap) -> Duration {
        const ON_ITS_WAY: Duration = Duration::from_secs(1);
        match headers::keep_alive(headers) {
            Some(stated) => self.keep_time.min(stated.saturating_sub(ON_ITS_WAY)),
            None => self.keep_time,
        }
    }
}

/// Returns whether a response was written before the request: a server that gives up on an idle
/// connection may say so, and closes it.
fn is_unasked(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::REQUEST_TIMEOUT
        && headers::closes(response.version(), response.headers())
}

/// Returns whether a connection has ended before any byte of a response, and not because of the
/// client.
fn is_closed(lost: &Lost, progress: Option<&Progress>) -> bool {
    let is_silent = matches!(
        lost,
        Lost::Broken {
            received: false,
            ..
        }
    );
    is_silent && !has_failed(progress)
}

fn has_failed(progress: Option<&Progress>) -> bool {
    progress.is_some_and(|progress| progress.last().0 == Upload::Failed)
}

/// Returns the head and the body of a request that was not sent.
fn apart(request: Request<RequestBody>, host: Option<HeaderValue>) -> (Head, RequestBody) {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().cloned();
    let head = Head {
        method: parts.method,
        target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers: parts.headers,
        host,
    };
    (head, body)
}

/// Returns the body for another attempt, if it can be sent again.
fn body_again(progress: Option<&Arc<Progress>>) -> Option<RequestBody> {
    match progress {
        None => Some(RequestBody::default()),
        Some(progress) => {
            let source = progress.again()?;
            Some(RequestBody::again(source, progress.clone()))
        }
    }
}
