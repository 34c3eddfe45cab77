//! The scenarios of [`check`](super::check).
//!
//! The messages of the first scenarios have nothing that a layer could act on, so it should not
//! change them. In those of [`pages`](super::pages) a client speaks like a browser and the inner
//! service like a site. There a layer may change everything, and breaks a rule only if the result
//! contradicts itself.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tower_service::Service;

use super::{
    Inner, Report,
    bench::{BROKEN, Bench, BoxError, ready, send},
    exchange::{Got, OfRequest, OfResponse, request, response, trailers},
    pages, waits,
};
use crate::{
    Lint, Rule,
    probe::{App, Body, Gate, Seen, Stalled, Step, block_on},
};

/// The name of a scenario, the rule that a panic breaks, and its function.
type Scenario<L> = (&'static str, Rule, fn(&Bench<'_, L>) -> Result<(), Stalled>);

pub(super) fn run<L, S, B>(layer: L) -> Report
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let report = Arc::default();
    for (name, about, scenario) in all::<L, S, B>() {
        Bench::new(&layer, name, &report).run(about, scenario);
    }
    let report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.clone()
}

/// Returns every scenario with the name that RULES.md explains.
fn all<L, S, B>() -> [Scenario<L>; 28]
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    [
        ("an exchange", Rule::ResponseHead, exchange),
        ("the next exchange", Rule::ResponseHead, next_exchange),
        ("a clone", Rule::ResponseHead, clone),
        ("a clone of a ready clone", Rule::Readiness, clone_of_ready),
        ("a known length", Rule::ContentLengthWrong, known_length),
        ("HEAD", Rule::BodyNotAllowed, |bench| {
            no_content(bench, Method::HEAD, StatusCode::OK, Some("8"))
        }),
        ("204", Rule::BodyNotAllowed, |bench| {
            no_content(bench, Method::GET, StatusCode::NO_CONTENT, None)
        }),
        ("205", Rule::ContentOfReset, |bench| {
            no_content(bench, Method::GET, StatusCode::RESET_CONTENT, Some("0"))
        }),
        ("304", Rule::BodyNotAllowed, |bench| {
            no_content(bench, Method::GET, StatusCode::NOT_MODIFIED, Some("8"))
        }),
        ("a failing service", Rule::ServiceError, service_error),
        ("a failing poll_ready", Rule::ReadyError, ready_error),
        ("a failing body", Rule::BodyError, body_error),
        ("a service that is not ready", Rule::Readiness, readiness),
        ("a late poll_ready", Rule::Wake, |bench| {
            let gate = Gate::new();
            let app = App::new(|_| Response::default()).ready_behind(gate.clone());
            wake(bench, app, &gate)
        }),
        ("a late response", Rule::Wake, |bench| {
            let gate = Gate::new();
            let app = App::new(|_| Response::default()).answers_behind(gate.clone());
            wake(bench, app, &gate)
        }),
        ("a late body", Rule::Wake, |bench| {
            let gate = Gate::new();
            let waits = gate.clone();
            let app = App::new(move |_| {
                let steps = [Step::Wait(waits.clone()), "late".into()];
                Response::new(Body::new(steps))
            });
            wake(bench, app, &gate)
        }),
        ("dropped at any point", Rule::Drop, |bench| {
            let respond = |_: &Seen| {
                let steps = [Step::Yield, "one".into(), Step::Yield, "two".into()];
                Response::new(Body::new(steps))
            };
            waits::drop_anywhere(bench, respond, request)
        }),
        ("GET of a page", Rule::ResponseHead, |bench| {
            pages::request(bench, Method::GET, &[])
        }),
        ("HEAD of a page", Rule::BodyNotAllowed, |bench| {
            pages::request(bench, Method::HEAD, &[])
        }),
        ("a range of a page", Rule::ResponseHead, |bench| {
            pages::request(bench, Method::GET, pages::RANGE)
        }),
        ("a range beyond a page", Rule::ResponseHead, |bench| {
            pages::request(bench, Method::GET, pages::BEYOND)
        }),
        ("a page that is known", Rule::BodyNotAllowed, |bench| {
            pages::request(bench, Method::GET, pages::KNOWN)
        }),
        ("POST to a page", Rule::ResponseHead, |bench| {
            pages::request(bench, Method::POST, pages::FORM)
        }),
        ("OPTIONS of a page", Rule::ResponseHead, |bench| {
            pages::request(bench, Method::OPTIONS, pages::PREFLIGHT)
        }),
        ("CONNECT", Rule::ContentOfConnect, |bench| {
            pages::request(bench, Method::CONNECT, &[])
        }),
        ("a failing page", Rule::BodyError, pages::body_error),
        ("a late page", Rule::Wake, pages::wake),
        (
            "a page dropped at any point",
            Rule::Drop,
            pages::drop_anywhere,
        ),
    ]
}

fn exchange<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| response()).yields(1);
    left_alone(bench, &app, &mut bench.stack(app.clone()))
}

/// Calls the same instance a second time.
fn next_exchange<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| response()).yields(1);
    let mut service = bench.stack(app.clone());
    if block_on(send(&mut service, request()))?.is_ok() {
        left_alone(bench, &app, &mut service)?;
    }
    Ok(())
}

/// Calls a clone of an instance that has served a request.
fn clone<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| response()).yields(1);
    let mut service = bench.stack(app.clone());
    if block_on(send(&mut service, request()))?.is_ok() {
        left_alone(bench, &app, &mut service.clone())?;
    }
    Ok(())
}

/// Checks that a clone does not copy the readiness of its original. The lint detects that.
fn clone_of_ready<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut first = bench.stack(App::new(|_| response()));
    if block_on(ready(&mut first))?.is_err() {
        return Ok(());
    }
    let mut clone = first.clone();
    // It may hold the only permit of all its clones.
    drop(first);
    if block_on(ready(&mut clone))?.is_err() {
        return Ok(());
    }
    let mut of_clone = clone.clone();
    drop(block_on(send_ready(&mut clone))?);
    let sent = block_on(send(&mut of_clone, request()))?;
    bench.expect(sent.is_ok(), Rule::Readiness, || {
        "its request became an error".to_owned()
    });
    Ok(())
}

/// Sends a request to an instance that is ready.
async fn send_ready<S, B>(service: &mut Lint<S>) -> Result<(), BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body,
{
    service.call(request()).await.map(drop).map_err(Into::into)
}

/// Checks that all of a request and of a response arrives.
fn left_alone<L, S, B>(
    bench: &Bench<'_, L>,
    app: &App,
    service: &mut Lint<S>,
) -> Result<(), Stalled>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let before = app.seen().len();
    match block_on(send(service, request()))? {
        Ok(got) => expect_response(bench, &got),
        Err(error) => {
            bench.broke(Rule::ResponseHead, format!("it became an error: {error}"));
            return Ok(());
        }
    }
    match app.seen().get(before) {
        Some(seen) => expect_request(bench, seen),
        None => bench.broke(
            Rule::RequestHead,
            "the request did not reach the inner service",
        ),
    }
    Ok(())
}

fn expect_request<L>(bench: &Bench<'_, L>, seen: &Seen) {
    let (parts, sent) = (&seen.parts, request());
    bench.expect(parts.method == Method::PATCH, Rule::RequestHead, || {
        format!("PATCH became {}", parts.method)
    });
    bench.expect(parts.uri == "/a%2Fb?c=d", Rule::RequestHead, || {
        format!("/a%2Fb?c=d became {}", parts.uri)
    });
    bench.expect(parts.version == Version::HTTP_2, Rule::RequestHead, || {
        format!("HTTP/2 became {:?}", parts.version)
    });
    bench.expect_headers(Rule::RequestHead, sent.headers(), &parts.headers);
    let extension = parts.extensions.get() == Some(&OfRequest);
    bench.expect(extension, Rule::RequestHead, || {
        "an extension is gone".to_owned()
    });
    bench.expect(seen.body == "request", Rule::RequestBody, || {
        format!("\"request\" became {:?}", seen.body)
    });
    expect_trailers(bench, Rule::RequestBody, seen.trailers.as_ref());
    bench.expect(seen.error.is_none(), Rule::RequestBody, || {
        format!("the body failed: {:?}", seen.error)
    });
}

fn expect_response<L>(bench: &Bench<'_, L>, got: &Got) {
    let (parts, given) = (&got.parts, response());
    let status = parts.status == StatusCode::CREATED;
    bench.expect(status, Rule::ResponseHead, || {
        format!("201 became {}", parts.status)
    });
    bench.expect(parts.version == Version::HTTP_2, Rule::ResponseHead, || {
        format!("HTTP/2 became {:?}", parts.version)
    });
    bench.expect_headers(Rule::ResponseHead, given.headers(), &parts.headers);
    let extension = parts.extensions.get() == Some(&OfResponse);
    bench.expect(extension, Rule::ResponseHead, || {
        "an extension is gone".to_owned()
    });
    expect_data(bench, got);
    expect_trailers(bench, Rule::ResponseBody, got.trailers.as_ref());
}

fn expect_data<L>(bench: &Bench<'_, L>, got: &Got) {
    bench.expect(got.data == "response", Rule::ResponseBody, || {
        match got.data.len() {
            0..100 => format!("\"response\" became {:?}", got.data),
            length => format!("\"response\" became {length} bytes"),
        }
    });
    bench.expect(got.error.is_none(), Rule::ResponseBody, || {
        format!("the body failed: {:?}", got.error)
    });
}

fn expect_trailers<L>(bench: &Bench<'_, L>, rule: Rule, found: Option<&HeaderMap>) {
    bench.expect(found == Some(&trailers()), rule, || {
        format!("the trailers became {found:?}")
    });
}

/// Checks a response with a Content-Length. The lint compares it with the bytes.
fn known_length<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let known = || {
        let mut response = Response::new(Body::new(["response".into()]));
        let headers = response.headers_mut();
        headers.insert("content-length", HeaderValue::from_static("8"));
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/octet-stream"),
        );
        response
    };
    let app = App::new(move |_| known());
    if let Ok(got) = block_on(send(&mut bench.stack(app), request()))? {
        bench.expect_headers(Rule::ResponseHead, known().headers(), &got.parts.headers);
        expect_data(bench, &got);
    }
    Ok(())
}

/// Checks that a response without content keeps its status and length, and gets no content. The
/// lint detects content.
fn no_content<L, S, B>(
    bench: &Bench<'_, L>,
    method: Method,
    status: StatusCode,
    length: Option<&'static str>,
) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(move |_| {
        let mut response = Response::new(Body::default());
        *response.status_mut() = status;
        if let Some(length) = length {
            let length = HeaderValue::from_static(length);
            response.headers_mut().insert("content-length", length);
        }
        response
    });
    let mut request = Request::new(Body::default());
    *request.method_mut() = method;
    match block_on(send(&mut bench.stack(app), request))? {
        Err(error) => bench.broke(Rule::ResponseHead, format!("it became an error: {error}")),
        Ok(got) => {
            let found = got.parts.headers.get("content-length");
            let kept = got.parts.status == status
                && found.map(HeaderValue::as_bytes) == length.map(str::as_bytes);
            bench.expect(kept, Rule::ResponseHead, || {
                format!(
                    "{status} with Content-Length {length:?} became {:?}",
                    got.parts
                )
            });
        }
    }
    Ok(())
}

fn service_error<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| response()).fails(BROKEN);
    expect_error(bench, Rule::ServiceError, app)
}

fn ready_error<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| response()).fails_ready(BROKEN);
    expect_error(bench, Rule::ReadyError, app)
}

fn expect_error<L, S, B>(bench: &Bench<'_, L>, rule: Rule, app: App) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    match block_on(send(&mut bench.stack(app), request()))? {
        Err(error) => bench.expect_source(rule, &*error),
        Ok(got) => bench.broke(rule, format!("it became {}", got.parts.status)),
    }
    Ok(())
}

fn body_error<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| {
        let steps = [
            "before".into(),
            Step::Yield,
            Step::Fail(BROKEN),
            "after".into(),
        ];
        Response::new(Body::new(steps))
    });
    let data = expect_body_error(bench, app, request())?;
    bench.expect(
        data.as_ref().is_none_or(|data| data == "before"),
        Rule::BodyError,
        || format!("\"before\" and then the error became {data:?}"),
    );
    Ok(())
}

/// Checks that the error of the inner body reaches the reader. Returns the bytes before it, if
/// there was a response.
pub(super) fn expect_body_error<L, S, B>(
    bench: &Bench<'_, L>,
    app: App,
    request: Request<Body>,
) -> Result<Option<Bytes>, Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let got = match block_on(send(&mut bench.stack(app.clone()), request))? {
        // The layer responds to such a request itself.
        _ if app.calls() == 0 => return Ok(None),
        Ok(got) => got,
        // It has read the body before it responded.
        Err(error) => {
            bench.expect_source(Rule::BodyError, &*error);
            return Ok(None);
        }
    };
    match got.error {
        Some(error) => bench.expect_source(Rule::BodyError, &*error),
        None => bench.broke(
            Rule::BodyError,
            format!(
                "the body ended without an error, after {} bytes",
                got.data.len()
            ),
        ),
    }
    Ok(Some(got.data))
}

/// Checks that the layer waits for a service that is not ready. The lint detects an earlier call.
fn readiness<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let app = App::new(|_| response()).not_ready(2);
    let mut service = bench.stack(app.clone());
    let mut sent = 0;
    for _ in 0..2 {
        sent += 1;
        // An error is not checked here. After one of `poll_ready` the service is not used again.
        if block_on(send(&mut service, request()))?.is_err() {
            break;
        }
    }
    bench.expect(app.calls() == sent, Rule::Readiness, || {
        format!("of {sent} requests {} reached the service", app.calls())
    });
    Ok(())
}

fn wake<L, S, B>(bench: &Bench<'_, L>, app: App, gate: &Gate) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let waited = waits::wake(bench, app, request(), gate)?;
    bench.expect(waited, Rule::Wake, || "it did not wait".to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LintBody;

    #[test]
    fn every_scenario_is_in_rules_md() {
        let rules = include_str!("../../RULES.md");
        for (name, _, _) in all::<fn(Inner) -> Inner, Inner, LintBody<Body>>() {
            assert!(
                rules.contains(&format!("\n| {name} | ")),
                "RULES.md lacks the scenario: {name}"
            );
        }
    }
}
