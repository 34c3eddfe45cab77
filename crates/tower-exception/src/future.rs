use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

#[cfg(feature = "debug")]
use crate::debug::Rendering;
use crate::{
    BoxError, Incident, Phase, ResponseBody, answer,
    body::{Appends, Failure, Place, ReadAhead},
    guard::{catch, discard},
    incident::Cause,
    watch::Watch,
};

pin_project! {
    /// The future of [`Exception`](crate::Exception).
    pub struct ResponseFuture<F> {
        #[pin]
        future: Inner<F>,
        // Until there is a response or an incident.
        watch: Option<Watch>,
        failed: Option<Failed>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(watch) = this.watch
                && let Err(panic) = catch(|| this.future.set(Inner::Gone))
            {
                watch.incident(Phase::Drop, false, Cause::Panic(panic));
            }
        }
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<F> {
        Here { #[pin] future: F },
        Gone,
    }
}

/// An incident that takes the place of the response.
struct Failed {
    incident: Incident,
    #[cfg(feature = "debug")]
    page: Option<Rendering<Response<Bytes>>>,
}

impl Failed {
    fn new(incident: Incident, watch: &Watch) -> Self {
        #[cfg(not(feature = "debug"))]
        let _ = watch;
        Self {
            #[cfg(feature = "debug")]
            page: watch.debug().map(|debug| debug.page(&incident)),
            incident,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<Bytes>> {
        #[cfg(feature = "debug")]
        if let Some(page) = &mut self.page
            && let Some(page) = ready!(page.poll(cx))
        {
            return Poll::Ready(page);
        }
        #[cfg(not(feature = "debug"))]
        let _ = cx;
        Poll::Ready(answer::production(&self.incident))
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn running(future: F, watch: Watch) -> Self {
        Self {
            future: Inner::Here { future },
            watch: Some(watch),
            failed: None,
        }
    }

    pub(crate) fn failed(phase: Phase, cause: Cause, watch: &Watch) -> Self {
        let incident = watch.incident(phase, false, cause);
        Self {
            future: Inner::Gone,
            watch: None,
            failed: Some(Failed::new(incident, watch)),
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let InnerProj::Here { future } = this.future.as_mut().project() {
            let failure = match catch(|| future.poll(cx)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => {
                    let dropped = catch(|| this.future.set(Inner::Gone));
                    let watch = watch(this.watch);
                    if let Err(panic) = dropped {
                        // The answer stands.
                        watch.incident(Phase::Drop, false, Cause::Panic(panic));
                    }
                    match begin(response, watch, cx) {
                        Ok(response) => return Poll::Ready(Ok(response)),
                        Err(failed) => {
                            *this.failed = Some(failed);
                            None
                        }
                    }
                }
                Ok(Poll::Ready(Err(error))) => Some(match catch(|| error.into()) {
                    Ok(error) => Failure::of(error),
                    Err(panic) => Failure::New(Cause::Panic(panic)),
                }),
                Err(panic) => Some(Failure::New(Cause::Panic(panic))),
            };
            if let Some(failure) = failure {
                // After a panic its `Drop` may well panic, too, which is the same incident.
                let _ = catch(|| this.future.set(Inner::Gone));
                let watch = watch(this.watch);
                let incident = match failure {
                    Failure::Told(incident) => incident,
                    Failure::New(cause) => watch.incident(Phase::Future, false, cause),
                };
                *this.failed = Some(Failed::new(incident, &watch));
            }
        }
        let failed = this.failed.as_mut();
        let failed = failed.expect("a future is not polled after it has given its response");
        let response = ready!(failed.poll(cx));
        *this.failed = None;
        Poll::Ready(Ok(response.map(ResponseBody::own)))
    }
}

fn watch(watch: &mut Option<Watch>) -> Watch {
    watch.take().expect("it is there as long as the future is")
}

/// Before the head goes out the body is asked once, without waiting: what fails at once can still become a 500.
fn begin<B>(
    response: Response<B>,
    watch: Watch,
    cx: &mut Context<'_>,
) -> Result<Response<ResponseBody<B>>, Failed>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    #[cfg(feature = "debug")]
    let appends = match watch.debug() {
        Some(debug) => debug.appends_to(&response),
        None => Appends::Nothing,
    };
    #[cfg(not(feature = "debug"))]
    let appends = Appends::Nothing;
    // One that knows its length has it at hand, most often, and would have to move into a box for this.
    let asked = has_content(watch.method(), response.status())
        .then(|| catch(|| response.body().size_hint().exact()));
    let (head, begun) = match asked {
        None | Some(Ok(Some(_))) => {
            let here = |body| ResponseBody::inner(Place::Here { body }, watch, appends);
            return Ok(response.map(here));
        }
        Some(Ok(None)) => {
            let (head, body) = response.into_parts();
            (head, read_first(body, cx))
        }
        Some(Err(panic)) => {
            let (head, body) = response.into_parts();
            discard(body);
            (head, Err(Failure::New(Cause::Panic(panic))))
        }
    };
    match begun {
        Ok(place) => {
            let body = ResponseBody::inner(place, watch, appends);
            Ok(Response::from_parts(head, body))
        }
        Err(failure) => {
            let incident = match failure {
                Failure::Told(incident) => incident,
                Failure::New(cause) => watch.incident(Phase::Body, false, cause),
            };
            discard(head);
            Err(Failed::new(incident, &watch))
        }
    }
}

fn read_first<B>(body: B, cx: &mut Context<'_>) -> Result<Place<B>, Failure>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = Box::pin(ReadAhead::new(body));
    match body.as_mut().read_first(cx) {
        Ok(()) => Ok(Place::Boxed { body }),
        Err(failure) => {
            discard(body);
            Err(failure)
        }
    }
}

/// Whether the response has content, so that a 500 could have taken its place (RFC 9110, section 6.4.1).
fn has_content(method: &Method, status: StatusCode) -> bool {
    let none = matches!(*method, Method::HEAD | Method::CONNECT)
        || status.is_informational()
        || matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
    !none
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
