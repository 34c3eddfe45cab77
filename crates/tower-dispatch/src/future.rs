use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{ResponseBody, attempt::Attempt};

pin_project! {
    /// The future of [`Dispatch`](crate::Dispatch).
    pub struct ResponseFuture<E, B>
    where
        E: Service<Request<B>>,
    {
        #[pin]
        state: State<E, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<E, B>
    where
        E: Service<Request<B>>,
    {
        Endpoint { #[pin] attempt: Attempt<E, B>, head_by_get: bool },
        // In a box, since all requests move this.
        Refused { response: Option<Box<Response<Bytes>>> },
    }
}

impl<E, B> ResponseFuture<E, B>
where
    E: Service<Request<B>>,
{
    #[inline]
    pub(crate) fn endpoint(endpoint: E, request: Request<B>, head_by_get: bool) -> Self {
        Self {
            state: State::Endpoint {
                attempt: Attempt::new(endpoint, request),
                head_by_get,
            },
        }
    }

    pub(crate) fn refused(response: Response<Bytes>) -> Self {
        Self {
            state: State::Refused {
                response: Some(Box::new(response)),
            },
        }
    }

    /// The response, with the body's type widened to what a layer may answer.
    #[inline]
    pub(crate) fn poll_response<S, ResBody>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<ResBody, S>>, E::Error>>
    where
        E: Service<Request<B>, Response = Response<ResBody>>,
        ResBody: Body,
    {
        Poll::Ready(Ok(match self.project().state.project() {
            StateProj::Endpoint {
                attempt,
                head_by_get,
            } => {
                let response = ready!(attempt.poll(cx))?;
                if *head_by_get {
                    without_body(response)
                } else {
                    response.map(ResponseBody::endpoint)
                }
            }
            StateProj::Refused { response } => response
                .take()
                .expect("a future is not polled after it is done")
                .map(ResponseBody::own),
        }))
    }
}

/// Takes off a body that was made for GET, and keeps what it says of its length (RFC 9110, section 9.3.2).
fn without_body<E: Body, S>(response: Response<E>) -> Response<ResponseBody<E, S>> {
    let (mut parts, body) = response.into_parts();
    let has_no_length = parts.headers.contains_key(CONTENT_LENGTH)
        || parts.headers.contains_key(TRANSFER_ENCODING)
        || parts.status.is_informational()
        || matches!(
            parts.status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
    // An endpoint that has taken the body off by itself leaves none, whatever GET would have had.
    let length = body.size_hint().exact().filter(|length| *length > 0);
    if let (false, Some(length)) = (has_no_length, length) {
        parts
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, ResponseBody::own(Bytes::new()))
}

impl<E, B, ResBody> Future for ResponseFuture<E, B>
where
    E: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<ResBody>>, E::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_response(cx)
    }
}

impl<E, B> fmt::Debug for ResponseFuture<E, B>
where
    E: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
