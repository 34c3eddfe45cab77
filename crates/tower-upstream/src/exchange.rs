//! One request and its response: the choice of an upstream and of a connection, and the second
//! attempt.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING},
    uri::{Authority, Parts, PathAndQuery},
};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    UpstreamError,
    body::{Limits, Received},
    connection::Lost,
    error::Chain,
    headers,
    host::Hosts,
    http2::{is_reset, is_unprocessed},
    member::{Choice, Lease, Member},
    progress::{Progress, Upload},
    protocol::Spoken,
    request_body::RequestBody,
    upstream::Options,
};

/// The head of a request, for any of the upstreams.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// As for HTTP/1.
    pub(crate) headers: HeaderMap,
    /// Metadata of gRPC whose names are not plain. Only HTTP/2 passes it on.
    pub(crate) metadata: HeaderMap,
    pub(crate) host: Hosts,
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

    /// Returns the request to this upstream, in the protocol of a connection.
    pub(crate) fn request(
        self,
        member: &Member,
        spoken: Spoken,
        body: RequestBody,
    ) -> Request<RequestBody> {
        // It has no extensions. One of them would tell the connection how to write headers.
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        let host = self.host.of(&member.address);
        let headers = request.headers_mut();
        match spoken {
            Spoken::Http1 => {
                headers.insert(HOST, host);
                *request.uri_mut() = Uri::from(self.target);
                *request.version_mut() = Version::HTTP_11;
            }
            Spoken::Http2 => {
                // RFC 9113, section 8.2.2.
                headers.remove(CONNECTION);
                headers.remove(TRANSFER_ENCODING);
                headers.extend(self.metadata);
                // It is made of parts, so that `//evil` stays a path.
                let mut parts = Parts::default();
                parts.scheme = Some(member.address.scheme());
                let authority = Authority::try_from(host.as_bytes());
                parts.authority = authority
                    .ok()
                    .or_else(|| Some(member.address.authority().clone()));
                parts.path_and_query = Some(self.target);
                let uri = Uri::from_parts(parts);
                *request.uri_mut() = uri.expect("there is a scheme, an authority and a path");
                *request.version_mut() = Version::HTTP_2;
            }
        }
        request
    }
}

impl Options {
    /// Sends a request, once or twice, and returns the response.
    ///
    /// It is sent a second time if nothing of it was sent, or if the upstream says over HTTP/2 that
    /// it has not processed it, and if the body can be sent again. Otherwise only if a kept
    /// connection turns out closed before any byte of a response, and the method is idempotent. The
    /// second attempt has a new connection, which cannot be closed for that reason.
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
            let choice = match is_second {
                true => Choice::New,
                false => Choice::Any {
                    probe: !is_idempotent,
                },
            };
            let mut lease = self.lease(choice).await?;
            let (is_kept, spoken) = (lease.is_kept(), lease.spoken());
            if spoken == Spoken::Http1 {
                self.dropped.note(head.metadata.keys());
            }
            let may_repeat = match spoken {
                Spoken::Http1 => is_kept && is_idempotent,
                Spoken::Http2 => !is_second,
            };
            let spare = may_repeat.then(|| head.clone());
            let request = head.request(lease.member(), spoken, body);
            let unsent = match self.attempt(&mut lease, request, progress.as_deref()).await {
                Ok(response) if spare.is_none() || !is_unasked(&response) => {
                    return self.received(response, lease, progress);
                }
                Ok(_) => None,
                Err(Lost::Broken {
                    unsent: Some(request),
                    ..
                }) if is_kept => Some(request),
                Err(lost) => {
                    let progress = progress.as_deref();
                    let is_safe =
                        is_refused(&lost) || is_kept && is_idempotent && is_closed(&lost, progress);
                    let may_repeat = spare.is_some() && is_safe;
                    match may_repeat && (spoken == Spoken::Http1 || can_repeat(progress).await) {
                        true => None,
                        false => return Err(self.error_of(&lost, &lease, progress)),
                    }
                }
            };
            // This closes the connection, which hands the body back.
            drop(lease);
            tracing::debug!("the request was not processed, and goes to a new connection");
            (head, body) = match unsent {
                Some(request) => match spare {
                    Some(head) => (head, request.into_body()),
                    None => apart(*request, host.clone()),
                },
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
    pub(crate) async fn lease(&self, choice: Choice) -> Result<Lease, UpstreamError> {
        let mut tried: Vec<Arc<Member>> = Vec::new();
        let mut last = UpstreamError::Unreachable;
        while let Some(member) = self.balance.choose(&tried) {
            let mut lease = Lease::new(member.clone());
            if let Choice::Any { probe } = choice
                && lease.take_kept(probe)
            {
                return Ok(lease);
            }
            let connected = lease.connect(choice, self.connect_timeout, self.keep_time);
            match connected.await {
                Ok(()) => return Ok(lease),
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
        let response = match lease.place() {
            Some(place) => place.send(request, progress, limit).await?,
            None => {
                let connection = lease.connection().expect("a lease has a connection");
                connection.send(request, progress, limit).await?
            }
        };
        lease.member().health.succeed();
        Ok(response)
    }

    /// Returns the error that the client gets.
    pub(crate) fn error_of(
        &self,
        lost: &Lost,
        lease: &Lease,
        progress: Option<&Progress>,
    ) -> UpstreamError {
        match lost {
            Lost::Late(found) => {
                if *found == UpstreamError::HeaderTimeout {
                    lease.retire();
                }
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
                if !received && !lease.is_kept() && !is_reset(error) {
                    lease.member().health.fail(Instant::now());
                }
                let found = UpstreamError::NoResponse;
                tracing::warn!(error = %Chain(error), "{found}");
                found
            }
        }
    }

    /// Checks the head of a response, and ties its body to the connection.
    pub(crate) fn received(
        &self,
        response: Response<Incoming>,
        mut lease: Lease,
        progress: Option<Arc<Progress>>,
    ) -> Result<Response<Received>, UpstreamError> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // `Upgrade` was not passed on (RFC 9110, section 7.8).
            tracing::warn!("the upstream opens a tunnel that it was not asked for");
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
            error,
            ..
        } if !is_reset(error)
    );
    is_silent && !has_failed(progress)
}

/// Returns whether the upstream says that it has not processed the request.
fn is_refused(lost: &Lost) -> bool {
    matches!(lost, Lost::Broken { error, .. } if is_unprocessed(error))
}

/// Waits until the connection has handed back the client's body, and returns whether it can be sent
/// again.
async fn can_repeat(progress: Option<&Progress>) -> bool {
    let Some(progress) = progress else {
        return true;
    };
    // The connection drops it when it learns of the same end.
    let ended = tokio::time::timeout(Duration::from_secs(1), progress.ended()).await;
    ended.is_ok() && progress.can_repeat()
}

fn has_failed(progress: Option<&Progress>) -> bool {
    progress.is_some_and(|progress| progress.last().0 == Upload::Failed)
}

/// Returns the head and the body of a request that was not sent.
fn apart(request: Request<RequestBody>, host: Hosts) -> (Head, RequestBody) {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().cloned();
    let head = Head {
        method: parts.method,
        target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers: parts.headers,
        metadata: HeaderMap::new(),
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
