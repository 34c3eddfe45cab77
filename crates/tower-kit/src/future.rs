use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::EitherBody;

pin_project! {
    /// The future of a layer that may respond itself: the inner future, or the layer's own
    /// response.
    ///
    /// ```
    /// use std::task::{Context, Poll};
    ///
    /// use http::{Request, Response, StatusCode};
    /// use tower::Service;
    /// use tower_kit::{EitherBody, EitherFuture, Rejection};
    ///
    /// /// Responds with 404 to `/secret`, and calls the inner service for all other paths.
    /// struct Hide<S>(S);
    ///
    /// impl<S, B, ResBody> Service<Request<B>> for Hide<S>
    /// where
    ///     S: Service<Request<B>, Response = Response<ResBody>>,
    /// {
    ///     type Response = Response<EitherBody<ResBody>>;
    ///     type Error = S::Error;
    ///     type Future = EitherFuture<S::Future>;
    ///
    ///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
    ///         self.0.poll_ready(cx)
    ///     }
    ///
    ///     fn call(&mut self, request: Request<B>) -> Self::Future {
    ///         if request.uri().path() != "/secret" {
    ///             return EitherFuture::inner(self.0.call(request));
    ///         }
    ///         let error = std::io::Error::other("it is hidden");
    ///         let rejection = Rejection::new(StatusCode::NOT_FOUND, error);
    ///         EitherFuture::own(rejection.response_for(&request))
    ///     }
    /// }
    /// ```
    pub struct EitherFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Inner { #[pin] future: F },
        // The response is in a box, since all requests move this.
        Own { response: Option<Box<Response<Full<Bytes>>>> },
    }
}

impl<F> EitherFuture<F> {
    /// Returns a future that waits for the inner service.
    #[inline]
    pub fn inner(future: F) -> Self {
        Self {
            state: State::Inner { future },
        }
    }

    /// Returns a future that is ready with a response of the layer's own.
    #[must_use]
    pub fn own(response: Response<Full<Bytes>>) -> Self {
        Self {
            state: State::Own {
                response: Some(Box::new(response)),
            },
        }
    }
}

impl<F, B, E> Future for EitherFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<EitherBody<B>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Inner { future } => future
                .poll(cx)
                .map_ok(|response| response.map(EitherBody::inner)),
            StateProj::Own { response } => {
                let response = response.take().expect("polled after completion");
                Poll::Ready(Ok(response.map(EitherBody::own)))
            }
        }
    }
}

impl<F> fmt::Debug for EitherFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EitherFuture").finish_non_exhaustive()
    }
}
