//! The layer under test between two lints, and the report.

use std::{
    any::Any,
    error::Error,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Inner, Report,
    exchange::{self, Got, read},
};
use crate::{
    Lint, LintLayer, Rule, Violation,
    probe::{self, App, Body, Stalled},
};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// The error of the inner side.
pub(super) const BROKEN: probe::Error = probe::Error("the inner side is broken");

/// The layer in one scenario, and the report of its violations.
pub(super) struct Bench<'a, L> {
    layer: &'a L,
    scenario: &'static str,
    report: Arc<Mutex<Report>>,
}

impl<'a, L> Bench<'a, L> {
    pub(super) fn new(layer: &'a L, scenario: &'static str, report: &Arc<Mutex<Report>>) -> Self {
        Self {
            layer,
            scenario,
            report: report.clone(),
        }
    }

    fn add(&self) -> impl Fn(&Violation) + Send + Sync + 'static {
        let (report, scenario) = (self.report.clone(), self.scenario);
        move |violation| {
            report
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(scenario, violation);
        }
    }

    pub(super) fn broke(&self, rule: Rule, seen: impl Into<String>) {
        self.add()(&Violation {
            rule,
            seen: seen.into(),
        });
    }

    pub(super) fn expect(&self, kept: bool, rule: Rule, seen: impl FnOnce() -> String) {
        if !kept {
            self.broke(rule, seen());
        }
    }

    /// Runs the scenario. A layer that panics breaks the scenario's rule. A layer that stalls
    /// breaks the rule about wake-ups.
    pub(super) fn run(&self, about: Rule, scenario: impl FnOnce(&Self) -> Result<(), Stalled>) {
        match catch_unwind(AssertUnwindSafe(|| scenario(self))) {
            Ok(Ok(())) => {}
            Ok(Err(stalled)) => self.broke(Rule::Wake, stalled.to_string()),
            Err(panic) => self.broke(about, format!("it panicked: {}", text(&*panic))),
        }
    }

    /// Checks that all headers are kept. A layer may add headers, and values to a header.
    pub(super) fn expect_headers(&self, rule: Rule, sent: &HeaderMap, found: &HeaderMap) {
        for name in sent.keys() {
            // They are in their order (RFC 9110, section 5.3), with others between.
            let mut rest = found.get_all(name).iter();
            let kept = sent
                .get_all(name)
                .iter()
                .all(|value| rest.any(|found| found == value));
            let found: Vec<_> = found.get_all(name).iter().collect();
            self.expect(kept, rule, || format!("{name} became {found:?}"));
        }
    }

    pub(super) fn expect_source(&self, rule: Rule, error: &(dyn Error + 'static)) {
        let mut chain = std::iter::successors(Some(error), |&error| error.source()).take(32);
        let kept = chain.any(|error| error.downcast_ref() == Some(&BROKEN));
        self.expect(kept, rule, || format!("it became {error:?}"));
    }

    /// Returns the layer around this app, with a lint around each.
    pub(super) fn stack<S, B>(&self, app: App) -> Lint<S>
    where
        L: Fn(Inner) -> S,
        S: Service<Request<Body>, Response = Response<B>>,
        B: http_body::Body,
    {
        let lint = LintLayer::new().report(self.add());
        // The lint checks whether it is ready.
        lint.layer((self.layer)(
            lint.layer(app.lenient().keeping(exchange::only_ours)),
        ))
    }
}

/// Sends a request as a server does. The error is the one of the service or of its `poll_ready`.
pub(super) async fn send<S, B>(
    service: &mut Lint<S>,
    request: Request<Body>,
) -> Result<Got, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    ready(service).await?;
    let response = service.call(request).await.map_err(Into::into)?;
    Ok(read(response).await)
}

/// Waits until the service is ready.
pub(super) async fn ready<S, B>(service: &mut Lint<S>) -> Result<(), BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(Into::into)
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(not a text)")
}
