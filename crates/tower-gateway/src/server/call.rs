//! The story of one request: the service is called, and its response leaves.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER},
    response::Parts,
};
use http_body::Body;
use tower_kit::{
    Preferences, Rejection,
    content::{RequestKind, announce_length, content_length},
    guard::{catch_future, message},
};
use tower_service::Service;

use super::{
    frames::LARGEST,
    outlet::{Gone, Outlet},
    request_body::RequestBody,
};
use crate::{
    error::{BoxError, Chain},
    fault::Fault,
    one_hop,
};

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The response has left as a whole.
    Done,
    /// The response has begun, and cannot be completed.
    Broken,
    /// The connection is gone.
    Gone,
}

/// The reason why a response cannot be sent, or not to its end.
enum Failure {
    Gone,
    /// The service has failed, as the text states.
    Service(String),
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Calls the service, and sends its response. If the service fails before its response has begun,
/// the response is a 500.
pub(crate) async fn run<S, B>(
    service: S,
    request: Request<RequestBody>,
    outlet: Outlet,
    keeps_location: bool,
) -> Ended
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    let preferences = Preferences::from(&request);
    let mut has_begun = false;
    let responding = respond(service, request, &outlet, keeps_location, &mut has_begun);
    let failure = match catch_future(responding).await {
        Ok(Ok(())) => return Ended::Done,
        Ok(Err(Failure::Gone)) => return Ended::Gone,
        Ok(Err(Failure::Service(text))) => text,
        Err(panic) => match message(panic.value()) {
            Some(message) => format!("a panic: {message}"),
            None => "a panic".to_owned(),
        },
    };
    if has_begun {
        tracing::error!(error = failure, "the response breaks off");
        return Ended::Broken;
    }
    tracing::error!(
        error = failure,
        "the service has failed: the client gets a 500"
    );
    let (head, content) = rejection(Fault::Failed, preferences);
    match outlet.send(Some(&head), content, true).await {
        Ok(()) => Ended::Done,
        Err(Gone) => Ended::Gone,
    }
}

async fn respond<S, B>(
    mut service: S,
    request: Request<RequestBody>,
    outlet: &Outlet,
    keeps_location: bool,
    has_begun: &mut bool,
) -> Result<(), Failure>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let failed = |error: BoxError| Failure::Service(Chain(&*error).to_string());
    let kind = RequestKind::of(request.method());
    let ready = poll_fn(|cx| service.poll_ready(cx).map_err(Into::into));
    ready.await.map_err(failed)?;
    let response = service.call(request).await.map_err(Into::into);
    // A clone of a service may hold a permit.
    drop(service);
    let (mut head, body) = response.map_err(failed)?.into_parts();
    let length = fit(&mut head, &body, kind, keeps_location).map_err(Failure::Service)?;
    if !kind.has_content(head.status) {
        drop(body);
        *has_begun = true;
        return Ok(outlet.send(Some(&head), Bytes::new(), true).await?);
    }
    send(pin!(body), head, length, outlet, has_begun).await
}

/// Sends the head and the content. The head waits for the first piece, if that is there at once.
async fn send<B>(
    mut body: Pin<&mut B>,
    head: Parts,
    length: Option<u64>,
    outlet: &Outlet,
    has_begun: &mut bool,
) -> Result<(), Failure>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut head = Some(head);
    let mut left = length;
    loop {
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending if head.is_none() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        let Some(frame) = frame.await else {
            *has_begun = true;
            outlet
                .send(head.take().as_ref(), Bytes::new(), false)
                .await?;
            continue;
        };
        let frame = frame
            .transpose()
            .map_err(|error| Failure::Service(Chain(&*error.into()).to_string()))?;
        let is_end = frame.is_none() || body.is_end_stream();
        // Trailers have no place in these protocols.
        let mut data = frame
            .and_then(|frame| frame.into_data().ok())
            .unwrap_or_default();
        if let Some(left) = &mut left {
            let Some(rest) = left.checked_sub(data.len() as u64) else {
                return Err(Failure::Service(
                    "the body is longer than Content-Length".to_owned(),
                ));
            };
            *left = rest;
            if is_end && rest > 0 {
                return Err(Failure::Service(
                    "the body is shorter than Content-Length".to_owned(),
                ));
            }
        }
        while data.len() > LARGEST {
            *has_begun = true;
            outlet
                .send(head.take().as_ref(), data.split_to(LARGEST), false)
                .await?;
        }
        if is_end || !data.is_empty() {
            *has_begun = true;
            outlet.send(head.take().as_ref(), data, is_end).await?;
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Makes a head one that web servers take, and returns the length of the content.
///
/// # Errors
///
/// Returns the reason why there is no such head.
fn fit<B: Body>(
    head: &mut Parts,
    body: &B,
    kind: RequestKind,
    keeps_location: bool,
) -> Result<Option<u64>, String> {
    let (status, headers) = (head.status, &mut head.headers);
    if status.is_informational() {
        return Err(format!("a {} is no final response", status.as_u16()));
    }
    one_hop::remove_from_response(headers);
    if status == StatusCode::OK && !keeps_location {
        // Apache takes it for a redirect. It has no meaning at this status.
        headers.remove(LOCATION);
    }
    let stated = content_length(headers);
    if stated.is_none() && headers.contains_key(CONTENT_LENGTH) {
        return Err("Content-Length is not one number".to_owned());
    }
    if kind.has_content(status) {
        let exact = body.size_hint().exact();
        if let (Some(stated), Some(exact)) = (stated, exact)
            && stated != exact
        {
            return Err(format!(
                "Content-Length is {stated}, and the body has {exact} bytes"
            ));
        }
        let length = stated.or(exact);
        if let Some(length) = length {
            if headers.get_all(CONTENT_LENGTH).iter().count() != 1 {
                headers.insert(CONTENT_LENGTH, length.into());
            }
        } else if is_event_stream(headers.get(CONTENT_TYPE)) {
            headers
                .entry(ACCEL_BUFFERING)
                .or_insert(HeaderValue::from_static("no"));
        }
        return Ok(length);
    }
    match status {
        // Frameworks state the length of the content that is missing here (RFC 9110, section 8.6).
        StatusCode::NOT_MODIFIED if stated == Some(0) => _ = headers.remove(CONTENT_LENGTH),
        StatusCode::NOT_MODIFIED => {}
        StatusCode::NO_CONTENT => _ = headers.remove(CONTENT_LENGTH),
        // RFC 9110, section 15.3.6.
        StatusCode::RESET_CONTENT => _ = headers.insert(CONTENT_LENGTH, 0.into()),
        _ => announce_length(status, headers, body),
    }
    Ok(None)
}

fn is_event_stream(content_type: Option<&HeaderValue>) -> bool {
    let content_type = content_type.map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = content_type.split(|byte| *byte == b';').next();
    essence.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

/// Returns the head and the content of a rejection.
pub(crate) fn rejection(fault: Fault, preferences: Preferences) -> (Parts, Bytes) {
    let mut rejection = Rejection::new(fault.status(), fault).with_detail(fault.detail());
    if fault == Fault::Overloaded {
        rejection = rejection.with_header(RETRY_AFTER, 1.into());
    }
    let (head, mut body) = rejection.response_for(preferences).into_parts();
    let mut cx = Context::from_waker(Waker::noop());
    // The content of a rejection is there as a whole.
    let content = match Pin::new(&mut body).poll_frame(&mut cx) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        Poll::Ready(_) | Poll::Pending => Bytes::new(),
    };
    (head, content)
}
