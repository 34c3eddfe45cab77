//! Endpoints that respond with their request, and requests.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, util::ServiceFn};
use tower_dispatch::UrlArgs;

type Reply = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;

/// Responds with its name, the request's method and the path parameters.
pub(crate) fn says(name: &'static str) -> ServiceFn<impl Fn(Request<()>) -> Reply + Clone> {
    tower::service_fn(move |request: Request<()>| {
        let args: Vec<String> = request
            .extensions()
            .get::<UrlArgs>()
            .into_iter()
            .flat_map(UrlArgs::iter)
            .map(|(name, value)| match name {
                Some(name) => format!("{name}={}", value.unwrap_or("(absent)")),
                None => value.unwrap_or("(absent)").to_owned(),
            })
            .collect();
        let text = format!("{name} {} [{}]", request.method(), args.join(" "));
        std::future::ready(Ok(Response::new(text.into())))
    })
}

/// The status, the headers and the text of a response.
pub(crate) type Got = (StatusCode, HeaderMap, String);

pub(crate) async fn ask<S, B>(app: S, method: Method, uri: &str) -> Got
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.into()).unwrap();
    (parts.status, parts.headers, text)
}
