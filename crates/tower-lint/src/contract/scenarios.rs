//! What [`check`](super::check) puts a layer through.

use std::{
    any::Any,
    error::Error,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Context,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Inner, Report,
    exchange::{Got, Mark, read, request, response, trailers},
};
use crate::{
    Lint, LintLayer, Rule, Violation,
    probe::{
        self, App, Body, DropLog, Gate, Seen, Stalled, Step, WakeCounter, block_on,
        cancel_everywhere,
    },
};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

const BROKEN: probe::Error = probe::Error("the inner side is broken");

/// The layer, and where its breaches are written down.
struct Bench<L> {
    layer: L,
    report: Arc<Mutex<Report>>,
}

pub(super) fn run<L, S, B>(layer: L) -> Report
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let bench = Bench {
        layer,
        report: Arc::default(),
    };
    bench.scenario(Rule::ResponseHead, Bench::exchange);
    bench.scenario(Rule::ContentLengthWrong, Bench::known_length);
    bench.scenario(Rule::BodyNotAllowed, Bench::no_body);
    bench.scenario(Rule::ServiceError, Bench::service_error);
    bench.scenario(Rule::ReadyError, Bench::ready_error);
    bench.scenario(Rule::BodyError, Bench::body_error);
    bench.scenario(Rule::Readiness, Bench::readiness);
    bench.scenario(Rule::Wake, Bench::wake);
    bench.scenario(Rule::Drop, Bench::drop_anywhere);
    let report = bench.report.lock().unwrap_or_else(PoisonError::into_inner);
    report.clone()
}

impl<L, S, B> Bench<L>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn broke(&self, rule: Rule, seen: impl Into<String>) {
        let violation = Violation {
            rule,
            seen: seen.into(),
        };
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(violation);
    }

    fn expect(&self, kept: bool, rule: Rule, seen: impl FnOnce() -> String) {
        if !kept {
            self.broke(rule, seen());
        }
    }

    /// A layer that panics has broken what the scenario is about; one that stalls was not woken.
    fn scenario(&self, about: Rule, scenario: impl Fn(&Self) -> Result<(), Stalled>) {
        match catch_unwind(AssertUnwindSafe(|| scenario(self))) {
            Ok(Ok(())) => {}
            Ok(Err(stalled)) => {
                self.broke(
                    Rule::Wake,
                    format!("{stalled} (when rule {} was tried)", about.number()),
                );
            }
            Err(panic) => self.broke(about, format!("it panicked: {}", text(&*panic))),
        }
    }

    /// The layer around this app, both watched.
    fn stack(&self, app: App) -> Lint<S> {
        let report = self.report.clone();
        let lint = LintLayer::new().report(move |violation| {
            report
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(violation.clone());
        });
        // Whether it is ready is the lint's to say.
        lint.layer((self.layer)(lint.layer(app.lenient())))
    }

    /// One exchange as a server has it; the error is the service's or its poll_ready's.
    async fn send(&self, service: &mut Lint<S>, request: Request<Body>) -> Result<Got, BoxError> {
        poll_fn(|cx| service.poll_ready(cx))
            .await
            .map_err(Into::into)?;
        let response = service.call(request).await.map_err(Into::into)?;
        Ok(read(response).await)
    }

    /// All of a request and of a response arrives, twice on one instance and once on a clone.
    fn exchange(&self) -> Result<(), Stalled> {
        let app = App::new(|_| response()).yields(1);
        let mut service = self.stack(app.clone());
        let mut clone = service.clone();
        let sent = request();
        for round in 0..3 {
            let service = if round < 2 { &mut service } else { &mut clone };
            let got = match block_on(self.send(service, request()))? {
                Ok(got) => got,
                Err(error) => {
                    self.broke(
                        Rule::ResponseHead,
                        format!("instead of a response came {error}"),
                    );
                    continue;
                }
            };
            self.expect_response(&got);
            let seen = app.seen();
            match seen.get(round) {
                Some(seen) => self.expect_request(sent.headers(), seen),
                None => self.broke(
                    Rule::RequestHead,
                    "the request did not reach the inner service",
                ),
            }
        }
        Ok(())
    }

    fn expect_request(&self, sent: &HeaderMap, seen: &Seen) {
        let parts = &seen.parts;
        self.expect(parts.method == Method::PATCH, Rule::RequestHead, || {
            format!("PATCH became {}", parts.method)
        });
        self.expect(parts.uri == "/a%2Fb?c=d", Rule::RequestHead, || {
            format!("/a%2Fb?c=d became {}", parts.uri)
        });
        self.expect(parts.version == Version::HTTP_2, Rule::RequestHead, || {
            format!("HTTP/2 became {:?}", parts.version)
        });
        self.expect_headers(Rule::RequestHead, sent, &parts.headers);
        self.expect(
            parts.extensions.get() == Some(&Mark("request")),
            Rule::RequestHead,
            || "an extension is gone".to_owned(),
        );
        self.expect(seen.body == "request", Rule::RequestBody, || {
            format!("\"request\" became {:?}", seen.body)
        });
        self.expect(seen.trailers == Some(trailers()), Rule::RequestBody, || {
            format!("the trailers became {:?}", seen.trailers)
        });
        self.expect(seen.error.is_none(), Rule::RequestBody, || {
            format!("the body failed: {:?}", seen.error)
        });
    }

    fn expect_response(&self, got: &Got) {
        let parts = &got.parts;
        self.expect(
            parts.status == StatusCode::CREATED,
            Rule::ResponseHead,
            || format!("201 became {}", parts.status),
        );
        self.expect(parts.version == Version::HTTP_2, Rule::ResponseHead, || {
            format!("HTTP/2 became {:?}", parts.version)
        });
        self.expect_headers(Rule::ResponseHead, response().headers(), &parts.headers);
        self.expect(
            parts.extensions.get() == Some(&Mark("response")),
            Rule::ResponseHead,
            || "an extension is gone".to_owned(),
        );
        self.expect(got.data == "response", Rule::ResponseBody, || {
            format!("\"response\" became {:?}", got.data)
        });
        self.expect(got.trailers == Some(trailers()), Rule::ResponseBody, || {
            format!("the trailers became {:?}", got.trailers)
        });
        self.expect(got.error.is_none(), Rule::ResponseBody, || {
            format!("the body failed: {:?}", got.error)
        });
    }

    /// A layer may add headers, and values to a header.
    fn expect_headers(&self, rule: Rule, sent: &HeaderMap, found: &HeaderMap) {
        for name in sent.keys() {
            // In their order (RFC 9110, section 5.3), with others between.
            let mut rest = found.get_all(name).iter();
            let kept = sent
                .get_all(name)
                .iter()
                .all(|value| rest.any(|found| found == value));
            let found: Vec<_> = found.get_all(name).iter().collect();
            self.expect(kept, rule, || format!("{name} became {found:?}"));
        }
    }

    /// What is said of a body's length beforehand; the lint holds it against the bytes.
    fn known_length(&self) -> Result<(), Stalled> {
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
        if let Ok(got) = block_on(self.send(&mut self.stack(app), request()))? {
            self.expect_headers(Rule::ResponseHead, known().headers(), &got.parts.headers);
            self.expect(
                got.data == "response" && got.error.is_none(),
                Rule::ResponseBody,
                || format!("\"response\" became {:?} and {:?}", got.data, got.error),
            );
        }
        Ok(())
    }

    /// Answers without a body keep their headers, and get no body.
    fn no_body(&self) -> Result<(), Stalled> {
        let table = [
            (Method::HEAD, StatusCode::OK, Some("8")),
            (Method::GET, StatusCode::NO_CONTENT, None),
            (Method::GET, StatusCode::NOT_MODIFIED, Some("8")),
        ];
        for (method, status, length) in table {
            let app = App::new(move |_| {
                let mut response = Response::new(Body::default());
                *response.status_mut() = status;
                if let Some(length) = length {
                    response
                        .headers_mut()
                        .insert("content-length", HeaderValue::from_static(length));
                }
                response
            });
            let mut request = Request::new(Body::default());
            *request.method_mut() = method.clone();
            let got = block_on(self.send(&mut self.stack(app), request))?;
            let Ok(got) = got else {
                self.broke(
                    Rule::ResponseHead,
                    format!("{status} to {method} became an error"),
                );
                continue;
            };
            let found = got.parts.headers.get("content-length");
            let kept = got.parts.status == status
                && found.map(HeaderValue::as_bytes) == length.map(str::as_bytes);
            self.expect(kept, Rule::ResponseHead, || {
                format!(
                    "{status} to {method} with Content-Length {length:?} became {:?}",
                    got.parts
                )
            });
        }
        Ok(())
    }

    fn service_error(&self) -> Result<(), Stalled> {
        let app = App::new(|_| response()).fails(BROKEN);
        match block_on(self.send(&mut self.stack(app), request()))? {
            Err(error) => self.expect_source(Rule::ServiceError, &*error),
            Ok(got) => self.broke(
                Rule::ServiceError,
                format!("it became {}", got.parts.status),
            ),
        }
        Ok(())
    }

    fn ready_error(&self) -> Result<(), Stalled> {
        let app = App::new(|_| response()).fails_ready(BROKEN);
        match block_on(self.send(&mut self.stack(app), request()))? {
            Err(error) => self.expect_source(Rule::ReadyError, &*error),
            Ok(got) => self.broke(Rule::ReadyError, format!("it became {}", got.parts.status)),
        }
        Ok(())
    }

    fn body_error(&self) -> Result<(), Stalled> {
        let app = App::new(|_| {
            let body = Body::new([
                "before".into(),
                Step::Yield,
                Step::Fail(BROKEN),
                "after".into(),
            ]);
            Response::new(body)
        });
        let got = match block_on(self.send(&mut self.stack(app), request()))? {
            Ok(got) => got,
            // It has read the body before it answered.
            Err(error) => {
                self.expect_source(Rule::BodyError, &*error);
                return Ok(());
            }
        };
        match got.error {
            Some(error) => self.expect_source(Rule::BodyError, &*error),
            None => self.broke(
                Rule::BodyError,
                format!("the body ended well, with {:?}", got.data),
            ),
        }
        self.expect(got.data == "before", Rule::BodyError, || {
            format!("\"before\" and then the error became {:?}", got.data)
        });
        Ok(())
    }

    fn expect_source(&self, rule: Rule, error: &(dyn Error + 'static)) {
        let mut chain = std::iter::successors(Some(error), |&error| error.source()).take(32);
        let kept = chain.any(|error| error.downcast_ref() == Some(&BROKEN));
        self.expect(kept, rule, || format!("it became {error:?}"));
    }

    /// A service that is not ready at first is waited for; the lint sees if it is called before.
    fn readiness(&self) -> Result<(), Stalled> {
        let app = App::new(|_| response()).not_ready(2);
        let mut service = self.stack(app.clone());
        for _ in 0..2 {
            // Whether it is an error is not the question here.
            let _ = block_on(self.send(&mut service, request()))?;
        }
        self.expect(app.calls() == 2, Rule::Readiness, || {
            format!("of two requests {} reached the service", app.calls())
        });
        Ok(())
    }

    /// Wherever the inner side waits, the outer side is woken when it can go on.
    fn wake(&self) -> Result<(), Stalled> {
        for place in ["poll_ready", "the future", "the body"] {
            let gate = Gate::new();
            let waits = (place == "the body").then(|| gate.clone());
            let mut app = App::new(move |_| {
                let wait = waits.clone().map(Step::Wait);
                Response::new(Body::new(wait.into_iter().chain(["late".into()])))
            });
            app = match place {
                "poll_ready" => app.ready_behind(gate.clone()),
                "the future" => app.answers_behind(gate.clone()),
                _ => app,
            };
            let mut service = self.stack(app);
            let mut exchange = pin!(self.send(&mut service, request()));
            let counter = WakeCounter::new();
            let waker = counter.waker();
            let mut cx = Context::from_waker(&waker);
            // Until it waits for the gate, and not for itself or for a task of its own.
            let mut before = counter.wakes();
            for polls in 0.. {
                if exchange.as_mut().poll(&mut cx).is_ready() {
                    self.broke(Rule::Wake, format!("it did not wait for {place}"));
                    return Ok(());
                }
                if polls > 1000 {
                    self.broke(Rule::Wake, format!("it waits for {place} by waking itself"));
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(1));
                if counter.wakes() == before {
                    break;
                }
                before = counter.wakes();
            }
            gate.open();
            if counter.wait_for_more_than(before).is_err() {
                self.broke(
                    Rule::Wake,
                    format!("nobody was woken when {place} could go on"),
                );
            }
            drop(block_on(exchange)?);
        }
        Ok(())
    }

    /// Cancelled at any point, nothing of the inner side is left.
    fn drop_anywhere(&self) -> Result<(), Stalled> {
        let log = DropLog::default();
        let exchange = || {
            let inner = log.clone();
            let app = App::new(move |_| {
                let body = Body::new([Step::Yield, "one".into(), Step::Yield, "two".into()]);
                Response::new(body.holding(inner.track("the inner body")))
            });
            let mut service = self.stack(app.not_ready(1).yields(2).log(&log));
            let request = request().map(|body| body.holding(log.track("the request's body")));
            async move { self.send(&mut service, request).await.map(drop) }
        };
        cancel_everywhere(exchange, |point| {
            // A layer with a task of its own has a moment to end that.
            for _ in 0..50 {
                if log.alive().is_empty() {
                    break;
                }
                thread::sleep(Duration::from_millis(2));
            }
            let alive = log.alive();
            self.expect(alive.is_empty(), Rule::Drop, || {
                format!(
                    "cancelled after {point} polls, it leaves alive: {}",
                    alive.join(", ")
                )
            });
        })?;
        Ok(())
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(not a text)")
}
