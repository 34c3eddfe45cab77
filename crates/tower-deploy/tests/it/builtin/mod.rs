//! The built-in parts.

mod composites;
mod compression;
mod connect;
mod defaults;
mod effective;
mod error_documents;
mod files;
mod filters;
#[cfg(unix)]
mod gateway;
mod origin;
#[cfg(unix)]
mod process;
mod rejections;
mod routes;
mod slips;
mod texts;

use std::{collections::BTreeMap, io, path::Path};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_deploy::{App, Body, Error, Loader, Registry};

/// Returns a loader for these files, which are in `/site`.
fn loader(registry: Registry, files: &[(&str, &str)]) -> Loader {
    let files: BTreeMap<String, Vec<u8>> = files
        .iter()
        .map(|(name, text)| (format!("/site/{name}"), text.as_bytes().to_vec()))
        .collect();
    Loader::new(registry).files(move |path: &Path| {
        let found = files.get(path.to_str().unwrap_or_default());
        found.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn load(files: &[(&str, &str)]) -> Result<App, Error> {
    loader(Registry::standard(), files).load_app("config:/site/main.ini")
}

fn site(text: &str) -> App {
    load(&[("main.ini", text)]).unwrap()
}

/// Returns the error of a file.
fn wrong(text: &str) -> String {
    load(&[("main.ini", text)]).unwrap_err().to_string()
}

async fn ask(app: &App, request: http::request::Builder) -> Response<Bytes> {
    send(app, request.body(Body::default()).unwrap()).await
}

async fn get(app: &App, path: &str) -> Response<Bytes> {
    ask(app, Request::get(path)).await
}

async fn send(app: &App, request: Request<Body>) -> Response<Bytes> {
    let Ok(response) = app.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}
