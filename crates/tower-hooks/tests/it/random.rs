//! Order, and exactly once, over random chains that abort, fail, panic and are cancelled at every
//! await point.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};
use tower::{Layer, Service, service_fn};
use tower_hooks::{BoxHook, HooksLayer, OutcomeKind};
use tower_lint::probe::{self, Step};

use crate::scripted::{Deed, Event, Log, Script, Scripted, silent_panic, waits};

#[derive(Clone, Copy, Debug, PartialEq)]
enum AppDeed {
    Answers,
    Fails,
    PanicsInCall,
    PanicsLater,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BodyDeed {
    Ends,
    Fails,
    Panics,
}

#[derive(Clone, Debug)]
struct Case {
    hooks: Vec<Script>,
    skips_after: bool,
    app: (usize, AppDeed),
    frames: usize,
    body: BodyDeed,
    /// It is dropped after so many polls of the future and the body.
    polls: usize,
}

/// How a case ended, if it was not dropped before.
#[derive(Debug, PartialEq)]
enum End {
    Response,
    Error,
    BodyError,
    Panic,
    Dropped,
}

fn deeds(weights: [u32; 3]) -> impl Strategy<Value = Deed> {
    prop_oneof![
        weights[0] => Just(Deed::Pass),
        weights[1] => Just(Deed::Answer),
        weights[2] => Just(Deed::Panic),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let script = (
        (0..3_usize, deeds([8, 1, 1])),
        (0..3_usize, deeds([8, 0, 1])),
        deeds([4, 0, 1]),
    );
    let script = script.prop_map(|(before, after, finish)| Script {
        before,
        after,
        finish,
    });
    let app = prop_oneof![
        6 => Just(AppDeed::Answers),
        1 => Just(AppDeed::Fails),
        1 => Just(AppDeed::PanicsInCall),
        1 => Just(AppDeed::PanicsLater),
    ];
    let body = prop_oneof![
        4 => Just(BodyDeed::Ends),
        1 => Just(BodyDeed::Fails),
        1 => Just(BodyDeed::Panics),
    ];
    let polls = prop_oneof![3 => Just(usize::MAX), 2 => 0..20_usize];
    let parts = (
        vec(script, 0..6),
        any::<bool>(),
        (0..3_usize, app),
        0..4_usize,
        body,
        polls,
    );
    parts.prop_map(|(hooks, skips_after, app, frames, body, polls)| Case {
        hooks,
        skips_after,
        app,
        frames,
        body,
        polls,
    })
}

/// Returns what happens if it is not dropped, as a plain loop.
fn expected(case: &Case) -> (Vec<Event>, End) {
    let mut events = Vec::new();
    let mut panicked = false;
    let mut passed = 0;
    let mut answered = false;
    for (number, script) in case.hooks.iter().enumerate() {
        events.push(Event::Before(number));
        match script.before.1 {
            Deed::Pass => passed += 1,
            Deed::Answer => answered = true,
            Deed::Panic => panicked = true,
        }
        if passed <= number {
            break;
        }
    }
    let entered = case.hooks.len().min(passed + 1);
    let mut end = End::Response;
    let mut responded = answered;
    if !panicked && !answered {
        events.push(Event::App);
        match case.app.1 {
            AppDeed::Answers => responded = true,
            AppDeed::Fails => end = End::Error,
            AppDeed::PanicsInCall | AppDeed::PanicsLater => panicked = true,
        }
    }
    if responded && !(answered && case.skips_after) {
        for number in (0..passed).rev() {
            events.push(Event::After(number));
            panicked |= case.hooks[number].after.1 == Deed::Panic;
        }
    }
    if !panicked && responded && !answered {
        match case.body {
            BodyDeed::Ends => {}
            BodyDeed::Fails => end = End::BodyError,
            BodyDeed::Panics => panicked = true,
        }
    }
    if panicked {
        end = End::Panic;
    }
    let outcome = match end {
        End::Panic => OutcomeKind::Panicked,
        End::Error | End::BodyError => OutcomeKind::Failed,
        _ if answered => OutcomeKind::Aborted,
        _ => OutcomeKind::Completed,
    };
    events.extend((0..entered).rev().map(|n| Event::Finish(n, outcome)));
    (events, end)
}

/// The app of a case.
fn app(
    case: &Case,
    log: &Log,
) -> impl Service<
    Request<probe::Body>,
    Response = Response<probe::Body>,
    Error = probe::Error,
    Future: Send,
>
+ Clone
+ Send
+ 'static
+ use<> {
    let (case, log) = (case.clone(), log.clone());
    service_fn(move |_: Request<probe::Body>| {
        log.add(Event::App);
        let (times, deed) = case.app;
        if deed == AppDeed::PanicsInCall {
            silent_panic();
        }
        let frames = case.frames;
        let end = case.body;
        async move {
            waits(times).await;
            match deed {
                AppDeed::Fails => return Err(probe::Error("app")),
                AppDeed::PanicsLater => silent_panic(),
                _ => {}
            }
            let mut steps = Vec::new();
            for _ in 0..frames {
                steps.extend([Step::Yield, Step::from("data")]);
            }
            match end {
                BodyDeed::Ends => {}
                BodyDeed::Fails => steps.push(Step::Fail(probe::Error("body"))),
                BodyDeed::Panics => steps.push(Step::Panic("body")),
            }
            Ok(Response::new(probe::Body::new(steps)))
        }
    })
}

/// What happens, with hooks around the app.
fn seen<S, B>(case: &Case, log: &Log, mut service: S) -> (Vec<Event>, End)
where
    S: Service<Request<probe::Body>, Response = Response<B>, Error = probe::Error>,
    B: http_body::Body<Data = Bytes, Error = probe::Error>,
{
    let mut left = case.polls;
    let mut cx = Context::from_waker(Waker::noop());
    let end = catch_unwind(AssertUnwindSafe(|| {
        assert_eq!(service.poll_ready(&mut cx), Poll::Ready(Ok(())));
        let mut future = Box::pin(service.call(Request::default()));
        let response = loop {
            if left == 0 {
                return End::Dropped;
            }
            left -= 1;
            match future.as_mut().poll(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(response)) => break response,
                Poll::Ready(Err(_)) => return End::Error,
            }
        };
        drop(future);
        let mut body = pin!(response.into_body());
        while !body.is_end_stream() {
            if left == 0 {
                return End::Dropped;
            }
            left -= 1;
            match body.as_mut().poll_frame(&mut cx) {
                Poll::Pending | Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_))) => return End::BodyError,
                Poll::Ready(None) => break,
            }
        }
        End::Response
    }));
    (log.take(), end.unwrap_or(End::Panic))
}

/// What holds wherever it was dropped.
fn check_dropped(case: &Case, events: &[Event]) -> Result<(), TestCaseError> {
    let (whole, _) = expected(case);
    let is_finish = |event: &&Event| matches!(event, Event::Finish(..));
    let done: Vec<_> = events
        .iter()
        .take_while(|event| !is_finish(event))
        .collect();
    let finished: Vec<_> = events[done.len()..].iter().collect();
    // As far as it came, it is what would have happened.
    let prefix: Vec<_> = whole.iter().take(done.len()).collect();
    prop_assert_eq!(&done, &prefix);
    // Then all that were entered are finished, in reverse order, once, with the same outcome. An
    // `after` that panicked did so before the next one was called.
    let panicked = done.iter().rev().skip(1).any(|event| match event {
        Event::After(number) => case.hooks[*number].after.1 == Deed::Panic,
        _ => false,
    });
    let outcome = if panicked {
        OutcomeKind::Panicked
    } else {
        OutcomeKind::Cancelled
    };
    let entered = done
        .iter()
        .filter(|event| matches!(event, Event::Before(_)));
    let told: Vec<_> = (0..entered.count())
        .rev()
        .map(|number| Event::Finish(number, outcome))
        .collect();
    prop_assert_eq!(finished, told.iter().collect::<Vec<_>>());
    Ok(())
}

fn check(case: &Case, events: &[Event], end: End) -> Result<(), TestCaseError> {
    if end == End::Dropped {
        return check_dropped(case, events);
    }
    let (expected, expected_end) = expected(case);
    prop_assert_eq!(events, expected);
    prop_assert_eq!(end, expected_end);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn hooks_1_every_hook_has_its_turn_and_finishes_once(case in cases()) {
        let log = Log::default();
        let hook = |number: usize| Scripted {
            number,
            script: case.hooks[number],
            log: log.clone(),
        };
        let app = app(&case, &log);
        let hooks = case.hooks.len();

        let list = (0..hooks).map(|number| BoxHook::new(hook(number))).collect();
        let mut layer = HooksLayer::list(list);
        let mut chain = HooksLayer::new();
        if case.skips_after {
            layer = layer.skip_after_on_abort();
            chain = chain.skip_after_on_abort();
        }
        let (events, end) = seen(&case, &log, layer.layer(app.clone()));
        check(&case, &events, end)?;

        let (events, end) = match hooks {
            0 => seen(&case, &log, chain.layer(app)),
            1 => seen(&case, &log, chain.hook(hook(0)).layer(app)),
            2 => seen(&case, &log, chain.hook(hook(0)).hook(hook(1)).layer(app)),
            3 => seen(&case, &log, chain.hook(hook(0)).hook(hook(1)).hook(hook(2)).layer(app)),
            _ => return Ok(()),
        };
        check(&case, &events, end)?;
    }
}
