use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    EitherBody, Format, Rejection,
    content::{self, RequestKind},
    grpc::Flavor,
};

/// A layer that renders rejections in your own way.
///
/// Around a whole stack it renders the rejections of all layers in the stack. Around one layer, or
/// with a function that looks at [`Rejection::reason`], it renders only those of that layer.
///
/// The function gets the [`Rejection`] of a response. It returns the response to send instead, or
/// `None` to leave the response as it is. In axum it may return whatever is `IntoResponse`:
///
/// ```
/// use axum::{Json, Router, response::IntoResponse};
/// use serde_json::json;
/// use tower_kit::{Rejection, RenderLayer};
///
/// let render = RenderLayer::new(|rejection: &Rejection| {
///     let error = json!({ "error": rejection.detail() });
///     Some((rejection.status(), Json(error)).into_response())
/// });
/// let app: Router = Router::new().layer(render);
/// # let _ = app;
/// ```
///
/// - Headers of the replaced response stay, except those that describe its content. Headers of the
///   new response replace those of the same name.
/// - The response to a HEAD has no body, whatever the function returns.
/// - A client of gRPC gets the new response only if that is gRPC as well. So a function that returns
///   JSON does not disturb it.
#[derive(Clone)]
pub struct RenderLayer<F> {
    render: F,
}

impl<F> RenderLayer<F> {
    /// Returns a layer that calls the function for each response that is a rejection. The function
    /// is cloned for each request.
    pub fn new<B>(render: F) -> Self
    where
        F: Fn(&Rejection) -> Option<Response<B>>,
    {
        Self { render }
    }
}

impl<S, F: Clone> Layer<S> for RenderLayer<F> {
    type Service = Render<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Render {
            inner,
            render: self.render.clone(),
        }
    }
}

impl<F> fmt::Debug for RenderLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderLayer").finish_non_exhaustive()
    }
}

/// The service of [`RenderLayer`].
#[derive(Clone)]
pub struct Render<S, F> {
    inner: S,
    render: F,
}

impl<S, F, ReqBody, ResBody, B> Service<Request<ReqBody>> for Render<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    F: Fn(&Rejection) -> Option<Response<B>> + Clone,
    B: Body,
{
    type Response = Response<EitherBody<Either<ResBody, B>>>;
    type Error = S::Error;
    type Future = RenderFuture<S::Future, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        RenderFuture {
            future: self.inner.call(request),
            render: self.render.clone(),
        }
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Render<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Render")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Render`].
    pub struct RenderFuture<Fut, F> {
        #[pin]
        future: Fut,
        render: F,
    }
}

impl<Fut, F, ResBody, E, B> Future for RenderFuture<Fut, F>
where
    Fut: Future<Output = Result<Response<ResBody>, E>>,
    F: Fn(&Rejection) -> Option<Response<B>>,
    B: Body,
{
    type Output = Result<Response<EitherBody<Either<ResBody, B>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let rendered = Rejection::of(&response).and_then(|rejection| {
            let kind = rejection.preferences().kind();
            let rendered = (this.render)(rejection)?;
            fits(rejection, &rendered).then_some((kind, rendered))
        });
        Poll::Ready(Ok(match rendered {
            None => response.map(|body| EitherBody::inner(Either::Left(body))),
            Some((kind, rendered)) => replaced(response, kind, rendered),
        }))
    }
}

/// Returns whether the client understands the response. A client of gRPC takes any other response
/// for a fault of the connection.
fn fits<B>(rejection: &Rejection, rendered: &Response<B>) -> bool {
    let content_type = rendered.headers().get(CONTENT_TYPE);
    match rejection.preferences().format() {
        Format::Grpc(_) => content_type.is_some_and(|value| Flavor::of(value.as_bytes()).is_some()),
        _ => true,
    }
}

fn replaced<A, B: Body>(
    response: Response<A>,
    kind: RequestKind,
    rendered: Response<B>,
) -> Response<EitherBody<Either<A, B>>> {
    let (mut head, _) = response.into_parts();
    let (mut new, body) = rendered.into_parts();
    if kind == RequestKind::Head {
        content::announce_length(new.status, &mut new.headers, &body);
    }
    content::remove_content_headers(&mut head.headers);
    head.status = new.status;
    head.headers.extend(new.headers);
    head.extensions.extend(new.extensions);
    let body = match kind {
        RequestKind::Head => EitherBody::own(Bytes::new()),
        _ => EitherBody::inner(Either::Right(body)),
    };
    Response::from_parts(head, body)
}

impl<Fut, F> fmt::Debug for RenderFuture<Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderFuture").finish_non_exhaustive()
    }
}
