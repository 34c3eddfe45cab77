//! Files as a client gets them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod axum;
mod cached;
mod conditions;
mod contract;
mod paths;
mod precompressed;
mod rejections;
mod responses;
mod threads;
mod versions;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use ::axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_lint::LintLayer;
use tower_static::Files;

/// A directory that is removed when the test is over. The served files are in `www`.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("tower-static-{name}-{}", std::process::id());
        let directory = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(directory.0.join("www")).unwrap();
        for (path, text) in files {
            directory.write(path, text.as_bytes());
        }
        directory
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Sets a file's time, in seconds since 1970.
    fn set_time(&self, path: &str, seconds: i64) {
        let since = Duration::from_secs(seconds.unsigned_abs());
        let time = match seconds < 0 {
            true => SystemTime::UNIX_EPOCH - since,
            false => SystemTime::UNIX_EPOCH + since,
        };
        let file = fs::File::options().write(true).open(self.0.join(path));
        file.unwrap().set_modified(time).unwrap();
    }

    fn files(&self) -> Files {
        Files::new(self.0.join("www"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns a site whose files lie beside secrets.
fn site(name: &str) -> Directory {
    Directory::new(
        name,
        &[
            ("secret.txt", "top secret"),
            ("www/index.html", "<p>hello"),
            ("www/a b.txt", "a b"),
            ("www/sub/index.html", "<p>sub"),
            ("www/sub/deep.txt", "deep"),
            ("www/.env", "top secret"),
            ("www/.git/config", "top secret"),
            ("www/sub/.htpasswd", "top secret"),
        ],
    )
}

/// Sends a request, which the lint watches.
async fn ask(files: &Files, request: request::Builder) -> Response<Bytes> {
    let service = LintLayer::new().layer(files.clone());
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

async fn get(files: &Files, path: &str) -> Response<Bytes> {
    ask(files, Request::get(path)).await
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name);
    value.map(|value| value.to_str().unwrap())
}
