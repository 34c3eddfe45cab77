//! The layers, as they are around a service whose calls they should let pass.

use axum::body::Body;
use http::{Request, Response, StatusCode};
use tower::{BoxError, Layer, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint};
use tower_environ::{EnvironLayer, Key, MountLayer};
use tower_exception::{ExceptionLayer, tower_status};
use tower_hooks::{Hook, HooksLayer};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_origin::OriginLayer;

use crate::server::{App, boxed};

/// The path at which [`mount`] has the service.
pub(crate) const MOUNTED_AT: &str = "/at";

/// Each layer by its name, with what is before the path of a call.
pub(crate) const LAYERS: [(&str, &str, fn(App) -> App); 12] = [
    ("none", "", |app| app),
    ("environ", "", environ),
    ("a mount", MOUNTED_AT, mount),
    ("origin", "", origin),
    ("dispatch without a route", "", dispatch),
    ("dispatch with a mount", MOUNTED_AT, dispatch_mount),
    ("cascade, inner", "", cascade),
    ("cascade, second", "", cascade_second),
    ("prefix", "", prefix),
    ("exception", "", exception),
    ("hooks", "", hooks),
    ("all", MOUNTED_AT, |app| {
        let app = prefix(cascade(dispatch(app)));
        around(mount(app))
    }),
];

/// The layers that are outside of the others.
pub(crate) fn around(app: App) -> App {
    exception(hooks(origin(environ(app))))
}

fn environ(app: App) -> App {
    const GREETING: Key<&str> = Key::new("grpc.greeting");
    boxed(EnvironLayer::new(GREETING, "Hello").layer(app))
}

fn mount(app: App) -> App {
    boxed(MountLayer::new(MOUNTED_AT).unwrap().layer(app))
}

fn origin(app: App) -> App {
    let layer = OriginLayer::new().hosts(["127.0.0.1"]).unwrap();
    boxed(layer.layer(app))
}

fn dispatch(app: App) -> App {
    let urls: Dispatch<Endpoint<Body, BoxError>> = Dispatch::builder()
        .get("/hello", not_found())
        .build()
        .unwrap();
    boxed(DispatchLayer::new(urls).layer(app))
}

fn dispatch_mount(app: App) -> App {
    let urls: Dispatch<Endpoint<Body, BoxError>> =
        Dispatch::builder().mount(MOUNTED_AT, app).build().unwrap();
    boxed(urls)
}

fn cascade(app: App) -> App {
    let plain = MapRequestBodyLayer::new(Body::new);
    let first = plain.layer(not_found());
    boxed(CascadeLayer::new(first).layer(plain.layer(app)))
}

/// The service before the wrapped one takes the call.
fn cascade_second(app: App) -> App {
    let plain = MapRequestBodyLayer::new(Body::new);
    let layer = CascadeLayer::list([plain.layer(not_found()), plain.layer(app)]);
    boxed(layer.layer(plain.layer(not_found())))
}

fn prefix(app: App) -> App {
    boxed(PrefixLayer::new("> ").layer(app))
}

pub(crate) fn exception(app: App) -> App {
    let layer = ExceptionLayer::production(|_| {}).status_of(tower_status);
    boxed(layer.layer(app))
}

struct Idle;

impl Hook for Idle {
    type State = ();
}

fn hooks(app: App) -> App {
    boxed(HooksLayer::new().hook(Idle).layer(app))
}

/// A service without gRPC that responds with 404.
pub(crate) fn not_found() -> App {
    boxed(service_fn(async |_: Request<Body>| {
        let mut response = Response::new(Body::from("no such page"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        Ok::<_, BoxError>(response)
    }))
}
