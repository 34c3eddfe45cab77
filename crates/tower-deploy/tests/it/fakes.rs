//! Factories of apps that respond with their settings, and files in memory.

use std::{collections::BTreeMap, convert::Infallible, io, path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use tower::{ServiceExt, service_fn};
use tower_deploy::{App, Body, BoxError, Error, Filter, Loader, Registry, Server, Settings};

pub(crate) fn says(text: String) -> App {
    App::new(service_fn(move |_: Request<Body>| {
        let text = text.clone();
        async move { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text))) }
    }))
}

pub(crate) async fn said(app: &App) -> String {
    let request = Request::new(Full::<Bytes>::default());
    let response = app.clone().oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

/// The settings of `egg:fake#typed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    pub(crate) port: u16,
    pub(crate) debug: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) names: Vec<String>,
    pub(crate) level: Level,
    pub(crate) factor: f64,
    pub(crate) title: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    #[default]
    Low,
    High,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Odd {
    pub(crate) token: Option<BTreeMap<String, String>>,
    pub(crate) secret: Option<u128>,
    pub(crate) pair: Option<(u8, u8)>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Needs {
    pub(crate) dir: String,
}

pub(crate) fn registry() -> Registry {
    Registry::new()
        .app("fake", |_, settings: Settings| {
            Ok::<_, BoxError>(says(settings.get("text").unwrap_or("app").to_owned()))
        })
        .app("fake#typed", |_, typed: Typed| {
            Ok::<_, BoxError>(says(format!("{typed:?}")))
        })
        .app("fake#needs", |_, needs: Needs| {
            Ok::<_, BoxError>(says(needs.dir))
        })
        .app("fake#odd", |_, odd: Odd| {
            Ok::<_, BoxError>(says(format!(
                "{:?} {:?} {:?}",
                odd.token, odd.secret, odd.pair
            )))
        })
        .app("fake#unit", |_, (): ()| {
            Ok::<_, BoxError>(says("unit".to_owned()))
        })
        .app("fake#fails", |_, (): ()| Err("the disk is full"))
        .app("fake#panics", |_, (): ()| -> Result<App, BoxError> {
            panic!("not today")
        })
        .app("fakemod:app", |_, _: Settings| {
            Ok::<_, BoxError>(says("call".to_owned()))
        })
        .composite(
            "fake#mount",
            |key| key.starts_with('/'),
            |_, _, apps| {
                let keys: Vec<String> = apps.keys().map(str::to_owned).collect();
                for key in &keys {
                    apps.app(key)?;
                }
                Ok::<_, BoxError>(says(keys.join(" ")))
            },
        )
        .composite(
            "fakemod:mount",
            |key| key.starts_with('/'),
            |_, _, apps| {
                let keys: Vec<String> = apps.keys().map(str::to_owned).collect();
                for key in &keys {
                    apps.app(key)?;
                }
                Ok::<_, BoxError>(says(keys.join(" ")))
            },
        )
        .filter("fake", |_, settings: Settings| {
            let prefix = settings.get("prefix").unwrap_or("filter:").to_owned();
            Ok::<_, BoxError>(Filter::from_fn(move |app: App| {
                let around = service_fn(move |_: Request<Body>| {
                    let (app, prefix) = (app.clone(), prefix.clone());
                    async move {
                        let inner = said(&app).await;
                        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(prefix + &inner)))
                    }
                });
                Ok::<_, BoxError>(App::new(around))
            }))
        })
        .filter("fake#broken", |_, (): ()| {
            Ok::<_, BoxError>(Filter::from_fn(|_| Err("it does not fit")))
        })
        .filter("fakemod:filter", |_, _: Settings| {
            Ok::<_, BoxError>(Filter::from_fn(Ok::<_, BoxError>))
        })
        .server("fakemod:server", |_, _: Settings| {
            Ok::<_, BoxError>(Server::new(|_| std::future::ready(Ok(()))))
        })
        .server("fake", |_, _: Settings| {
            Ok::<_, BoxError>(Server::new(|_| std::future::ready(Ok(()))))
        })
}

/// Returns a loader for these files, which are in `/site`.
pub(crate) fn loader(files: &[(&str, &str)]) -> Loader {
    let files: BTreeMap<String, Vec<u8>> = files
        .iter()
        .map(|(name, text)| (format!("/site/{name}"), text.as_bytes().to_vec()))
        .collect();
    Loader::new(registry())
        .relative_to("/site")
        .files(move |path: &Path| {
            let found = files.get(path.to_str().unwrap_or_default());
            found.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
        })
}

/// Returns the error of `main` in this file.
pub(crate) fn error(text: &str) -> Error {
    loader(&[("main.ini", text)])
        .load_app("config:main.ini")
        .unwrap_err()
}
