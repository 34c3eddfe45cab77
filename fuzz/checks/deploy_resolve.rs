//! Any two files either resolve or have an error. The fuzz target and the test that replays its
//! corpus share this file.

use std::{convert::Infallible, path::Path};

use http::{Request, Response};
use tower::service_fn;
use tower_deploy::{App, Body, Filter, Loader, Registry, Settings};

fn nothing() -> App {
    App::new(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::default()))
    }))
}

pub(crate) fn deploy_resolve(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (main, other) = text.split_once('\0').unwrap_or((text, ""));
    let (main, other) = (main.to_owned(), other.to_owned());
    let registry = Registry::new()
        .app("fake", |_, _: Settings| Ok::<_, Infallible>(nothing()))
        .app("m:a", |_, _: Settings| Ok::<_, Infallible>(nothing()))
        .filter("fake", |_, _: Settings| {
            Ok::<_, Infallible>(Filter::from_fn(Ok::<_, Infallible>))
        })
        .filter("m:f", |_, _: Settings| {
            Ok::<_, Infallible>(Filter::from_fn(Ok::<_, Infallible>))
        })
        .composite(
            "fake#c",
            |key| key.starts_with('/'),
            |_, _, apps| {
                let keys: Vec<String> = apps.keys().map(str::to_owned).collect();
                for key in keys {
                    apps.app(&key)?;
                }
                Ok::<_, tower_deploy::Error>(nothing())
            },
        );
    let loader = Loader::new(registry).files(move |path: &Path| {
        let text = if path == Path::new("/main.ini") {
            &main
        } else {
            &other
        };
        Ok(text.clone().into_bytes())
    });
    match loader.plan_app("config:/main.ini") {
        Ok(plan) => {
            assert!(!plan.to_string().is_empty());
            assert!(plan.to_json().is_object());
            assert!(plan.to_mermaid().starts_with("flowchart TD\n"));
            loader
                .load_app("config:/main.ini")
                .expect("what can be planned can be built here");
        }
        Err(error) => assert!(!error.report(false).is_empty()),
    }
}
