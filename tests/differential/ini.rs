//! An INI file: what is in it, and what its sections lead to.

use std::{convert::Infallible, future::ready, path::Path};

use http::{Request, Response};
use serde_json::{Map, Value, json};
use tower::service_fn;
use tower_deploy::{App, Body, BoxError, Document, Filter, Loader, Registry, Settings};

/// Returns the sections of the text under `document`, and the configuration of each section that is
/// asked for under `configs`.
pub(crate) fn run(case: &Value) -> Value {
    let path = case["file"].as_str().unwrap_or_default();
    let text = case["text"].as_str().unwrap_or_default().to_owned();
    let document = match Document::parse(Path::new(path), text) {
        Ok(document) => {
            let sections = document.sections();
            let sections: Vec<Value> = sections
                .map(|(name, settings)| json!([name, settings.collect::<Vec<_>>()]))
                .collect();
            let defaults: Vec<_> = document.defaults().collect();
            json!({ "defaults": defaults, "sections": sections })
        }
        Err(error) => json!({ "error": error.to_string() }),
    };
    let loader = Loader::new(registry());
    let names = case["names"].as_array().into_iter().flatten();
    let configs: Vec<Value> = names
        .map(|name| {
            let name = name.as_str().unwrap_or_default();
            match loader.app_config(&format!("config:{path}#{name}")) {
                Ok(config) => json!({
                    "global": settings(&config.global),
                    "local": settings(&config.local),
                }),
                Err(error) => json!({ "error": error.to_string() }),
            }
        })
        .collect();
    json!({ "document": document, "configs": configs })
}

fn settings(settings: &Settings) -> Value {
    let settings = settings.iter();
    let members = settings.map(|(key, value)| (key.to_owned(), value.text().into()));
    Value::Object(members.collect::<Map<_, _>>())
}

/// The functions of the Python module that the files name. In Python, the type of a section decides
/// what a function is. None of them is called.
fn registry() -> Registry {
    let app = || {
        App::new(service_fn(|_: Request<Body>| {
            ready(Ok::<_, Infallible>(Response::new(Body::from(""))))
        }))
    };
    let names = ["fakes:app", "fakes:composite", "fakes:filter"];
    names.into_iter().fold(Registry::new(), |registry, name| {
        registry
            .app(name, move |_, _: Settings| Ok::<_, BoxError>(app()))
            .composite(name, |_| false, move |_, _, _| Ok::<_, BoxError>(app()))
            .filter(name, |_, _: Settings| {
                Ok::<_, BoxError>(Filter::from_fn(Ok::<_, BoxError>))
            })
    })
}
