//! Paste's cascade, with apps that answer a plain list.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_cascade::CascadeLayer;

use crate::{Verdict, bytes};

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;
type App = BoxCloneSyncService<Request<AnyBody>, Response<AnyBody>, Infallible>;

/// What an app has seen, in the table's terms.
type Log = Arc<Mutex<Vec<Value>>>;

/// What the apps before have left in the request.
#[derive(Clone, Debug, Default)]
struct Marks(String);

pub(crate) fn run(vector: &Value) -> Verdict {
    if vector["op"] != "call" {
        return Verdict::NoRunner("tower-deploy");
    }
    let apps: Vec<&Value> = vector["apps"].as_array().into_iter().flatten().collect();
    if apps.iter().any(|app| app["kind"] != "list") {
        return Verdict::NoRunner("apps that answer late");
    }
    if apps.iter().any(|app| !app["raises"].is_null()) {
        return Verdict::NoRunner("errors as a reason to go on");
    }
    let catch = match &vector["catch"] {
        Value::Null => Some(vec![StatusCode::NOT_FOUND]),
        catch => catch.as_array().into_iter().flatten().map(status).collect(),
    };
    let Some(catch) = catch else {
        return Verdict::Difference("a status is a number");
    };
    let Some((last, first)) = apps.split_last() else {
        return Verdict::Difference("an empty list answers 404, and cannot be built from layers");
    };

    let body_length = bytes(&vector["request"]["body"]).len();
    let log: Log = Arc::new(Mutex::new(vec![Value::Null; apps.len()]));
    let mut stack = app(last, apps.len() - 1, &log);
    for (index, first) in first.iter().enumerate().rev() {
        let inner = stack.map_request(|request: Request<_>| request.map(any));
        let first = app(first, index, &log).map_request(|request: Request<_>| request.map(any));
        let layer = CascadeLayer::new(first)
            .allow_auth_statuses()
            .on(catch.clone());
        let cascade = match layer {
            Ok(layer) => layer.layer(inner),
            Err(error) => return Verdict::Failed("a layer".into(), error.to_string()),
        };
        stack = BoxCloneSyncService::new(cascade.map_response(|response| response.map(any)));
    }
    let request = Request::builder()
        .method(vector["request"]["method"].as_str().unwrap_or("GET"))
        .uri(vector["request"]["path"].as_str().unwrap_or("/"))
        .body(any(Full::from(bytes(&vector["request"]["body"]))));
    let Ok(request) = request else {
        return Verdict::Failed("a request".into(), vector["request"].to_string());
    };

    let answer = async {
        let response = stack
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        (
            parts,
            body.collect()
                .await
                .map(http_body_util::Collected::to_bytes),
        )
    };
    let Some((parts, Ok(body))) = answer.now_or_never() else {
        return Verdict::Failed("an answer".into(), "none".into());
    };
    let paste = &vector["expect"]["paste"];
    let seen = json!({
        "status": parts.status.as_u16(),
        "headers": headers(&parts.headers),
        "body": latin1(&body),
        "apps": &*log.lock().unwrap_or_else(PoisonError::into_inner),
    });
    let expected = json!({
        "status": paste["status"],
        // HTTP's names have no case, and http's are in lower case.
        "headers": paste["headers"].as_array().into_iter().flatten().map(|header| {
            json!([header[0].as_str().unwrap_or_default().to_ascii_lowercase(), header[1]])
        }).collect::<Vec<_>>(),
        "body": paste["body"],
        "apps": paste["apps"].as_array().into_iter().flatten().map(|app| match &app["called"] {
            Value::Number(called) if called.as_u64() != Some(0) => {
                json!({"saw": app["saw"], "marks": app["marks_seen"]})
            }
            _ => Value::Null,
        }).collect::<Vec<_>>(),
    });
    // Only what the apps saw of the body may differ, and only where Paste does not replay it.
    let saw_nothing = |value: &Value| {
        let mut value = value.clone();
        for app in value["apps"].as_array_mut().into_iter().flatten() {
            app["saw"].take();
        }
        value
    };
    let replayed = vector["request"]["content_length"] != "auto";
    if replayed && expected != seen && saw_nothing(&expected) == saw_nothing(&seen) {
        return Verdict::Difference("a body is replayed whatever its framing");
    }
    // Paste copies the body beforehand and misses what was promised; here a server would have.
    let promised = vector["request"]["content_length"]
        .as_str()
        .and_then(|length| length.parse().ok());
    if expected != seen && promised.is_some_and(|length: usize| length > body_length) {
        return Verdict::Difference("a body is not read before an app reads it");
    }
    Verdict::equal(expected, seen)
}

fn any<B>(body: B) -> AnyBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// An app as the table describes it.
fn app(description: &Value, index: usize, log: &Log) -> App {
    let (description, log) = (description.clone(), log.clone());
    BoxCloneSyncService::new(service_fn(move |request: Request<AnyBody>| {
        let (description, log) = (description.clone(), log.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let marks = parts.extensions.get_or_insert_default::<Marks>();
            let marks_seen = marks.0.clone();
            if description["marks"] == true {
                marks.0.push_str(&index.to_string());
            }
            let saw = match &description["reads"] {
                Value::String(reads) if reads == "none" => Value::Null,
                reads => latin1(&read(body, reads.as_u64()).await),
            };
            log.lock().unwrap_or_else(PoisonError::into_inner)[index] =
                json!({"saw": saw, "marks": marks_seen});
            Ok(answer(&description))
        }
    }))
}

/// So many bytes of a body, or all.
async fn read(body: AnyBody, limit: Option<u64>) -> Vec<u8> {
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let mut body = pin!(body);
    let mut read = Vec::new();
    while read.len() < limit {
        match body.frame().await {
            Some(Ok(frame)) => read.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            _ => break,
        }
    }
    read.truncate(limit);
    read
}

fn answer(description: &Value) -> Response<AnyBody> {
    let body: Vec<u8> = description["body"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(bytes)
        .collect();
    let mut response = Response::new(any(Full::from(body)));
    *response.status_mut() =
        status(&description["status"]).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for header in description["headers"].as_array().into_iter().flatten() {
        let name = HeaderName::from_bytes(&bytes(&header[0]));
        let value = HeaderValue::from_bytes(&bytes(&header[1]));
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn status(value: &Value) -> Option<StatusCode> {
    StatusCode::from_u16(u16::try_from(value.as_u64()?).ok()?).ok()
}

/// As the table writes them; names without regard to case.
fn headers(headers: &http::HeaderMap) -> Value {
    let headers = headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), latin1(value.as_bytes())]));
    headers.collect::<Vec<_>>().into()
}

fn latin1(bytes: &[u8]) -> Value {
    bytes
        .iter()
        .map(|&byte| char::from(byte))
        .collect::<String>()
        .into()
}
