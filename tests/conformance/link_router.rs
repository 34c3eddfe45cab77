//! link.wsgi's router, its middlewares and its response object. The router is a dispatcher in which
//! the first path match decides. The middlewares are hooks around its endpoints. The response
//! object is in this file.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    panic,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH},
    request, response,
};
use http_body_util::{BodyExt, Full};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde_json::Value;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_dispatch::{Dispatch, Pattern};
use tower_exception::ExceptionLayer;
use tower_hooks::{BoxHook, Hook, HookList, HooksLayer};

use crate::{Verdict, bytes};

type Body = Full<Bytes>;

/// The objects that were made and the methods that were called, in order.
type Calls = Arc<Mutex<Vec<String>>>;

/// The content of link.wsgi's response object. Outer layers find it in the response's extensions.
#[derive(Clone, Default)]
struct LinkResponse {
    status: Option<u16>,
    headers: Vec<(String, String)>,
    content: Option<Value>,
    /// An exception that ends a Python program, which no code catches.
    exits: bool,
}

/// A true result of an `after`: the others leave the response alone.
#[derive(Clone)]
struct Stopped;

/// Python's exception.
fn raise() -> ! {
    panic::resume_unwind(Box::new("raised"));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

impl LinkResponse {
    fn act(&mut self, actions: &Value, request: &request::Parts) {
        for action in list(actions) {
            let Some((name, value)) = action.as_object().and_then(|action| action.iter().next())
            else {
                continue;
            };
            match name.as_str() {
                "status" => self.status = value.as_u64().and_then(|status| status.try_into().ok()),
                "content" => self.content = Some(value.clone()),
                "header" => {
                    let (name, value) = (text(&value[0]).to_owned(), text(&value[1]).to_owned());
                    match self.headers.iter_mut().find(|(other, _)| *other == name) {
                        Some((_, old)) => *old = value,
                        None => self.headers.push((name, value)),
                    }
                }
                "echo" => {
                    self.content = Some(Value::from(match text(value) {
                        "method" => request.method.to_string(),
                        "path" => path(request),
                        other => panic!("the request's {other}"),
                    }));
                }
                "read_content" => self.content = Some("".into()),
                "raise_exit" => {
                    self.exits = true;
                    return;
                }
                // Bytes are not JSON.
                "content_bytes" | "raise" => raise(),
                other => panic!("an action {other}"),
            }
        }
    }

    /// Serialised, as the router does it in the end.
    fn send(&self) -> Response<Body> {
        let body = self.content.as_ref().map(|content| match content {
            Value::String(text) if text.is_empty() || text.ends_with('\n') => text.clone(),
            Value::String(text) => format!("{text}\n"),
            other => format!("{}\n", json(other)),
        });
        let mut response = Response::default();
        let status = StatusCode::from_u16(self.status.unwrap_or(200));
        let known = status
            .ok()
            .filter(|status| status.canonical_reason().is_some());
        *response.status_mut() = known.filter(|_| !self.exits).unwrap_or_else(|| raise());
        let headers = response.headers_mut();
        if let Some(body) = &body {
            headers.insert(CONTENT_LENGTH, body.len().into());
        }
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap_or_else(|_| raise());
            let value: HeaderValue = value.parse().unwrap_or_else(|_| raise());
            if name == CONTENT_LENGTH {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        *response.body_mut() = body.unwrap_or_default().into();
        response
    }
}

/// As Python's `json.dumps` writes it.
fn json(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let list: Vec<_> = list.iter().map(json).collect();
            format!("[{}]", list.join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", json(&name.as_str().into()), json(value))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => {
            let mut out = String::new();
            for c in other.to_string().chars() {
                if c.is_ascii() {
                    out.push(c);
                } else {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
            out
        }
    }
}

fn path(request: &request::Parts) -> String {
    percent_decode_str(request.uri.path())
        .decode_utf8_lossy()
        .into_owned()
}

/// A handler: a function, or a class with one object, which is made when it is first needed.
struct Handler {
    name: String,
    definition: Value,
    is_made: Mutex<bool>,
    calls: Calls,
}

impl Handler {
    fn call(&self, request: &request::Parts) -> Response<Body> {
        let mut response = LinkResponse::default();
        let class = &self.definition["class"];
        let actions = if class.is_object() {
            let mut is_made = self
                .is_made
                .lock()
                .unwrap_or_else(|error| error.into_inner());
            if !*is_made {
                self.log(format!("new {}", self.name));
                response.act(&self.definition["init"], request);
                *is_made = true;
            }
            &class[request.method.as_str().to_ascii_lowercase()]
        } else {
            &self.definition["function"]
        };
        if actions.is_null() {
            // No such name.
            raise();
        }
        self.log(format!("handler {}", self.name));
        response.act(actions, request);
        let mut answer = Response::new(Body::default());
        answer.extensions_mut().insert(response);
        answer
    }

    fn log(&self, call: String) {
        log(&self.calls, call);
    }
}

fn log(calls: &Calls, call: String) {
    let mut calls = calls.lock().unwrap_or_else(|error| error.into_inner());
    calls.push(call);
}

/// Makes all middlewares when the first request has a route.
struct Makes {
    names: Vec<String>,
    definitions: Value,
    is_made: Mutex<bool>,
    calls: Calls,
}

impl Hook for Makes {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let mut is_made = self
            .is_made
            .lock()
            .unwrap_or_else(|error| error.into_inner());
        if !*is_made {
            for name in &self.names {
                if self.definitions[name].is_null() {
                    raise();
                }
                log(&self.calls, format!("new {name}"));
            }
            *is_made = true;
        }
        ControlFlow::Continue(())
    }
}

struct Middleware {
    name: String,
    definition: Value,
    calls: Calls,
}

impl Hook for Middleware {
    type State = Option<request::Parts>;

    async fn before(
        &self,
        state: &mut Self::State,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        *state = Some(request.clone());
        if self.definition["before"].is_null() {
            // The base class has one that is not implemented.
            raise();
        }
        log(&self.calls, format!("{}.before", self.name));
        let mut response = LinkResponse::default();
        response.act(&self.definition["before"], request);
        if is_true(&self.definition["before_returns"]) {
            ControlFlow::Break(response.send())
        } else {
            ControlFlow::Continue(())
        }
    }

    async fn after(&self, request: &mut Self::State, response: &mut response::Parts) {
        let stopped = response.extensions.get::<Stopped>().is_some();
        let Some(request) = request.as_ref().filter(|_| !stopped) else {
            return;
        };
        if self.definition["after"].is_null() {
            raise();
        }
        log(&self.calls, format!("{}.after", self.name));
        if let Some(own) = response.extensions.get_mut::<LinkResponse>() {
            own.act(&self.definition["after"], request);
        }
        if is_true(&self.definition["after_returns"]) {
            response.extensions.insert(Stopped);
        }
    }
}

/// The routes; a pattern that is repeated keeps its first place and has its last value, as in a
/// Python dict.
fn routes(vector: &Value) -> Vec<(&str, &serde_json::Map<String, Value>)> {
    let mut routes: Vec<(&str, _)> = Vec::new();
    for route in list(&vector["urlpatterns"]) {
        let (pattern, methods) = (text(&route[0]), route[1].as_object());
        let methods = methods.expect("methods are an object");
        match routes.iter_mut().find(|(other, _)| *other == pattern) {
            Some((_, old)) => *old = methods,
            None => routes.push((pattern, methods)),
        }
    }
    routes
}

fn router(
    vector: &Value,
    calls: &Calls,
) -> Result<Dispatch<tower_dispatch::Endpoint<Body, BoxError>>, BoxError> {
    let names = list(&vector["middlewares"])
        .iter()
        .map(|name| text(name).to_owned());
    let names: Vec<String> = names.collect();
    let makes = BoxHook::new(Makes {
        names: names.clone(),
        definitions: vector["middleware_defs"].clone(),
        is_made: Mutex::default(),
        calls: calls.clone(),
    });
    let hooks = names.into_iter().map(|name| {
        BoxHook::new(Middleware {
            definition: vector["middleware_defs"][&name].clone(),
            name,
            calls: calls.clone(),
        })
    });
    let hooks: HookList = std::iter::once(makes).chain(hooks).collect();

    let mut handlers = HashMap::new();
    let mut builder = Dispatch::builder();
    for (pattern, methods) in routes(vector) {
        let mut has_methods = false;
        for (method, handler) in methods {
            let name = text(handler);
            let definition = &vector["handlers"][name];
            let class = &definition["class"];
            if class.is_object() && class[method.to_ascii_lowercase()].is_null() {
                // A view knows its own methods.
                continue;
            }
            let handler = handlers.entry(name).or_insert_with(|| {
                Arc::new(Handler {
                    name: name.to_owned(),
                    definition: definition.clone(),
                    is_made: Mutex::default(),
                    calls: calls.clone(),
                })
            });
            let handler = handler.clone();
            let endpoint = service_fn(move |request: Request<Body>| {
                let handler = handler.clone();
                async move { Ok::<_, BoxError>(handler.call(&request.into_parts().0)) }
            });
            let method = Method::from_bytes(method.as_bytes())?;
            builder = builder.method(method, Pattern::regex_prefix(pattern)?, endpoint);
            has_methods = true;
        }
        if !has_methods {
            // It matches, and has no method that a request could have.
            let never = service_fn(
                async |_: Request<Body>| -> Result<Response<Body>, BoxError> { raise() },
            );
            let none = Method::from_bytes(b"-")?;
            builder = builder.method(none, Pattern::regex_prefix(pattern)?, never);
        }
    }
    let hooks = HooksLayer::list(hooks).skip_after_on_abort();
    Ok(builder.layer(hooks).first_path_match_decides().build()?)
}

pub(crate) fn run(vector: &Value) -> Verdict {
    let calls = Calls::default();
    let router = match router(vector, &calls) {
        Ok(router) => router,
        Err(_)
            if list(&vector["expect"])
                .iter()
                .any(|expect| !expect["raised"].is_null()) =>
        {
            return Verdict::Difference("patterns are compiled when the table is made");
        }
        Err(error) => return Verdict::Failed("a router".into(), error.to_string()),
    };
    let mut verdict = Verdict::Passed;
    for (request, expect) in list(&vector["requests"])
        .iter()
        .zip(list(&vector["expect"]))
    {
        match one(vector, &router, &calls, request, expect) {
            Verdict::Passed => {}
            failed @ Verdict::Failed(..) => return failed,
            other => verdict = other,
        }
    }
    verdict
}

fn one(
    vector: &Value,
    router: &Dispatch<tower_dispatch::Endpoint<Body, BoxError>>,
    calls: &Calls,
    request: &Value,
    expect: &Value,
) -> Verdict {
    const PATH: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_');
    let path_info = bytes(&request["path_info"]);
    if !path_info.starts_with(b"/") {
        return Verdict::Skipped("a path that no URI has");
    }
    let uri = format!(
        "{}?{}",
        percent_encode(&path_info, PATH),
        text(&request["query_string"])
    );
    let method = text(&request["method"]);
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::default());
    let request = request.expect("a request");
    let app = ExceptionLayer::production(|_| {}).layer(router.clone());
    let response = app.oneshot(request).now_or_never();
    let response = response
        .expect("nothing here waits")
        .unwrap_or_else(|never| match never {});
    let own = response.extensions().get::<LinkResponse>().cloned();
    let sent = panic::catch_unwind(|| own.map(|own| own.send()));
    let seen_calls = std::mem::take(&mut *calls.lock().unwrap_or_else(|error| error.into_inner()));
    let Ok(sent) = sent else {
        let raised = !expect["raised"].is_null();
        let same = raised && list(&expect["calls"]).iter().map(text).eq(&seen_calls);
        return match same {
            true => Verdict::Passed,
            false => Verdict::Failed(expect.to_string(), format!("raised {seen_calls:?}")),
        };
    };
    let response = match sent {
        Some(response) => response,
        None => {
            let (head, body) = response.into_parts();
            let body = body.collect().now_or_never().expect("nothing here waits");
            Response::from_parts(head, body.expect("it is whole").to_bytes().into())
        }
    };
    let status = response.status().as_u16();
    let headers = headers(response.headers());
    let body = response.into_body().collect().now_or_never();
    let body = body
        .expect("nothing here waits")
        .unwrap_or_else(|never| match never {});
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();

    let expected_calls: Vec<_> = list(&expect["calls"]).iter().map(text).collect();
    let expected_status = expect["status"].as_u64().unwrap_or_default();
    let expected_body: String = list(&expect["body"]).iter().map(text).collect();
    let expected_headers = list(&expect["headers"]).iter().map(|header| {
        (
            text(&header[0]).to_ascii_lowercase(),
            text(&header[1]).to_owned(),
        )
    });
    let mut expected_headers: Vec<_> = expected_headers.collect();
    expected_headers.sort();

    let same_way = seen_calls == expected_calls && u64::from(status) == expected_status;
    // The router's own responses have other texts than link.wsgi's.
    let is_routers = matches!(expected_status, 404 | 405) && expected_calls.is_empty();
    let is_refused = expected_status == 405 && is_routers;
    let same = if !expect["traceback"].is_null() || is_routers {
        same_way && is_refused == headers.iter().any(|(name, _)| name == ALLOW.as_str())
    } else {
        same_way && body == expected_body && headers == expected_headers
    };
    if same {
        return Verdict::Passed;
    }
    match ruling(vector, method, &path_info, status) {
        Some(ruling) => Verdict::Difference(ruling),
        None => Verdict::Failed(
            expect.to_string(),
            format!("{status} {headers:?} {body:?} {seen_calls:?}"),
        ),
    }
}

fn headers(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let headers = headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    headers
}

/// Deliberate departures, if this is one.
fn ruling(vector: &Value, method: &str, path: &[u8], status: u16) -> Option<&'static str> {
    let definitions = vector["middleware_defs"].as_object();
    let middlewares = || {
        definitions
            .into_iter()
            .flatten()
            .map(|(_, definition)| definition)
    };
    let lost = |definition: &Value| {
        !is_true(&definition["before_returns"]) && !list(&definition["before"]).is_empty()
    };
    let class_without = |(_, methods): &(&str, &serde_json::Map<String, Value>)| {
        methods.iter().any(|(method, handler)| {
            let class = &vector["handlers"][text(handler)]["class"];
            class.is_object() && class[method.to_ascii_lowercase()].is_null()
        })
    };
    let decoded = String::from_utf8_lossy(path);
    if path.contains(&b'%') {
        return Some("no double decoding");
    }
    if std::str::from_utf8(path).is_err() {
        return (status == 400).then_some("a path that is not UTF-8 is refused");
    }
    if decoded.ends_with('\n') && status == 404 {
        return Some("`$` is the very end");
    }
    let odd = |segment| matches!(segment, "" | "." | "..");
    if decoded != "/" && decoded[1..].split('/').any(odd) {
        return Some("no normalising of the path");
    }
    if method != method.to_ascii_uppercase() {
        return Some("methods are case-sensitive");
    }
    if method == "OPTIONS" && status == 204 {
        return Some("OPTIONS is answered");
    }
    if method == "HEAD" {
        return Some("HEAD falls to GET");
    }
    if vector["tags"]
        .as_array()
        .is_some_and(|tags| tags.contains(&"bug-in-peer".into()))
    {
        return Some("the peer's cache mixes up handlers");
    }
    if status == 405 && routes(vector).iter().any(class_without) {
        return Some("a class without the method is 405");
    }
    if middlewares().any(lost) {
        return Some("what `before` does to a response is lost without an abort");
    }
    None
}
