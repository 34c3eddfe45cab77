//! `EnvironLayer`, as the inner service sees it.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{Request, Response, request::Parts};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_environ::{Environ, EnvironExt, EnvironLayer, Key};

const NAME: Key<String> = Key::new("test.name");
const OTHER: Key<String> = Key::new("test.other");

/// Responds with the two names that it finds in the environ.
async fn names(request: Request<()>) -> Result<Response<[Option<String>; 2]>, Infallible> {
    let (parts, ()): (Parts, ()) = request.into_parts();
    let from_parts = parts.environ(&NAME).cloned();
    let from_extensions = parts.extensions.environ(&OTHER).cloned();
    Ok(Response::new([from_parts, from_extensions]))
}

async fn ask<S>(app: S, request: Request<()>) -> [Option<String>; 2]
where
    S: Service<Request<()>, Response = Response<[Option<String>; 2]>, Error = Infallible>,
{
    app.oneshot(request).await.unwrap().into_body()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn environ_3_the_inner_layer_wins_over_the_outer_one() {
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(NAME, "outer".to_owned()))
        .layer(EnvironLayer::new(OTHER, "other".to_owned()))
        .layer(EnvironLayer::new(NAME, "inner".to_owned()))
        .service(service_fn(names));
    let found = ask(app, Request::new(())).await;
    assert_eq!(found, [text("inner"), text("other")]);
}

#[tokio::test]
async fn environ_3_a_default_keeps_an_earlier_value() {
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(NAME, "set".to_owned()))
        .layer(EnvironLayer::default_for(NAME, "default".to_owned()))
        .layer(EnvironLayer::default_for(OTHER, "default".to_owned()))
        .service(service_fn(names));
    let found = ask(app, Request::new(())).await;
    assert_eq!(found, [text("set"), text("default")]);
}

/// A name is one entry, also if the types differ.
#[tokio::test]
async fn environ_3_a_default_keeps_a_value_of_another_type() {
    const NUMBER: Key<u32> = Key::new("test.name");
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(NUMBER, 1))
        .layer(EnvironLayer::default_for(NAME, "default".to_owned()))
        .service(service_fn(async |request: Request<()>| {
            assert_eq!(request.environ(&NUMBER), Some(&1));
            names(request).await
        }));
    assert_eq!(ask(app, Request::new(())).await, [None, None]);
}

#[test]
fn environ_2_similar_names_are_different_entries() {
    let alike = [
        "app.name",
        "app.names",
        "app.nam",
        "app.Name",
        "APP.name",
        "app.name.x",
        "app-name.x",
        "app_name.x",
        "ap.pname",
    ];
    let mut environ = Environ::default();
    for name in alike {
        environ.set(Key::parse(name).unwrap(), name.to_owned());
    }
    for name in alike {
        let key = Key::<String>::parse(name).unwrap();
        assert_eq!(environ.get(&key).map(String::as_str), Some(name));
    }
    assert!(environ.names().eq(alike));
}

#[test]
fn environ_6_no_debug_shows_a_secret() {
    const SECRET: Key<&'static str> = Key::secret("test.secret");
    let layer = EnvironLayer::new(SECRET, "hunter2");
    let default = EnvironLayer::default_for(Key::secret("test.other"), "hunter2".to_owned());
    let service = default.layer(layer.layer(()));
    let mut request = Request::new(());
    request.set_environ(SECRET, "hunter2");
    let parts = request.into_parts().0;
    let environ = parts.extensions.get::<Environ>().unwrap();
    let wrong = parts.try_environ(&Key::<u32>::new("test.secret"));
    for shown in [
        format!("{layer:?} {default:?} {service:?}"),
        format!("{environ:?} {:?} {:?}", environ.clone(), wrong.unwrap_err()),
        environ
            .iter()
            .map(|(_, value)| format!("{value:?}"))
            .collect(),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn environ_6_the_last_key_of_a_name_decides_if_it_is_secret() {
    let mut environ = Environ::default();
    environ.set(Key::secret("test.a"), "first");
    environ.set(Key::new("test.a"), "second");
    assert_eq!(format!("{environ:?}"), r#"{"test.a": "second"}"#);
}

#[tokio::test]
async fn environ_4_a_function_computes_a_value_from_the_head() {
    let header = |name: &'static str| {
        move |parts: &Parts| {
            assert_eq!((parts.method.as_str(), parts.uri.path()), ("PUT", "/a"));
            assert_eq!(parts.version, http::Version::HTTP_2);
            assert_eq!(parts.environ(&OTHER).map(String::as_str), Some("outer"));
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        }
    };
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(OTHER, "outer".to_owned()))
        .layer(EnvironLayer::from_fn(NAME, header("x-name")))
        .layer(EnvironLayer::from_fn(OTHER, header("x-other")))
        .map_request(|request: Request<()>| {
            // The request is complete again.
            assert_eq!(
                (request.method().as_str(), request.uri().path()),
                ("PUT", "/a")
            );
            assert_eq!(request.version(), http::Version::HTTP_2);
            assert_eq!(request.headers().len(), 1);
            request
        })
        .service(service_fn(names));
    let request = Request::put("/a")
        .version(http::Version::HTTP_2)
        .header("x-name", "from a header");
    let found = ask(app, request.body(()).unwrap()).await;
    assert_eq!(found, [text("from a header"), text("outer")]);
}

#[test]
fn environ_4_a_value_can_be_set_by_hand() {
    let mut request = Request::new(());
    request.set_environ(NAME, "by hand".to_owned());
    assert_eq!(request.environ(&NAME), text("by hand").as_ref());
    let (mut parts, ()) = request.into_parts();
    parts.set_environ(OTHER, "too".to_owned());
    parts.extensions.set_environ(NAME, "again".to_owned());
    assert_eq!(parts.environ(&NAME), text("again").as_ref());
    assert_eq!(parts.environ(&OTHER), text("too").as_ref());
    assert_eq!(
        Request::from_parts(parts, ()).try_environ(&OTHER).ok(),
        text("too").as_ref()
    );
}

#[tokio::test]
async fn environ_5_without_the_layer_a_key_is_missing() {
    let found = ask(service_fn(names), Request::new(())).await;
    assert_eq!(found, [None, None]);
    let error = Request::new(()).try_environ(&NAME).unwrap_err();
    let message = "the environ has no \"test.name\": no layer has set anything";
    assert_eq!(error.to_string(), message);
}

#[tokio::test]
async fn environ_7_a_clone_of_the_extensions_sees_no_later_value() {
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(NAME, "before".to_owned()))
        .service(service_fn(async |request: Request<()>| {
            // As in a retry or a cascade: two attempts, each with the original request.
            let attempt = EnvironLayer::new(NAME, "in the first".to_owned());
            let one = ask(attempt.layer(service_fn(names)), request.clone()).await;
            let two = ask(service_fn(names), request).await;
            assert_eq!((&one[0], &two[0]), (&text("in the first"), &text("before")));
            Ok::<_, Infallible>(Response::new([None, None]))
        }));
    ask(app, Request::new(())).await;
}

#[test]
fn a_fifth_key_and_more_are_found_like_the_first_four() {
    let keys: Vec<Key<usize>> = (0..9)
        .map(|at| Key::parse(&format!("test.key-{at}")).unwrap())
        .collect();
    let mut environ = Environ::default();
    for (at, key) in keys.iter().enumerate() {
        environ.set(key.clone(), at);
    }
    environ.set(keys[7].clone(), 77);
    environ.set(keys[2].clone(), 22);
    let found: Vec<_> = keys.iter().map(|key| *environ.get(key).unwrap()).collect();
    assert_eq!(found, [0, 1, 22, 3, 4, 5, 6, 77, 8]);
    assert_eq!(environ.names().count(), 9);
    assert_eq!(environ.names().last(), Some("test.key-8"));
}

#[tokio::test]
async fn environ_3_a_default_keeps_a_fifth_key_too() {
    const FIVE: [Key<u32>; 5] = [
        Key::new("test.a"),
        Key::new("test.b"),
        Key::new("test.c"),
        Key::new("test.d"),
        Key::new("test.e"),
    ];
    let [a, b, c, d, e] = FIVE;
    let app = ServiceBuilder::new()
        .layer(EnvironLayer::new(a, 1))
        .layer(EnvironLayer::new(b, 2))
        .layer(EnvironLayer::new(c, 3))
        .layer(EnvironLayer::new(d, 4))
        .layer(EnvironLayer::new(e.clone(), 5))
        .layer(EnvironLayer::default_for(e, 6))
        .service(service_fn(async |request: Request<()>| {
            let found = FIVE.map(|key| request.environ(&key).copied());
            Ok::<_, Infallible>(Response::new(found))
        }));
    let found = app.oneshot(Request::new(())).await.unwrap().into_body();
    assert_eq!(found, [1, 2, 3, 4, 5].map(Some));
}

#[test]
fn a_value_that_panics_in_drop_leaves_later_requests_alone() {
    #[derive(Debug)]
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "boom");
        }
    }
    const BOMB: Key<Bomb> = Key::new("test.bomb");

    let armed = |parts: &Parts| Some(Bomb(parts.uri.path() == "/armed"));
    let mut app = EnvironLayer::from_fn(BOMB, armed).layer(service_fn(names));
    let mut call = |uri: &str| {
        let request = Request::get(uri).body(()).unwrap();
        catch_unwind(AssertUnwindSafe(|| {
            futures_util::FutureExt::now_or_never(app.call(request)).is_some()
        }))
    };
    assert!(call("/armed").is_err());
    assert!(call("/").unwrap());
}

#[test]
fn the_layer_inserts_one_extension_and_shares_its_value() {
    let value = Arc::new(());
    const SHARED: Key<Arc<()>> = Key::new("test.shared");
    let layer = EnvironLayer::new(SHARED, value.clone());
    let mut app = layer.layer(tower::service_fn(async |request: Request<()>| {
        assert_eq!(request.extensions().len(), 1);
        Ok::<_, Infallible>(request)
    }));
    let request = futures_util::FutureExt::now_or_never(app.call(Request::new(())));
    // This one and the layer's. The request has a handle of the layer's.
    assert_eq!(Arc::strong_count(&value), 2);
    drop(request);
}
