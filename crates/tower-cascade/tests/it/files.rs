//! tower-http's files before routes, as the documentation of `CascadeLayer` has them.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use axum::{Router, body::Body, routing::any};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_cascade::{CascadeLayer, ReplayBody};
use tower_http::services::ServeDir;

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("empty")).unwrap();
        fs::create_dir_all(path.join("wiki")).unwrap();
        fs::write(path.join("index.html"), "index").unwrap();
        fs::write(path.join("notes.txt"), "notes").unwrap();
        fs::write(path.join("wiki/index.html"), "wiki").unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Returns whether the error means that there is no such file.
fn no_such_file(error: &BoxError) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.map(io::Error::kind).is_some_and(|kind| {
        matches!(
            kind,
            ErrorKind::NotFound
                | ErrorKind::PermissionDenied
                | ErrorKind::NotADirectory
                | ErrorKind::InvalidFilename
        )
    })
}

async fn routes<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError> {
    let text = format!("{} of a route", request.method());
    Ok(Response::new(text.into()))
}

async fn ask<S, B>(app: S, method: Method, path: &str) -> (u16, String)
where
    S: Service<Request<Body>, Response = Response<B>, Error: std::fmt::Debug>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(text.into()).unwrap())
}

fn long(length: usize) -> String {
    format!("/{}", "n".repeat(length))
}

fn served(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[tokio::test]
async fn cascade_1_files_before_routes_take_nothing_that_is_no_file() {
    let directory = Directory::new("files-before-routes");
    let files = ServeDir::new(&directory.0);
    let app = CascadeLayer::new(service_fn(move |request: Request<ReplayBody<Body>>| {
        files.clone().try_call(request)
    }))
    .only(|head| matches!(head.method, Method::GET | Method::HEAD))
    .statuses([StatusCode::NOT_FOUND, StatusCode::TEMPORARY_REDIRECT])
    .unwrap()
    .on_error(no_such_file)
    .layer(service_fn(routes));
    let route = || served("GET of a route");
    let deep = format!("{}/x", long(250).repeat(20));
    let table = [
        ("/", served("index")),
        ("/notes.txt", served("notes")),
        ("/wiki/", served("wiki")),
        ("/wiki/index.html", served("wiki")),
        ("/wiki", route()),
        ("/empty", route()),
        ("/empty/", route()),
        ("/none", route()),
        ("/notes.txt/x", route()),
        (&long(255), route()),
        (&long(256), route()),
        (&long(300), route()),
        (&deep, route()),
        ("/nul%00", route()),
        ("/%ff", route()),
        ("/../x", route()),
    ];
    for (path, expected) in table {
        let got = ask(app.clone(), Method::GET, path).await;
        assert_eq!(got, expected, "{path}");
    }
    let got = ask(app.clone(), Method::POST, "/notes.txt").await;
    assert_eq!(got, served("POST of a route"));
    assert_eq!(ask(app, Method::HEAD, "/notes.txt").await, served(""));
}

/// The documentation warns of these responses. They are the reason for the length of its pattern.
#[tokio::test]
async fn cascade_1_a_file_service_alone_has_more_responses_than_404() {
    let directory = Directory::new("files-alone");
    let routes: Router = Router::new().fallback(any(async || "route"));
    let app = |files: ServeDir| CascadeLayer::new(files).layer(routes.clone());
    let files = || ServeDir::new(Path::new(&directory.0));
    for (path, method, status) in [
        ("/wiki", Method::GET, 307),
        ("/empty", Method::GET, 307),
        ("/empty/", Method::GET, 200),
        (&long(300), Method::GET, 500),
        ("/none", Method::POST, 405),
    ] {
        let got = ask(app(files()), method, path).await;
        assert_eq!(got.0, status, "{path}");
    }
    // Without index pages a directory is 404.
    let files = files().append_index_html_on_directories(false);
    for path in ["/", "/wiki", "/wiki/", "/empty"] {
        let got = ask(app(files.clone()), Method::GET, path).await;
        assert_eq!(got, served("route"), "{path}");
    }
}
