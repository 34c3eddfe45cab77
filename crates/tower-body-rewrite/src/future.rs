use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_kit::content::content_length;
use tower_service::Service;

use crate::{
    EmptyBody, ResponseBody, Rewriter, Tag, adapt_headers,
    asked::{Asked, Treatment},
    body::Rewriting,
    headers::adapt_outcome,
};

pin_project! {
    /// The future of [`Rewrite`](crate::Rewrite).
    pub struct ResponseFuture<S: Service<Request<B>>, B, R> {
        #[pin]
        turn: Turn<S, B>,
        // `None` if the response passes unchanged in any case.
        asked: Option<Asked<R>>,
        again: Option<Box<Again<S, B>>>,
        // The first response, if it may stand. It is boxed, because few requests have one.
        first: Option<Box<S::Response>>,
    }
}

pin_project! {
    #[project = TurnProj]
    enum Turn<S: Service<Request<B>>, B> {
        Calling { #[pin] future: S::Future },
        // The service is made ready for the second call.
        GettingReady { again: Box<Again<S, B>> },
    }
}

/// The second call of the inner service, without content.
pub(crate) struct Again<S, B> {
    service: S,
    request: Option<Request<B>>,
}

impl<S, B: EmptyBody> Again<S, B> {
    pub(crate) fn new(service: S, head: Request<()>) -> Box<Self> {
        Box::new(Self {
            service,
            request: Some(head.map(|()| B::empty())),
        })
    }
}

impl<S: Service<Request<B>>, B> Again<S, B> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Future, S::Error>> {
        ready!(self.service.poll_ready(cx))?;
        let request = self.request.take().expect("the request is sent once");
        Poll::Ready(Ok(self.service.call(request)))
    }
}

impl<S: Service<Request<B>>, B, R> ResponseFuture<S, B, R> {
    #[inline]
    pub(crate) fn new(
        future: S::Future,
        asked: Option<Asked<R>>,
        again: Option<Box<Again<S, B>>>,
    ) -> Self {
        Self {
            turn: Turn::Calling { future },
            asked,
            again,
            first: None,
        }
    }
}

impl<S, B, R, ResBody> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
    R: Rewriter,
{
    type Output = Result<Response<ResponseBody<ResBody, R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let future = match this.turn.as_mut().project() {
                TurnProj::Calling { future } => future,
                TurnProj::GettingReady { again } => {
                    match (ready!(again.poll(cx)), this.first.take()) {
                        (Ok(future), first) => {
                            *this.first = first;
                            this.turn.set(Turn::Calling { future });
                            continue;
                        }
                        (Err(error), first) => return Poll::Ready(stands_or(first, error)),
                    }
                }
            };
            let is_alone = this.first.is_none();
            let passes = |response: &_| {
                is_alone && (this.asked.as_ref()).is_none_or(|asked| asked.passes(response))
            };
            let response = match future.poll(cx) {
                // From where it was returned, because most responses pass (`stack/five-layers`).
                Poll::Ready(Ok(response)) if passes(&response) => {
                    return Poll::Ready(Ok(response.map(ResponseBody::untouched)));
                }
                Poll::Ready(Ok(response)) => response,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(stands_or(this.first.take(), error));
                }
                Poll::Pending => return Poll::Pending,
            };
            let (head, body) = response.into_parts();
            let treatment = match this.asked {
                None => Treatment::Untouched,
                Some(asked) => asked.treat(&head, this.again.is_some()),
            };
            let to_be_sure = matches!(treatment, Treatment::AskAgainToBeSure);
            if let Treatment::AskAgain | Treatment::AskAgainToBeSure = treatment
                && let Some(again) = this.again.take()
            {
                // A response that is not kept is dropped before the service is made ready.
                *this.first = to_be_sure.then(|| Box::new(Response::from_parts(head, body)));
                this.turn.set(Turn::GettingReady { again });
                continue;
            }
            let response = match (treatment, this.first.take()) {
                (Treatment::Untouched, Some(first)) => first.map(ResponseBody::untouched),
                (treatment, _) => treat(treatment, head, body, cx),
            };
            return Poll::Ready(Ok(response));
        }
    }
}

/// Returns a first response that may stand, or otherwise the error of the second call.
fn stands_or<B: Body, R, E>(
    first: Option<Box<Response<B>>>,
    error: E,
) -> Result<Response<ResponseBody<B, R>>, E> {
    first
        .map(|first| first.map(ResponseBody::untouched))
        .ok_or(error)
}

fn treat<B, R>(
    treatment: Treatment<R>,
    mut head: response::Parts,
    body: B,
    cx: &mut Context<'_>,
) -> Response<ResponseBody<B, R>>
where
    B: Body<Data = Bytes>,
    R: Rewriter,
{
    let body = match treatment {
        Treatment::Untouched | Treatment::AskAgain | Treatment::AskAgainToBeSure => {
            ResponseBody::untouched(body)
        }
        Treatment::HeadersOnly(rewriter, tag) => {
            if head.status == StatusCode::NOT_MODIFIED {
                adapt_headers(&mut head.headers, None, tag);
                ResponseBody::of_not_modified()
            } else {
                let length = content_length(&head.headers);
                let length = length.and_then(|length| rewriter.new_length(length));
                adapt_headers(&mut head.headers, length, tag);
                ResponseBody::of_head()
            }
        }
        Treatment::Rewritten(rewriter, tag) => {
            let (body, length) = rewrite(rewriter, tag, &head.headers, body, cx);
            adapt_headers(&mut head.headers, length, tag);
            body
        }
        Treatment::Outcome(rewriter) => {
            let (body, length) = rewrite(rewriter, None, &head.headers, body, cx);
            adapt_outcome(&mut head.headers, length);
            body
        }
    };
    Response::from_parts(head, body)
}

/// Returns the new body, and its length if it is known.
fn rewrite<B, R>(
    rewriter: R,
    tag: Option<Tag>,
    headers: &HeaderMap,
    body: B,
    cx: &mut Context<'_>,
) -> (ResponseBody<B, R>, Option<u64>)
where
    B: Body<Data = Bytes>,
    R: Rewriter,
{
    let length = content_length(headers);
    let length = length.and_then(|length| rewriter.new_length(length));
    let mut rewriting = Box::pin(Rewriting::new(body, rewriter, tag));
    let at_once = rewriting.as_mut().read_ahead(cx);
    (ResponseBody::rewritten(rewriting), at_once.or(length))
}

impl<S: Service<Request<B>>, B, R> fmt::Debug for ResponseFuture<S, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
