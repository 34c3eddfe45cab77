//! Interpolation follows its rules, ends, and does not grow beyond its bounds. The fuzz target and
//! the test that replays its corpus share this file.

use std::{convert::Infallible, path::Path};

use http::{Request, Response};
use tower::service_fn;
use tower_deploy::{App, Body, Document, ErrorKind, Loader, Registry, Settings};

pub(crate) fn ini_interpolate(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let file = format!("[DEFAULT]\nd = 50%%\n[app:main]\nuse = egg:fake\n{text}\n");
    let Ok(document) = Document::parse(Path::new("/fuzz.ini"), file.clone()) else {
        return;
    };
    let registry = Registry::new().app("fake", |_, _: Settings| {
        let nothing = service_fn(async |_: Request<Body>| {
            Ok::<_, Infallible>(Response::new(Body::default()))
        });
        Ok::<_, Infallible>(App::new(nothing))
    });
    let loader = Loader::new(registry).files(move |_| Ok(file.clone().into_bytes()));
    match loader.app_config("config:/fuzz.ini") {
        Ok(config) => {
            let Some((_, raw)) = document.sections().next() else {
                return;
            };
            for (key, raw) in raw {
                let Some(value) = config.local.get(key) else {
                    continue;
                };
                assert!(value.len() <= 1 << 16);
                // Without names there are only percent signs.
                if !raw.contains("%(") {
                    assert_eq!(value, raw.replace("%%", "%"), "{key}");
                }
            }
        }
        Err(error) => {
            let is_about_values = matches!(
                error.kind(),
                ErrorKind::InterpolationUnknown
                    | ErrorKind::InterpolationSyntax
                    | ErrorKind::InterpolationDepth
            );
            assert!(!is_about_values || (error.place().is_some() && error.key_name().is_some()));
        }
    }
}
