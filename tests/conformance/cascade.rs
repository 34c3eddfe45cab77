//! Paste's cascade.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use serde_json::{Value, json};
use tower::{BoxError, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_cascade::CascadeLayer;
use tower_deploy::{Loader, Registry, Settings};

use crate::{Verdict, bytes, sockets};

type BoxedBody = UnsyncBoxBody<Bytes, BoxError>;
type Asked = tower_cascade::ReplayBody<BoxedBody>;
type App = BoxCloneSyncService<Request<Asked>, Response<BoxedBody>, Raised>;

/// The exception that an app raises.
#[derive(Clone, Debug, PartialEq)]
enum Raised {
    Http(u16),
    Error(String),
}

impl Raised {
    fn new(raises: &Value) -> Self {
        match &raises["code"] {
            Value::Null => Self::Error(raises["message"].as_str().unwrap_or_default().into()),
            code => Self::Http(
                code.as_u64()
                    .and_then(|code| code.try_into().ok())
                    .unwrap_or(0),
            ),
        }
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Raised {}

/// The state of an app's body: how many items were taken, and how often it was closed.
#[derive(Debug, Default)]
struct Counts {
    pulled: AtomicU64,
    closed: AtomicU64,
}

/// An iterator's items, the last of which may be an exception.
struct Items {
    items: VecDeque<Result<Bytes, Raised>>,
    counts: Arc<Counts>,
}

impl Body for Items {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let item = self.items.pop_front();
        if let Some(Ok(_)) = item {
            self.counts.pulled.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(item.map(|item| item.map(Frame::data).map_err(Into::into)))
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        self.counts.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The request as an app has seen it, in the table's terms.
type Log = Arc<Mutex<Vec<Value>>>;

/// Values that earlier apps have left in the request.
#[derive(Clone, Debug, Default)]
struct Marks(String);

pub(crate) fn run(vector: &Value) -> Verdict {
    if vector["op"] != "call" {
        return factory(vector);
    }
    let apps: Vec<&Value> = vector["apps"].as_array().into_iter().flatten().collect();
    if apps.iter().any(|app| app["when"] == "close") {
        return Verdict::Difference("dropping a body cannot fail");
    }
    let catch = match &vector["catch"] {
        Value::Null => Some(vec![StatusCode::NOT_FOUND]),
        catch => catch.as_array().into_iter().flatten().map(status).collect(),
    };
    let Some(catch) = catch else {
        return Verdict::Difference("a status is a number");
    };

    let body_length = bytes(&vector["request"]["body"]).len();
    let log: Log = Arc::new(Mutex::new(vec![Value::Null; apps.len()]));
    let counts: Vec<Arc<Counts>> = apps.iter().map(|_| Arc::default()).collect();
    let services: Vec<App> = (apps.iter().zip(&counts).enumerate())
        .map(|(index, (description, counts))| app(description, index, &log, counts))
        .collect();
    let caught: Vec<u16> = catch.iter().map(StatusCode::as_u16).collect();
    let cascade = CascadeLayer::list(services)
        .allow_auth_statuses()
        .statuses(catch);
    let cascade = match cascade {
        Ok(cascade) => cascade
            .on_error(move |raised: &Raised| match raised {
                Raised::Http(code) => caught.contains(code),
                Raised::Error(_) => false,
            })
            .on_error_any_method()
            .service(),
        Err(error) => return Verdict::Failed("a cascade".into(), error.to_string()),
    };
    let request = Request::builder()
        .method(vector["request"]["method"].as_str().unwrap_or("GET"))
        .uri(vector["request"]["path"].as_str().unwrap_or("/"))
        .body(any(Full::from(bytes(&vector["request"]["body"]))));
    let Ok(request) = request else {
        return Verdict::Failed("a request".into(), vector["request"].to_string());
    };

    let (mut parts, mut body, mut raised) = (None, Vec::new(), None);
    let answer = async {
        match cascade.oneshot(request).await {
            Err(error) => raised = Some(error),
            Ok(response) => {
                let (head, mut rest) = response.into_parts();
                parts = Some(head);
                while let Some(frame) = rest.frame().await {
                    match frame {
                        Ok(frame) => {
                            body.extend_from_slice(frame.data_ref().map_or(&[], |data| data))
                        }
                        Err(error) => raised = error.downcast().ok().map(|error| *error),
                    }
                }
            }
        }
    };
    if answer.now_or_never().is_none() {
        return Verdict::Failed("an answer".into(), "none".into());
    }
    let paste = &vector["expect"]["paste"];
    if apps.is_empty() && parts.as_ref().is_some_and(|parts| parts.status == 404) {
        return Verdict::Difference("an empty list answers 404");
    }
    let is_list = |index: usize| apps[index]["kind"] == "list";
    let counted = |index: usize, count: &AtomicU64| match is_list(index) {
        true => Value::Null,
        false => json!(count.load(Ordering::Relaxed)),
    };
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let answered = log.iter().rposition(|app| !app.is_null());
    let seen_apps = log.iter().enumerate().map(|(index, app)| {
        let mut app = app.clone();
        app["closed"] = counted(index, &counts[index].closed);
        // A discarded body is dropped; Paste drains it.
        if answered == Some(index) {
            app["pulled"] = counted(index, &counts[index].pulled);
        }
        app
    });
    let seen = json!({
        "raised": raised.map(|raised| match raised {
            Raised::Http(code) => json!(code),
            Raised::Error(message) => json!(message),
        }),
        "status": parts.as_ref().map(|parts| parts.status.as_u16()),
        "headers": parts.as_ref().map(|parts| headers(&parts.headers)),
        "body": latin1(&body),
        "apps": seen_apps.collect::<Vec<_>>(),
    });
    // An app that raises before it returns has no response, even after `start_response`.
    let in_call = paste["raised_in"] == "call";
    let unless_raised = |value: &Value| if in_call { Value::Null } else { value.clone() };
    let expected_apps = paste["apps"].as_array().into_iter().flatten().enumerate();
    let expected = json!({
        "raised": match &paste["raised"] {
            Value::Null => Value::Null,
            raised if raised["code"].is_null() => raised["message"].clone(),
            raised => raised["code"].clone(),
        },
        "status": unless_raised(&paste["status"]),
        // HTTP's names have no case, and http's are in lower case.
        "headers": unless_raised(&paste["headers"].as_array().into_iter().flatten().map(|header| {
            json!([header[0].as_str().unwrap_or_default().to_ascii_lowercase(), header[1]])
        }).collect::<Vec<_>>().into()),
        "body": paste["body"],
        "apps": expected_apps.map(|(index, app)| {
            let mut expected = match &app["called"] {
                Value::Number(called) if called.as_u64() != Some(0) => {
                    json!({"saw": app["saw"], "marks": app["marks_seen"]})
                }
                _ => Value::Null,
            };
            expected["closed"] = app["closed"].clone();
            if answered == Some(index) {
                expected["pulled"] = app["pulled"].clone();
            }
            expected
        }).collect::<Vec<_>>(),
    });
    if expected != seen && apps.iter().any(|app| app["kind"] == "lazy") {
        return Verdict::Difference(
            "an app that begins its answer late is judged by it like any other",
        );
    }
    if expected != seen
        && apps.iter().any(|app| {
            app["when"]
                .as_str()
                .is_some_and(|when| when.starts_with("item"))
        })
    {
        // Paste meets the exception while it drains the body, and then does not close it.
        let closed = seen["apps"][0]["closed"] == 1 && paste["apps"][0]["closed"] == 0;
        if closed && seen["body"] == expected["body"] && seen["status"] == expected["status"] {
            return Verdict::Difference("a body is dropped, not drained");
        }
    }
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
    // Paste copies the body beforehand and notices missing bytes; here a server notices them.
    let promised = vector["request"]["content_length"]
        .as_str()
        .and_then(|length| length.parse().ok());
    if expected != seen && promised.is_some_and(|length: usize| length > body_length) {
        return Verdict::Difference("a body is not read before an app reads it");
    }
    match Verdict::equal(expected, seen) {
        Verdict::Passed => through_a_socket(vector),
        verdict => verdict,
    }
}

/// The same from a file and through a server, for vectors in which no app raises: there apps cannot
/// fail.
fn through_a_socket(vector: &Value) -> Verdict {
    let apps = vector["apps"].as_array().into_iter().flatten();
    let is_plain = |app: &Value| app["when"].is_null() && app["kind"] != "lazy";
    let (paste, request) = (&vector["expect"]["paste"], &vector["request"]);
    let is_auto = request["content_length"] == "auto" || bytes(&request["body"]).is_empty();
    if !apps.clone().all(is_plain) || !is_auto {
        return Verdict::Passed;
    }
    let mut file =
        "[composite:main]\nuse = egg:Paste#cascade\nallow_auth_statuses = yes\n".to_owned();
    if let Value::Array(catch) = &vector["catch"] {
        let catch: Vec<String> = catch.iter().map(Value::to_string).collect();
        file += &format!("catch = {}\n", catch.join(" "));
    }
    let mut registry = Registry::standard();
    let log: Log = Arc::new(Mutex::new(Vec::new()));
    for (index, description) in apps.cloned().enumerate() {
        file += &format!("app{index} = egg:it#{index}\n");
        let log = log.clone();
        registry = registry.app(&format!("it#{index}"), move |_, (): ()| {
            let (description, log) = (description.clone(), log.clone());
            let app = service_fn(move |request: Request<tower_deploy::Body>| {
                let (description, log) = (description.clone(), log.clone());
                async move {
                    let saw = match &description["reads"] {
                        Value::String(reads) if reads == "none" => Value::Null,
                        reads => latin1(&read(request.into_body(), reads.as_u64()).await),
                    };
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(saw);
                    Ok::<_, Infallible>(answer(&description, Arc::default()))
                }
            });
            Ok::<_, Infallible>(tower_deploy::App::new(app))
        });
    }
    let loader = Loader::new(registry).files(move |_| Ok(file.clone().into_bytes()));
    let app = match loader.load_app("config:/site/main.ini") {
        Ok(app) => app,
        Err(error) => return Verdict::Failed("an app".into(), error.to_string()),
    };
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let body = bytes(&request["body"]);
    let got = match sockets::ask(app, text("path"), "localhost", text("method"), &body) {
        Ok(got) => got,
        Err(error) => return Verdict::Failed("an answer".into(), error.to_string()),
    };
    let saw = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let called = |app: &&Value| app["called"].as_u64().is_some_and(|called| called > 0);
    let expected = paste["apps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(called);
    let expected: Vec<Value> = expected.map(|app| app["saw"].clone()).collect();
    // A server sends no content for statuses without content.
    let has_content = text("method") != "HEAD" && ![204, 304].contains(&got.status);
    let body = if has_content {
        paste["body"].clone()
    } else {
        json!("")
    };
    let head = got.head.to_ascii_lowercase();
    for header in paste["headers"].as_array().into_iter().flatten() {
        let line = [&header[0], &header[1]].map(|part| part.as_str().unwrap_or_default());
        if !head.contains(&format!("{}: {}", line[0], line[1]).to_ascii_lowercase()) {
            return Verdict::Failed(line.join(": "), got.head);
        }
    }
    Verdict::equal(
        (paste["status"].as_u64(), body, expected),
        (Some(got.status.into()), latin1(&got.body), saw),
    )
}

fn any<B>(body: B) -> BoxedBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// An app as the table describes it.
fn app(description: &Value, index: usize, log: &Log, counts: &Arc<Counts>) -> App {
    let (description, log, counts) = (description.clone(), log.clone(), counts.clone());
    BoxCloneSyncService::new(service_fn(move |request: Request<Asked>| {
        let (description, log, counts) = (description.clone(), log.clone(), counts.clone());
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
            match description["when"].as_str() {
                Some("call" | "after_start") => Err(Raised::new(&description["raises"])),
                _ => Ok(answer(&description, counts)),
            }
        }
    }))
}

/// This number of bytes of a body, or all.
async fn read(body: impl Body<Data = Bytes>, limit: Option<u64>) -> Vec<u8> {
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

fn answer(description: &Value, counts: Arc<Counts>) -> Response<BoxedBody> {
    let chunks = description["body"].as_array().into_iter().flatten();
    let mut items: VecDeque<_> = chunks.map(|chunk| Ok(bytes(chunk).into())).collect();
    let when = description["when"].as_str().unwrap_or_default();
    if let Some(at) = when.strip_prefix("item:").and_then(|at| at.parse().ok()) {
        items.truncate(at);
        items.push_back(Err(Raised::new(&description["raises"])));
    }
    let mut response = Response::new(any(Items { items, counts }));
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

/// A section of a file: the apps that it names, in order, and the statuses that fall through.
fn factory(vector: &Value) -> Verdict {
    let paste = &vector["expect"]["paste"];
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let settings: Vec<Vec<String>> = vector["settings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(texts)
        .collect();
    let mut file = "[composite:main]\nuse = egg:Paste#cascade\n".to_owned();
    let mut names = Vec::new();
    for setting in &settings {
        let [key, value] = &setting[..] else {
            return Verdict::Failed("a key and a value".into(), format!("{setting:?}"));
        };
        file += &format!("{key} = {}\n", value.replace('\n', "\n    "));
        if key != "catch" && !names.contains(value) {
            names.push(value.clone());
        }
    }
    for name in &names {
        file += &format!("[app:{name}]\nuse = egg:it\nname = {name}\n");
    }
    let status = Arc::new(AtomicU64::new(0));
    let (asked, made) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(Vec::new())),
    );
    let registry = {
        let (status, asked, made) = (status.clone(), asked.clone(), made.clone());
        Registry::standard().app("it", move |_, local: Settings| {
            let name = local.get("name").unwrap_or_default().to_owned();
            made.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(name.clone());
            let (status, asked) = (status.clone(), asked.clone());
            Ok::<_, Infallible>(tower_deploy::App::new(service_fn(
                move |_: Request<tower_deploy::Body>| {
                    asked
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(name.clone());
                    let mut response = Response::new(Full::<Bytes>::default());
                    let status = u16::try_from(status.load(Ordering::Relaxed)).unwrap_or_default();
                    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
                    async { Ok::<_, Infallible>(response) }
                },
            )))
        })
    };
    let loader = Loader::new(registry).files(move |_| Ok(file.clone().into_bytes()));
    let app = match (
        loader.load_app("config:/site/main.ini"),
        paste["error"].is_null(),
    ) {
        (Ok(app), true) => app,
        (Err(_), false) => return Verdict::Passed,
        (app, _) => return Verdict::Failed(paste.to_string(), format!("{app:?}")),
    };
    let made = made.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if made != texts(&paste["asked"]) {
        return Verdict::equal(texts(&paste["asked"]), made);
    }
    let catch: Vec<u64> = paste["catch"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    let apps = texts(&paste["apps"]);
    for code in [200, 403, 404, 405, 500, 503] {
        status.store(code, Ordering::Relaxed);
        asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let request = Request::new(tower_deploy::Body::default());
        if app.clone().oneshot(request).now_or_never().is_none() {
            return Verdict::Failed("an answer at once".into(), "none".into());
        }
        let all = if catch.contains(&code) {
            apps.len()
        } else {
            apps.len().min(1)
        };
        let seen = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if seen != apps[..all] {
            return Verdict::Failed(format!("{code}: {:?}", &apps[..all]), format!("{seen:?}"));
        }
    }
    Verdict::Passed
}
