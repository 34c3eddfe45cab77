//! One request and its response: the choice of an upstream and of a connection, and the second
//! attempt.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower_kit::content::RequestKind;

use crate::{
    ResponseBody, UpstreamError,
    body::{Limits, Received},
    connection::Lost,
    error::Chain,
    fields::Fields,
    headers,
    http2::{is_reset, is_unprocessed},
    member::{Choice, Lease, Member},
    outgoing::{Head, Outgoing},
    persistence::{Persistence, take_connection},
    progress::{Progress, Upload},
    protocol::Spoken,
    upstream::Options,
    written,
};

/// What the head of a second attempt is made of.
enum Spare {
    /// There is no second attempt.
    None,
    /// The connection keeps what it writes.
    Written,
    Copy(Box<Head>),
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
        outgoing: &mut Outgoing,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let is_idempotent = outgoing.head.is_idempotent();
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
                outgoing.drop_metadata(&self.dropped);
            }
            let may_repeat = match spoken {
                Spoken::Http1 => is_kept && is_idempotent,
                Spoken::Http2 => !is_second,
            };
            let spare = match may_repeat {
                true => spare(outgoing, &lease),
                false => Spare::None,
            };
            let lost = match self.attempt(&mut lease, outgoing).await {
                Ok(response) if !may_repeat || !is_unasked(&response) => {
                    return self.received(response, lease, outgoing);
                }
                Ok(_) => None,
                Err(lost) => Some(lost),
            };
            let lost = lost.map(Box::new);
            Box::pin(self.restore(outgoing, lease, lost, spare)).await?;
            tracing::debug!("the request was not processed, and goes to a new connection");
            is_second = true;
        }
    }

    /// Makes a request whole again, if it may be sent a second time. `None` was lost if the
    /// response was no response to it.
    async fn restore(
        &self,
        outgoing: &mut Outgoing,
        lease: Lease,
        lost: Option<Box<Lost>>,
        spare: Spare,
    ) -> Result<(), UpstreamError> {
        let (is_kept, spoken) = (lease.is_kept(), lease.spoken());
        let progress = outgoing.progress.clone();
        let progress = progress.as_deref();
        let mut unsent = None;
        match lost.map(|lost| *lost) {
            None => {}
            Some(Lost::Broken {
                unsent: Some(request),
                ..
            }) if is_kept => unsent = Some(request),
            Some(lost) => {
                let is_safe = is_refused(&lost)
                    || is_kept && outgoing.head.is_idempotent() && is_closed(&lost, progress);
                let may_repeat = is_safe && !matches!(spare, Spare::None);
                if !may_repeat || spoken == Spoken::Http2 && !can_repeat(progress).await {
                    return Err(self.error_of(&lost, &lease, progress));
                }
            }
        }
        let written = match spare {
            Spare::Written if unsent.is_none() => lease.take_written(),
            _ => None,
        };
        // This closes the connection, which hands the body back.
        drop(lease);
        let is_unsent = unsent.is_some();
        if let Some(request) = unsent {
            outgoing.put_back(*request);
        }
        let head = match spare {
            Spare::Copy(head) => Some(*head),
            _ if is_unsent => return Ok(()),
            Spare::Written | Spare::None => written.and_then(|written| written::head(&written)),
        };
        if let Some(head) = head
            && (is_unsent || outgoing.body_again())
        {
            outgoing.head = head;
            return Ok(());
        }
        let found = UpstreamError::NoResponse;
        tracing::warn!("the request is too long to be sent again: {found}");
        Err(found)
    }

    /// Chooses an upstream, and takes a connection to it. If none can be made, the next upstream
    /// is tried, since nothing has been sent.
    pub(crate) async fn lease(&self, choice: Choice) -> Result<Lease, UpstreamError> {
        let mut tried: Vec<Arc<Member>> = Vec::new();
        let mut last = UpstreamError::Unreachable;
        while let Some(member) = self.balance.choose(&tried) {
            let mut lease = Lease::new(member);
            if let Choice::Any { probe } = choice
                && lease.take_kept(probe)
            {
                return Ok(lease);
            }
            // In a box, since few requests need a connection, and all have the size of this.
            let connected = lease.connect(choice, self.connect_timeout, self.keep_time);
            match Box::pin(connected).await {
                Ok(()) => return Ok(lease),
                Err(error) => {
                    lease.member().health.fail(Instant::now());
                    last = error;
                    tried.push(lease.member().clone());
                }
            }
        }
        Err(last)
    }

    async fn attempt(
        &self,
        lease: &mut Lease,
        outgoing: &mut Outgoing,
    ) -> Result<Response<Incoming>, Lost> {
        let request = outgoing.take_request(lease.member(), lease.spoken());
        let progress = outgoing.progress.as_deref();
        let limit = self.header_timeout;
        let response = match lease.place() {
            Some(place) => Box::pin(place.send(request, progress, limit)).await?,
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

    /// Checks the head of a response, and changes it into that for the client. Its body is tied to
    /// the connection.
    pub(crate) fn received(
        &self,
        response: Response<Incoming>,
        mut lease: Lease,
        outgoing: &mut Outgoing,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        let progress = outgoing.progress.take();
        let (mut head, body) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // `Upgrade` was not passed on (RFC 9110, section 7.8).
            tracing::warn!("the upstream opens a tunnel that it was not asked for");
            return Err(UpstreamError::NoResponse);
        }
        let fields = Fields::of(&head.headers);
        if fields.have(Fields::TRANSFER_ENCODING) && headers::is_coded(&head.headers) {
            tracing::warn!("the upstream responds in a transfer coding that it was not asked for");
            return Err(UpstreamError::NoResponse);
        }
        let idle_time = self.idle_time(&head.headers, fields);
        let persistence = match fields.have(Fields::CONNECTION) {
            true => take_connection(&mut head.headers),
            false => Persistence::default(),
        };
        let closes = persistence.closes(head.version);
        if let Some(progress) = &progress {
            progress.respond();
            let is_error = head.status.is_client_error() || head.status.is_server_error();
            if closes && is_error {
                progress.pause();
            }
            if !progress.has_ended()
                && let Some(connection) = lease.detach()
            {
                connection.spawn();
            }
        }
        let method = &outgoing.client.method;
        if let Some(connection) = lease.connection() {
            let kind = RequestKind::of(method);
            connection.doubt(!kind.has_content(head.status));
        }
        headers::to_client(&mut head.headers, fields, method, head.status, &body);
        head.version = Version::HTTP_11;
        let limits = Limits {
            frame: self.idle_timeout,
            keep: (!closes).then_some(idle_time),
        };
        let body = Received::new(body, lease, progress, limits);
        Ok(Response::from_parts(head, ResponseBody::of_upstream(body)))
    }

    /// Returns the time for which a connection is kept: less than the upstream does, if that is
    /// known. A second is enough for a request that is on its way.
    fn idle_time(&self, headers: &HeaderMap, fields: Fields) -> Duration {
        const ON_ITS_WAY: Duration = Duration::from_secs(1);
        let stated = fields
            .have(Fields::OURS)
            .then(|| headers::keep_alive(headers));
        match stated.flatten() {
            Some(stated) => self.keep_time.min(stated.saturating_sub(ON_ITS_WAY)),
            None => self.keep_time,
        }
    }
}

/// Returns whether a response was written before the request: a server that gives up on an idle
/// connection may say so, and closes it.
fn is_unasked(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::REQUEST_TIMEOUT
        && Persistence::of(response.headers()).closes(response.version())
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

/// Returns what the head of a second attempt will be made of.
fn spare(outgoing: &Outgoing, lease: &Lease) -> Spare {
    let is_head_alone = outgoing.progress.is_none() && outgoing.head.metadata.is_none();
    if lease.spoken() == Spoken::Http1 && is_head_alone {
        lease.keep_written();
        return Spare::Written;
    }
    Spare::Copy(Box::new(outgoing.head.clone()))
}
