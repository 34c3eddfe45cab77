//! Random apps, random bodies: whoever answers has seen what was sent.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use proptest::{collection::vec, prelude::*};
use tower::{Layer, Service, service_fn, util::BoxCloneSyncService};
use tower_cascade::{Cascade, CascadeLayer};
use tower_lint::probe::{Body, Step};

use crate::probe::{Replayed, answer, read, trailers};

/// Reads so many frames and answers; whether it waits before it answers, and keeps its body afterwards.
#[derive(Clone, Copy, Debug)]
struct App {
    frames: usize,
    answers: bool,
    waits: bool,
    keeps: bool,
}

fn app() -> impl Strategy<Value = App> {
    (0..6_usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(frames, answers, waits, keeps)| App {
            frames,
            answers: answers && frames % 2 == 0,
            waits,
            keeps,
        },
    )
}

type Seen = Arc<Mutex<Vec<(Bytes, bool)>>>;
type Kept = Arc<Mutex<Vec<Replayed>>>;
type Service_ = BoxCloneSyncService<Request<Replayed>, Response<Body>, Infallible>;

impl App {
    /// It reads all of the body if it answers.
    fn service(self, seen: &Seen, kept: &Kept) -> Service_ {
        let (seen, kept) = (seen.clone(), kept.clone());
        BoxCloneSyncService::new(service_fn(move |request: Request<Replayed>| {
            let (seen, kept) = (seen.clone(), kept.clone());
            async move {
                let mut body = request.into_body();
                let mut start = Vec::new();
                let mut ended = false;
                for _ in 0..self.frames {
                    match body.frame().await {
                        Some(frame) => match frame.unwrap().into_data() {
                            Ok(data) => start.extend_from_slice(&data),
                            Err(_) => ended = true,
                        },
                        None => break,
                    }
                }
                if self.waits {
                    let mut waited = false;
                    std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    })
                    .await;
                }
                if !self.answers {
                    if self.keeps {
                        kept.lock().unwrap().push(body);
                    }
                    return Ok(answer(StatusCode::NOT_FOUND));
                }
                let (rest, trailers) = read(body).await.unwrap();
                start.extend_from_slice(&rest);
                seen.lock().unwrap().push((start.into(), trailers || ended));
                Ok(answer(StatusCode::OK))
            }
        }))
    }
}

/// Polls a future so many times, without waiting for anything, and drops it; whether it was done before.
fn run<F: Future>(future: F, polls: usize) -> Option<(F::Output, usize)> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|poll| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some((output, poll)),
        Poll::Pending => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_answers_has_seen_every_byte_and_the_trailers(
        mut apps in vec(app(), 1..5),
        frames in vec((0..3_u8, vec(any::<u8>(), 0..4)), 0..6),
        long in any::<bool>(),
        has_trailers in any::<bool>(),
        is_list in any::<bool>(),
    ) {
        // The last one has the original body, and may keep it.
        apps.last_mut().unwrap().keeps = false;
        let mut sent = Vec::new();
        let mut steps = Vec::new();
        // Of all frames there is a clone here, which says at the end that there is no other.
        let mut clones = Vec::new();
        for (kind, data) in frames {
            if kind == 0 {
                steps.push(Step::Yield);
            }
            let data = if long { data.repeat(200) } else { data };
            sent.extend_from_slice(&data);
            let data = Bytes::from(data);
            clones.push(data.clone());
            steps.push(Step::Data(data));
        }
        if has_trailers {
            steps.push(trailers());
        }
        let (seen, kept) = (Seen::default(), Kept::default());
        let services = || apps.iter().map(|app| app.service(&seen, &kept)).collect::<Vec<_>>();
        let respond = || async {
            let request = Request::new(Body::new(steps.clone()));
            if is_list || services().len() > 3 {
                return Cascade::new(services()).call(request).await.map(|answer| answer.status());
            }
            // The same services around a last one; what there are too few of says 404 at once.
            let nobody = App { frames: 0, answers: false, waits: false, keeps: false };
            let mut services = services();
            let last = services.pop().unwrap();
            services.resize_with(2, || nobody.service(&seen, &kept));
            let mut list = CascadeLayer::list(services).layer(last);
            list.call(request).await.map(|answer| answer.status())
        };

        let (status, polls) = run(respond(), 100).unwrap();
        let answers = apps.iter().any(|app| app.answers);
        prop_assert_eq!(status.unwrap(), if answers { 200 } else { 404 });
        let expected = answers.then(|| (Bytes::from(sent), has_trailers));
        prop_assert_eq!(&*seen.lock().unwrap(), expected.as_slice());
        // Given up at every place where it waits.
        for polls in 0..polls {
            prop_assert!(run(respond(), polls).is_none());
        }
        // Nothing is left of it, but what the apps have kept, which gives nothing more.
        for mut body in kept.lock().unwrap().drain(..) {
            let error = run(body.frame(), 1);
            prop_assert!(matches!(error, Some((Some(Err(_)) | None, _))));
        }
        drop(steps);
        for frame in clones {
            prop_assert!(frame.is_empty() || frame.is_unique());
        }
    }
}
