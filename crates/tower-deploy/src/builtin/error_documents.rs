//! `egg:tower#error-documents`: other bodies for error responses.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use tower::ServiceExt;
use tower_error_document::{Document, ErrorDocumentLayer};
use tower_layer::Layer;

use crate::{App, Body, Error, ErrorKind, Filter, Parts, Settings};

/// The statuses that a setting is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Statuses {
    One(StatusCode),
    Client,
    Server,
}

/// What a setting says.
#[derive(Clone)]
enum Wanted {
    Negotiated,
    Keep,
    Page { path: String, status: PageStatus },
}

#[derive(Clone, Copy)]
enum PageStatus {
    Failure,
    Own,
    Given(StatusCode),
}

pub(super) fn filter(_: &Settings, local: &Settings, _: &Parts<'_>) -> Result<Filter, Error> {
    let mut layer = ErrorDocumentLayer::new();
    let mut text = 0;
    let mut is_negotiated = false;
    let mut documents = Vec::new();
    for (key, value) in local.iter() {
        let wrong = |message: String, help: &str| {
            let error = Error::new(ErrorKind::Settings, message).key(key);
            error.at(value.place()).help(help)
        };
        match key {
            "any_content" => match value.text() {
                "yes" | "true" | "on" | "1" => layer = layer.any_content(),
                "no" | "false" | "off" | "0" => {}
                other => {
                    return Err(wrong(
                        format!("`{other}` is neither yes nor no"),
                        "write yes or no",
                    ));
                }
            },
            "text_limit" => {
                text = value.text().parse().map_err(|_| {
                    wrong(
                        "it is not a number of bytes".to_owned(),
                        "write one such as 500",
                    )
                })?;
            }
            "format" => match value.text() {
                "negotiated" => is_negotiated = true,
                other => {
                    return Err(wrong(
                        format!("the format `{other}` is not known"),
                        "write negotiated",
                    ));
                }
            },
            _ => {
                let statuses = statuses(key).ok_or_else(|| {
                    let error =
                        Error::new(ErrorKind::Settings, "it is no status and no setting").key(key);
                    error
                        .at(value.key_place.as_ref())
                        .help("write one such as 404, 4xx or 5xx")
                })?;
                let wanted = wanted(value.text()).map_err(|message| {
                    wrong(
                        message,
                        "write a path such as /404.html, =503 /sorry.html, negotiated or keep",
                    )
                })?;
                documents.push((statuses, wanted));
            }
        }
    }
    if is_negotiated {
        for class in [Statuses::Client, Statuses::Server] {
            // A class of its own setting is not meant, in particular if that is `keep`.
            if !documents.iter().any(|(statuses, _)| *statuses == class) {
                documents.push((class, Wanted::Negotiated));
            }
        }
    }
    // A status counts before its class, whatever the order.
    documents.sort_by_key(|(statuses, _)| matches!(statuses, Statuses::One(_)));
    Ok(Filter::from_fn(move |app: App| {
        let layer = documents
            .iter()
            .fold(layer.clone(), |layer, (statuses, wanted)| {
                with(layer, *statuses, wanted, text, &app)
            });
        Ok::<_, Infallible>(App::new(layer.layer(app)))
    }))
}

fn statuses(key: &str) -> Option<Statuses> {
    match key {
        "4xx" => Some(Statuses::Client),
        "5xx" => Some(Statuses::Server),
        _ => error_status(key).map(Statuses::One),
    }
}

fn error_status(text: &str) -> Option<StatusCode> {
    let status: StatusCode = text.parse().ok()?;
    (400..600).contains(&status.as_u16()).then_some(status)
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "negotiated" => return Ok(Wanted::Negotiated),
        "keep" => return Ok(Wanted::Keep),
        _ => {}
    }
    let mut words = text.split_whitespace();
    let (status, path) = match (words.next(), words.next(), words.next()) {
        (Some(path), None, _) => (PageStatus::Failure, path),
        (Some("="), Some(path), None) => (PageStatus::Own, path),
        (Some(status), Some(path), None) => {
            let status = status
                .strip_prefix('=')
                .and_then(|status| status.parse().ok());
            let status = status.filter(|status: &StatusCode| (200..600).contains(&status.as_u16()));
            let status = status.ok_or_else(|| "the status before the path is none".to_owned())?;
            (PageStatus::Given(status), path)
        }
        _ => return Err("it is not a path".to_owned()),
    };
    let check = |_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(http::Response::new(Body::default()))
    };
    Document::service(tower::service_fn(check), path).map_err(|error| error.to_string())?;
    let path = path.to_owned();
    Ok(Wanted::Page { path, status })
}

fn with(
    layer: ErrorDocumentLayer,
    statuses: Statuses,
    wanted: &Wanted,
    text: usize,
    app: &App,
) -> ErrorDocumentLayer {
    let document = match wanted {
        Wanted::Negotiated => Document::negotiated().with_text(text),
        Wanted::Keep => match statuses {
            Statuses::One(status) => return layer.except(status),
            // Without a document, a class stays as it is.
            Statuses::Client | Statuses::Server => return layer,
        },
        Wanted::Page { path, status } => {
            // The page is one of the app's own, as with Paste.
            let pages = app
                .clone()
                .map_request(|request: Request<Empty<Bytes>>| request.map(|_| Body::default()));
            let document = Document::service(pages, path).expect("the path was read before");
            match status {
                PageStatus::Failure => document,
                PageStatus::Own => document.with_own_status(),
                PageStatus::Given(status) => document.with_status(*status),
            }
        }
    };
    match statuses {
        Statuses::One(status) => layer.status(status, document),
        Statuses::Client => layer.client_errors(document),
        Statuses::Server => layer.server_errors(document),
    }
}
