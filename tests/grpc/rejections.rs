//! Rejections of the layers.

use std::ops::ControlFlow;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE, request};
use http_body_util::{BodyExt, Full};
use tonic::{Code, Status};
use tower::{BoxError, Layer, service_fn};
use tower_cascade::CascadeLayer;
use tower_deploy::{Loader, Registry};
use tower_dispatch::{Dispatch, Endpoint};
use tower_environ::{MountLayer, NotMounted};
use tower_hooks::{Hook, HooksLayer};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_kit::{Rejection, RenderLayer};
use tower_origin::OriginLayer;

use crate::{
    client::Options,
    echo::{Call, IN_TRAILERS},
    layers::not_found,
    server::{App, boxed, each_way},
    table::{
        Case,
        Says::{Anything, This},
        check,
    },
};

#[tokio::test]
async fn a_rejection_has_the_status_of_grpc() {
    const PROXY: &str = "[app:main]\nuse = egg:Paste#proxy\naddress = http://127.0.0.1:1\n";
    const URLMAP: &str = "[composite:main]\nuse = egg:Paste#urlmap\n/other = other\n\
        [app:other]\nuse = egg:Paste#proxy\naddress = http://127.0.0.1:1\n";
    check(&[
        Case::new(
            "environ",
            "a path outside of the mount, 404",
            |app| boxed(elsewhere().layer(app)),
            Code::Unimplemented,
            This("nothing is mounted at this path"),
        ),
        Case::new(
            "dispatch",
            "a path without a route, 404",
            |_| dispatch("/other"),
            Code::Unimplemented,
            This("no route matches the path"),
        ),
        Case::new(
            "dispatch",
            "a path for another method, 405",
            |_| dispatch("/{*path}"),
            Code::Unimplemented,
            This("the path does not allow this method"),
        ),
        Case::new(
            "dispatch",
            "a path that cannot be decoded, 400",
            |_| dispatch("/{*path}"),
            Code::InvalidArgument,
            Anything,
        )
        .at("/test.Echo/%ff"),
        Case::new(
            "origin",
            "an unknown host, 400",
            |app| {
                let layer = OriginLayer::new().hosts(["example.org"]).unwrap();
                boxed(layer.layer(app))
            },
            Code::InvalidArgument,
            This("this host is not served here"),
        ),
        Case::new(
            "cascade",
            "a request too large to be replayed, 413",
            |app| {
                let plain = MapRequestBodyLayer::new(Body::new);
                let first = plain.layer(boxed(service_fn(reads)));
                let layer = CascadeLayer::new(first).replay_limit(4);
                boxed(layer.layer(plain.layer(app)))
            },
            Code::ResourceExhausted,
            Anything,
        ),
        Case::new(
            "cascade",
            "mounts elsewhere, 404",
            |app| {
                let plain = MapRequestBodyLayer::new(Body::new);
                let layer = CascadeLayer::new(plain.layer(elsewhere().layer(app.clone())));
                boxed(layer.layer(plain.layer(elsewhere().layer(app))))
            },
            Code::Unimplemented,
            This("nothing is mounted at this path"),
        ),
        Case::new(
            "hooks",
            "a hook's plain response, 400",
            |app| {
                boxed(
                    HooksLayer::new()
                        .hook(Plain(StatusCode::BAD_REQUEST))
                        .layer(app),
                )
            },
            Code::InvalidArgument,
            Anything,
        ),
        Case::new(
            "hooks",
            "a hook's plain response, 401",
            |app| {
                boxed(
                    HooksLayer::new()
                        .hook(Plain(StatusCode::UNAUTHORIZED))
                        .layer(app),
                )
            },
            Code::Unauthenticated,
            Anything,
        ),
        Case::new(
            "hooks",
            "a hook's plain response, 403",
            |app| {
                boxed(
                    HooksLayer::new()
                        .hook(Plain(StatusCode::FORBIDDEN))
                        .layer(app),
                )
            },
            Code::PermissionDenied,
            Anything,
        ),
        Case::new(
            "hooks",
            "a hook's plain response, 429",
            |app| {
                boxed(
                    HooksLayer::new()
                        .hook(Plain(StatusCode::TOO_MANY_REQUESTS))
                        .layer(app),
                )
            },
            Code::ResourceExhausted,
            Anything,
        ),
        Case::new(
            "hooks",
            "a hook's plain response, 503",
            |app| {
                boxed(
                    HooksLayer::new()
                        .hook(Plain(StatusCode::SERVICE_UNAVAILABLE))
                        .layer(app),
                )
            },
            Code::Unavailable,
            Anything,
        ),
        Case::new(
            "hooks",
            "a hook's rejection, 401",
            |app| boxed(HooksLayer::new().before(stranger).layer(app)),
            Code::Unauthenticated,
            This("who are you?"),
        ),
        Case::new(
            "kit",
            "a mount's rejection, rendered by tonic",
            |app| boxed(RenderLayer::new(by_tonic).layer(elsewhere().layer(app))),
            Code::NotFound,
            This("no such service: naïve"),
        ),
        Case::new(
            "kit",
            "a mount's rejection, rendered as JSON",
            |app| boxed(RenderLayer::new(by_json).layer(elsewhere().layer(app))),
            Code::Unimplemented,
            This("nothing is mounted at this path"),
        ),
        Case::new(
            "deploy",
            "urlmap: a path without an app, 404",
            |_| loaded(URLMAP),
            Code::Unimplemented,
            Anything,
        ),
        Case::new(
            "deploy",
            "proxy: no upstream, 502",
            |_| loaded(PROXY),
            Code::Unavailable,
            Anything,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_404_of_grpc_falls_through_a_cascade() {
    let layers = |app: App| {
        let plain = MapRequestBodyLayer::new(Body::new);
        let mounted = plain.layer(boxed(elsewhere().layer(app.clone())));
        let dispatch = plain.layer(dispatch("/other"));
        boxed(CascadeLayer::list([mounted, dispatch]).layer(plain.layer(app)))
    };
    each_way(layers, async |client, way| {
        for call in Call::ALL {
            let reply = client.call(call, &call.path(), Options::default()).await;
            assert_eq!(reply.code, Code::Ok, "{call:?} by {way:?}: {reply:?}");
            assert_eq!(reply.metadata(IN_TRAILERS), Some("sent"));
        }
    })
    .await;
}

fn elsewhere() -> MountLayer {
    MountLayer::new("/other").unwrap()
}

/// A dispatcher with a route for GET.
fn dispatch(route: &str) -> App {
    let urls: Dispatch<Endpoint<Body, BoxError>> =
        Dispatch::builder().get(route, not_found()).build().unwrap();
    boxed(urls)
}

/// Reads the whole request, and responds with 404.
async fn reads(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    request.into_body().collect().await?;
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// Responds in plain text.
struct Plain(StatusCode);

impl Hook for Plain {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let mut response = Response::new(Full::from("not you\n"));
        *response.status_mut() = self.0;
        ControlFlow::Break(response)
    }
}

async fn stranger(request: &mut request::Parts) -> ControlFlow<Response<Full<Bytes>>> {
    let error = std::io::Error::other("no credentials");
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, error).with_detail("who are you?");
    ControlFlow::Break(rejection.response_for(&*request))
}

fn by_tonic(rejection: &Rejection) -> Option<Response<tonic::body::Body>> {
    rejection.reason::<NotMounted>()?;
    Some(Status::not_found("no such service: naïve").into_http())
}

fn by_json(rejection: &Rejection) -> Option<Response<Full<Bytes>>> {
    let response = Response::builder().status(rejection.status());
    let response = response.header(CONTENT_TYPE, "application/json");
    response.body("{}".into()).ok()
}

/// An app of tower-deploy.
fn loaded(file: &'static str) -> App {
    let loader = Loader::new(Registry::standard()).files(|_| Ok(file.into()));
    boxed(loader.load_app("config:/site.ini").unwrap())
}
