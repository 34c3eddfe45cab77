//! Mounts of every kind in one another: SCRIPT_NAME and PATH_INFO are always the raw path, and all
//! spellings of a path lead to the same place.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{convert::Infallible, fs};

use axum::{Router, body::Body, response::IntoResponse};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    prop_assert_eq, prop_oneof, proptest,
    strategy::Just,
};
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_dispatch::Dispatch;
use tower_environ::{MountExt, MountLayer};
use tower_http::services::ServeDir;

type App = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

fn app<S>(service: S) -> App
where
    S: Service<Request<Body>, Response: IntoResponse, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    BoxCloneSyncService::new(service.map_response(IntoResponse::into_response))
}

/// The layer that mounts.
#[derive(Clone, Copy, Debug)]
enum Mount {
    Layer,
    Dispatch,
    Axum,
    /// Strips nothing: serves files, and requests for other paths fall through.
    Files,
}

impl Mount {
    fn of(self, prefix: &str, inner: App) -> App {
        match self {
            Self::Layer => app(MountLayer::new(prefix).unwrap().layer(inner)),
            Self::Dispatch => app(Dispatch::builder().mount(prefix, inner).build().unwrap()),
            Self::Axum => app(Router::new().nest_service(prefix, inner)),
            Self::Files => app(ServeDir::new("no-such-folder").fallback(inner)),
        }
    }
}

/// Responds with SCRIPT_NAME, PATH_INFO and the path of the URI, a line each.
fn place() -> App {
    app(service_fn(async |request: Request<Body>| {
        let (script_name, path_info) = (request.script_name(), request.path_info());
        let uri = request.uri();
        let text = format!(
            "{script_name}\n{path_info}\n{}\n{:?}",
            uri.path(),
            uri.query()
        );
        Ok::<_, Infallible>(Response::new(Body::from(text)))
    }))
}

fn ask(app: App, uri: &str) -> (StatusCode, String) {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    // Files are read on another thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let response = app.oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

fn mount() -> impl Strategy<Value = (Mount, &'static str)> {
    let who = prop_oneof![
        Just(Mount::Layer),
        Just(Mount::Dispatch),
        Just(Mount::Axum),
        Just(Mount::Files),
    ];
    (who, prop_oneof![Just("/a"), Just("/admin"), Just("/a/b")])
}

/// The text, with each character verbatim or encoded.
fn spelling(text: &'static str) -> impl Strategy<Value = String> {
    vec(0..6, text.len()).prop_map(|ways| {
        let spell = |(byte, way): (u8, i32)| match way {
            0 if byte != b'/' => format!("%{byte:02x}"),
            1 if byte != b'/' => format!("%{byte:02X}"),
            _ => char::from(byte).to_string(),
        };
        text.bytes().zip(ways).map(spell).collect()
    })
}

fn rest() -> impl Strategy<Value = String> {
    let segments = [
        "",
        "/",
        "/a",
        "/b",
        "/%61",
        "/a%2Fb",
        "//",
        "/.",
        "/%2e%2e",
        "/J%C3%B6rg",
        "/a/",
        "/admin",
        "/%zz",
        "/%FF",
        "/a%",
    ];
    vec(proptest::sample::select(segments.to_vec()), 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn script_name_and_path_info_are_the_raw_path(
        mounts in vec(mount(), 0..4),
        spelled in any::<bool>(),
        rest in rest(),
        query in prop_oneof![Just(""), Just("?"), Just("?a=/b")],
    ) {
        let mut service = place();
        let mut raw = String::new();
        for (who, prefix) in mounts.iter().rev() {
            service = who.of(prefix, service);
            if !matches!(who, Mount::Files) {
                raw.insert_str(0, prefix);
            }
        }
        // axum compares raw paths.
        if spelled && !mounts.iter().any(|(who, _)| matches!(who, Mount::Axum)) {
            raw = raw.replace('d', "%64");
        }
        let taken = raw.clone();
        raw.push_str(&rest);
        if !raw.starts_with('/') {
            raw.insert(0, '/');
        }
        let axum = mounts.iter().any(|(who, _)| matches!(who, Mount::Axum));
        let (status, text) = ask(service, &format!("{raw}{query}"));
        if axum && raw.contains("//") && status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        prop_assert_eq!(status, StatusCode::OK);
        let mut lines = text.split('\n');
        let mut line = || lines.next().unwrap();
        let (script_name, path_info, path) = (line(), line(), line());
        prop_assert_eq!(&format!("{script_name}{path_info}"), &raw);
        // axum strips one slash too many from a path with an empty segment.
        if !(axum && raw.contains("//")) {
            prop_assert_eq!(script_name, taken);
        }
        prop_assert_eq!(if path_info.is_empty() { "/" } else { path_info }, path);
        prop_assert_eq!(line(), format!("{:?}", query.strip_prefix('?')));
    }
}

proptest! {
    #[test]
    fn every_spelling_of_a_path_leads_to_the_same_place(spelling in spelling("/admin/x")) {
        let folder = std::env::temp_dir().join(format!("mounts-{}", std::process::id()));
        fs::create_dir_all(folder.join("admin")).unwrap();
        fs::write(folder.join("admin/x"), "there").unwrap();

        let there = service_fn(async |_: Request<Body>| Ok::<_, Infallible>("there".into_response()));
        let route = |template: &str| Dispatch::builder().route(template, there).build().unwrap();
        let apps = [
            app(MountLayer::new("/admin").unwrap().layer(there)),
            app(MountLayer::new("/admin/x").unwrap().layer(there)),
            app(Dispatch::builder().mount("/admin", there).build().unwrap()),
            app(route("/admin/x")),
            app(route("/admin/{file}")),
            app(ServeDir::new(&folder)),
            app(MountLayer::new("/admin").unwrap().layer(ServeDir::new(folder.join("admin")))),
        ];
        for (index, app) in apps.into_iter().enumerate() {
            let got = ask(app, &spelling);
            prop_assert_eq!(got, (StatusCode::OK, "there".to_owned()), "app {}", index);
        }
    }
}

/// The encoded slash that the README of tower-environ warns about.
#[test]
fn serve_dir_takes_an_encoded_slash_for_a_slash_and_a_mount_does_not() {
    let folder = std::env::temp_dir().join(format!("mounts-slash-{}", std::process::id()));
    fs::create_dir_all(folder.join("admin")).unwrap();
    fs::write(folder.join("admin/x"), "there").unwrap();
    let there = place();
    let encoded = "/admin%2Fx";
    assert_eq!(ask(app(ServeDir::new(&folder)), encoded).1, "there");
    assert_eq!(
        ask(Mount::Layer.of("/admin", there.clone()), encoded).0,
        404
    );
    assert_eq!(ask(Mount::Dispatch.of("/admin", there), encoded).0, 404);
}

/// The mounted service serves a directory. Its redirects lack the mount unless they are configured.
#[test]
fn serve_dir_below_a_mount_redirects_with_its_prefix() {
    let folder = std::env::temp_dir().join(format!("mounts-redirect-{}", std::process::id()));
    fs::create_dir_all(folder.join("sub")).unwrap();
    let files = ServeDir::new(&folder).redirect_path_prefix("/files");
    let files = MountLayer::new("/files").unwrap().layer(files);
    let request = Request::get("/files/sub").body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let response = runtime.block_on(files.oneshot(request)).unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(response.headers()["location"], "/files/sub/");
}
