//! The exception layer against tower-http's `CatchPanic`, and what a panic costs.

use std::{convert::Infallible, hint::black_box, panic, sync::Once};

use http::{Request, Response};
use tower::{Layer, service_fn};
use tower_exception::{ExceptionLayer, install_panic_hook};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{Pair, ReqBody, Subject, answers};

pub(crate) fn pairs() -> Vec<Pair> {
    vec![Pair::new("exception/good-path/catch-panic", || {
        (
            good_path().1,
            Subject::new(CatchPanicLayer::new().layer(service_fn(answers))),
        )
    })]
}

pub(crate) fn good_path() -> (&'static str, Subject) {
    let layer = ExceptionLayer::production(|_| {});
    let subject = Subject::new(layer.layer(service_fn(answers)));
    ("exception/good-path/allocs", subject)
}

/// A panic, from the request to the 500: with its backtrace captured, and with it looked up, too.
pub(crate) fn panics() -> Vec<(&'static str, fn() -> Subject)> {
    async fn panics(_: Request<ReqBody>) -> Result<Response<ReqBody>, Infallible> {
        panic!("one that is meant")
    }
    fn subject(layer: &ExceptionLayer) -> Subject {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            // The default hook writes to the terminal, which takes longer than everything else.
            panic::set_hook(Box::new(|_| {}));
            install_panic_hook();
        });
        let mut subject = Subject::new(layer.layer(service_fn(panics)));
        subject.turn = 1;
        subject
    }
    vec![
        ("exception/panic/captured", || {
            subject(&ExceptionLayer::production(|_| {}))
        }),
        ("exception/panic/looked-up", || {
            subject(&ExceptionLayer::production(|incident| {
                black_box(incident.frames());
            }))
        }),
    ]
}
