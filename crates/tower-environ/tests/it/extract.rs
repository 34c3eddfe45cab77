use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_environ::{
    Env, Environ, EnvironError, EnvironKey, EnvironLayer, Key, MountLayer, PathInfo, ScriptName,
};
use tower_kit::Rejection;

struct Hello;

impl EnvironKey for Hello {
    type Value = String;
    const KEY: Key<String> = Key::new("test.hello");
}

const HELLO_AS_NUMBER: Key<u32> = Key::new("test.hello");
const SECRET: Key<&'static str> = Key::secret("test.secret");

async fn get_path<S>(app: S, path: &str) -> Response
where
    S: Service<Request<Body>, Response: IntoResponse, Error = std::convert::Infallible>,
{
    app.oneshot(Request::get(path).body(Body::empty()).unwrap())
        .await
        .unwrap()
        .into_response()
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

fn router() -> Router {
    Router::new()
        .route(
            "/env",
            get(async |hello: Env<Hello>| {
                assert_eq!(format!("{hello:?}"), format!("Env({:?})", hello.0));
                hello.0
            }),
        )
        .route(
            "/maybe",
            get(async |hello: Option<Env<Hello>>| match hello {
                Some(Env(hello)) => hello,
                None => "no hello".to_owned(),
            }),
        )
        .route("/all", get(async |environ: Environ| format!("{environ:?}")))
        .route(
            "/place",
            get(async |script_name: ScriptName, path_info: PathInfo| {
                format!("{script_name}|{path_info}")
            }),
        )
}

#[tokio::test]
async fn environ_15_env_extracts_the_value_of_its_key() {
    let app = router()
        .layer(EnvironLayer::new(Hello::KEY, "Hello World".to_owned()))
        .layer(EnvironLayer::new(SECRET, "s3cret"));
    assert_eq!(
        text(get_path(app.clone(), "/env").await).await,
        "Hello World"
    );
    assert_eq!(
        text(get_path(app.clone(), "/maybe").await).await,
        "Hello World"
    );
    let all = r#"{"test.secret": <secret>, "test.hello": "Hello World"}"#;
    assert_eq!(text(get_path(app, "/all").await).await, all);
}

#[tokio::test]
async fn environ_15_a_rejection_has_a_reason_the_client_does_not_see() {
    let missing = router().layer(EnvironLayer::new(SECRET, "s3cret"));
    let wrong = router().layer(EnvironLayer::new(HELLO_AS_NUMBER, 1));
    let table = [
        (
            missing.clone(),
            "/env",
            "the environ has no \"test.hello\": it has \"test.secret\"",
        ),
        (
            router(),
            "/env",
            "the environ has no \"test.hello\": no layer has set anything",
        ),
        (
            wrong.clone(),
            "/env",
            "\"test.hello\" in the environ is a u32 and not a alloc::string::String",
        ),
        (
            wrong,
            "/maybe",
            "\"test.hello\" in the environ is a u32 and not a alloc::string::String",
        ),
    ];
    for (app, path, message) in table {
        let response = get_path(app, path).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = Rejection::of(&response).and_then(Rejection::reason);
        let error: &EnvironError = error.unwrap();
        assert_eq!(error.to_string(), message);
        assert_eq!(text(response).await, "500 Internal Server Error\n");
    }
    assert_eq!(text(get_path(missing, "/maybe").await).await, "no hello");
    assert_eq!(text(get_path(router(), "/all").await).await, "{}");
}

#[tokio::test]
async fn environ_15_a_rejection_has_the_format_of_the_client() {
    for path in ["/env", "/maybe"] {
        let app = router().layer(EnvironLayer::new(HELLO_AS_NUMBER, 1));
        let request = Request::get(path).header("accept", "application/json");
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await;
        let headers = response.unwrap().into_parts().0.headers;
        assert_eq!(headers["content-type"], "application/json", "{path}");
    }
}

#[tokio::test]
async fn environ_11_mounts_and_axums_nest_see_each_other() {
    let nested = Router::new().nest("/b", router());
    let mounted = MountLayer::new("/a").unwrap().layer(nested);
    assert_eq!(
        text(get_path(mounted.clone(), "/a/b/place").await).await,
        "/a/b|/place"
    );
    let outer = Router::new().nest_service("/x", mounted);
    assert_eq!(
        text(get_path(outer, "/x/a/b/place?q").await).await,
        "/x/a/b|/place"
    );
    let plain = Router::new().nest("/b", router());
    assert_eq!(text(get_path(plain, "/b/place").await).await, "/b|/place");
}
