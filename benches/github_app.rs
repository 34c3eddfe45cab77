//! GitHub's routes as an application of axum: the same handlers, found by a dispatcher or by axum's
//! router, and each request passed to a clone of the whole service.

use std::{convert::Infallible, hint::black_box};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::Path,
    handler::{Handler, HandlerWithoutStateExt},
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_dispatch::{Args, Boxed, Builder, Dispatch, DispatchLayer, Endpoint};

use crate::{
    Pair, Subject,
    dispatch::{github, paths, shuffled},
};

type One = String;
type Two = (String, String);
type Three = (String, String, String);
type Four = (String, String, String, String);

/// Adds a route to a router or a builder.
trait Routes: Sized {
    fn add<H, T>(self, template: &str, handler: H) -> Self
    where
        H: Handler<T, ()>,
        T: 'static;
}

impl Routes for Router {
    fn add<H: Handler<T, ()>, T: 'static>(self, template: &str, handler: H) -> Self {
        self.route(template, get(handler))
    }
}

/// A dispatcher whose endpoints are the handlers as services.
struct Handlers(Builder<Endpoint<Body>, Boxed>);

impl Routes for Handlers {
    fn add<H: Handler<T, ()>, T: 'static>(self, template: &str, handler: H) -> Self {
        Self(self.0.get(template, handler.into_service()))
    }
}

/// A dispatcher whose endpoints are method routers.
struct MethodRouters(Builder<Endpoint<Body>, Boxed>);

impl Routes for MethodRouters {
    fn add<H: Handler<T, ()>, T: 'static>(self, template: &str, handler: H) -> Self {
        let endpoint: MethodRouter = get(handler);
        Self(self.0.get(template, endpoint))
    }
}

/// Adds GitHub's routes. The handlers read their parameters as the type `$args`.
macro_rules! with_routes {
    ($routes:expr, $args:ident) => {
        github().into_iter().fold($routes, |routes, template| {
            match template.matches('{').count() {
                0 => routes.add(template, async || {}),
                1 => routes.add(template, async |$args(args): $args<One>| {
                    black_box(args);
                }),
                2 => routes.add(template, async |$args(args): $args<Two>| {
                    black_box(args);
                }),
                3 => routes.add(template, async |$args(args): $args<Three>| {
                    black_box(args);
                }),
                _ => routes.add(template, async |$args(args): $args<Four>| {
                    black_box(args);
                }),
            }
        })
    };
}

pub(crate) fn pairs() -> Vec<Pair> {
    let axum = || subject(with_routes!(Router::new(), Path));
    let handlers = || build(with_routes!(Handlers(Dispatch::for_axum()), Args).0);
    let method_routers = || build(with_routes!(MethodRouters(Dispatch::for_axum()), Args).0);
    vec![
        Pair::new("dispatch/github-app/axum-router", move || {
            (subject(handlers()), axum())
        }),
        Pair::new("dispatch/github-app-get/axum-router", move || {
            (subject(method_routers()), axum())
        }),
        // As in the README.
        Pair::new("dispatch/github-app-in-axum/axum-router", move || {
            (subject(handlers().into_axum()), axum())
        }),
        Pair::new("dispatch/github-app-before-axum/axum-router", move || {
            let app = DispatchLayer::new(handlers()).layer(Router::new());
            (subject(app.into_axum()), axum())
        }),
        Pair::new("dispatch/github-app-fallback/axum-router", move || {
            let app = Router::new().fallback_service(handlers().into_axum());
            (subject(app), axum())
        }),
    ]
}

fn build(builder: Builder<Endpoint<Body>, Boxed>) -> Dispatch<Endpoint<Body>> {
    builder.build().expect("GitHub's routes are templates")
}

/// One request for each of GitHub's paths in turn, to a clone of a service.
fn subject<S, B>(service: S) -> Subject
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    B: HttpBody<Data = Bytes> + 'static,
{
    let paths: Vec<Bytes> = shuffled(paths(&github()))
        .into_iter()
        .map(Bytes::from)
        .collect();
    let mut next = 0;
    Subject {
        turn: 130,
        run: Box::new(move |times, meter| {
            let mut requests = Vec::new();
            for _ in 0..times {
                // A part of a buffer that is shared already, like the server's.
                let path = paths[next].clone();
                next = (next + 1) % paths.len();
                let mut request = Request::new(Body::empty());
                *request.uri_mut() = Uri::from_maybe_shared(path).expect("a path");
                requests.push(request);
            }
            meter(&mut || {
                for request in requests.drain(..) {
                    exchange(&service, request);
                }
            });
        }),
    }
}

fn exchange<S, B>(service: &S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: HttpBody<Data = Bytes>,
{
    let response = service.clone().oneshot(request).now_or_never();
    let response = response
        .expect("nothing here waits")
        .unwrap_or_else(|never| match never {});
    assert!(response.status().is_success());
    let mut body = std::pin::pin!(response.into_body());
    while let Some(frame) = body.frame().now_or_never().expect("nothing here waits") {
        black_box(frame.ok());
    }
}
