//! Scenarios in which the layer waits for the inner side, and in which the caller cancels.

use std::{pin::pin, task::Context, thread, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::{
    Inner,
    bench::{Bench, BoxError, send},
};
use crate::{
    Rule,
    probe::{App, Body, DropLog, Gate, Seen, Stalled, WakeCounter, block_on, cancel_everywhere},
};

/// Checks that the caller is woken when the gate of the inner side opens. Returns whether the layer
/// waited for it.
pub(super) fn wake<L, S, B>(
    bench: &Bench<'_, L>,
    app: App,
    request: Request<Body>,
    gate: &Gate,
) -> Result<bool, Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut service = bench.stack(app);
    let mut exchange = pin!(send(&mut service, request));
    let counter = WakeCounter::new();
    let waker = counter.waker();
    let mut cx = Context::from_waker(&waker);
    // It is polled until it waits for the gate, and not for itself or for a task of its own.
    let mut before = counter.wakes();
    let mut waits = false;
    for _ in 0..1000 {
        if exchange.as_mut().poll(&mut cx).is_ready() {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(1));
        waits = counter.wakes() == before;
        if waits {
            break;
        }
        before = counter.wakes();
    }
    if !waits {
        bench.broke(Rule::Wake, "it waits by waking itself");
        return Ok(true);
    }
    gate.open();
    if counter.wait_for_more_than(before).is_err() {
        bench.broke(Rule::Wake, "the task was not woken when it could continue");
    }
    drop(block_on(exchange)?);
    Ok(true)
}

/// Checks that nothing of the inner side is left after the caller drops the future or the body at
/// any point.
pub(super) fn drop_anywhere<L, S, B>(
    bench: &Bench<'_, L>,
    respond: impl Fn(&Seen) -> Response<Body> + Clone + Send + Sync + 'static,
    request: impl Fn() -> Request<Body>,
) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let log = DropLog::default();
    let exchange = || {
        let (inner, respond) = (log.clone(), respond.clone());
        let app = App::new(move |seen| {
            respond(seen).map(|body| body.holding(inner.track("the inner body")))
        });
        let mut service = bench.stack(app.not_ready(1).yields(2).log(&log));
        let request = request().map(|body| body.holding(log.track("the request's body")));
        async move { send(&mut service, request).await.map(drop) }
    };
    let mut leaks = false;
    cancel_everywhere(exchange, |point| {
        // A layer with a task of its own has a tenth of a second to end it.
        for _ in 0..50 {
            if leaks || log.alive().is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let alive = log.alive();
        if !leaks && !alive.is_empty() {
            leaks = true;
            bench.broke(
                Rule::Drop,
                format!(
                    "after {point} polls, this is not dropped: {}",
                    alive.join(", ")
                ),
            );
        }
    })?;
    Ok(())
}
