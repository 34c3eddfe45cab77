//! A layer that renders rejections in a user's own way.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE, response::Parts};
use http_body::Body;
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    EitherBody, Format, Rejection,
    content::{self, RequestKind, set},
    grpc::{self, Flavor, GRPC_MESSAGE, GRPC_STATUS, GRPC_STATUS_DETAILS, Protocol},
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
/// - A client of gRPC gets the new response only if that is gRPC as well. So a function that
///   returns JSON does not disturb it. For a client of gRPC-Web, a response of gRPC with its status
///   in the head, as from `tonic::Status::into_http`, is translated.
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
///
/// ```
/// use http::Response;
/// use tower::{Layer, service_fn};
/// use tower_kit::{Rejection, RenderLayer};
///
/// let render = RenderLayer::new(|_: &Rejection| None::<Response<String>>);
/// let app = render.layer(service_fn(async |_: http::Request<()>| {
///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// }));
/// ```
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
            kind: RequestKind::of(request.method()),
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
        // The rejection may not know the request.
        kind: RequestKind,
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
            let (head, body) = (this.render)(rejection)?.into_parts();
            match rejection.preferences().format() {
                Format::Grpc(flavor) => for_grpc(flavor, head, body),
                _ if *this.kind == RequestKind::Head => Some(for_head(head, body)),
                _ => Some((head, EitherBody::inner(Either::Right(body)))),
            }
        });
        Poll::Ready(Ok(match rendered {
            None => response.map(|body| EitherBody::inner(Either::Left(body))),
            Some((rendered, body)) => {
                let (mut head, _) = response.into_parts();
                replace(&mut head, rendered);
                Response::from_parts(head, body)
            }
        }))
    }
}

type Rendered<A, B> = (Parts, EitherBody<Either<A, B>>);

fn for_head<A, B: Body>(mut head: Parts, body: B) -> Rendered<A, B> {
    content::announce_length(head.status, &mut head.headers, &body);
    (head, EitherBody::own(Bytes::new()))
}

/// Returns `None` if the client does not understand the response. A client of gRPC takes any other
/// response for a fault of the connection.
fn for_grpc<A, B>(flavor: Flavor, mut head: Parts, body: B) -> Option<Rendered<A, B>> {
    let content_type = head.headers.get(CONTENT_TYPE)?;
    let protocol = Flavor::of(content_type.as_bytes())?.protocol();
    if protocol == flavor.protocol() {
        return Some((head, EitherBody::inner(Either::Right(body))));
    }
    if protocol != Protocol::Native || !head.headers.contains_key(GRPC_STATUS) {
        return None;
    }
    let mut trailers = HeaderMap::new();
    for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS] {
        trailers.extend(head.headers.remove(&name).map(|value| (name, value)));
    }
    set(&mut head.headers, CONTENT_TYPE, flavor.content_type());
    let last_message = grpc::last_message(flavor.protocol(), &trailers);
    Some((head, EitherBody::own(last_message)))
}

fn replace(head: &mut Parts, rendered: Parts) {
    content::remove_content_headers(&mut head.headers);
    for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS] {
        head.headers.remove(name);
    }
    head.status = rendered.status;
    head.headers.extend(rendered.headers);
    head.extensions.extend(rendered.extensions);
}

impl<Fut, F> fmt::Debug for RenderFuture<Fut, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderFuture").finish_non_exhaustive()
    }
}
