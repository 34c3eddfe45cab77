//! Random services, random bodies: a service that responds has seen all that was sent.

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

use crate::probe::{Replayed, read, trailers, with_status};

/// A service that reads n frames. It may respond, wait before that, and keep its body afterwards.
#[derive(Clone, Copy, Debug)]
struct App {
    frames: usize,
    responds: bool,
    waits: bool,
    keeps: bool,
}

fn app() -> impl Strategy<Value = App> {
    (0..6_usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(frames, responds, waits, keeps)| App {
            frames,
            responds: responds && frames % 2 == 0,
            waits,
            keeps,
        },
    )
}

type Seen = Arc<Mutex<Vec<(Bytes, bool)>>>;
type Kept = Arc<Mutex<Vec<Replayed>>>;
type Service_ = BoxCloneSyncService<Request<Replayed>, Response<Body>, Infallible>;

impl App {
    /// Returns the service. It reads all of the body if it responds.
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
                if !self.responds {
                    if self.keeps {
                        kept.lock().unwrap().push(body);
                    }
                    return Ok(with_status(StatusCode::NOT_FOUND));
                }
                let (rest, trailers) = read(body).await.unwrap();
                start.extend_from_slice(&rest);
                seen.lock().unwrap().push((start.into(), trailers || ended));
                Ok(with_status(StatusCode::OK))
            }
        }))
    }
}

/// Polls a future n times without waiting, and drops it. Returns its output if it was done.
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
    fn cascade_2_a_responder_has_seen_every_byte_and_trailer(
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
        // A clone of each frame is here. At the end it shows that there is no other clone.
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
                return Cascade::new(services()).call(request).await.map(|response| response.status());
            }
            // The same services around a last one. Missing ones respond with 404 at once.
            let missing = App { frames: 0, responds: false, waits: false, keeps: false };
            let mut services = services();
            let last = services.pop().unwrap();
            services.resize_with(2, || missing.service(&seen, &kept));
            let mut list = CascadeLayer::list(services).layer(last);
            list.call(request).await.map(|response| response.status())
        };

        let (status, polls) = run(respond(), 100).unwrap();
        let responds = apps.iter().any(|app| app.responds);
        prop_assert_eq!(status.unwrap(), if responds { 200 } else { 404 });
        let expected = responds.then(|| (Bytes::from(sent), has_trailers));
        prop_assert_eq!(&*seen.lock().unwrap(), expected.as_slice());
        // The future is dropped wherever it waits.
        for polls in 0..polls {
            prop_assert!(run(respond(), polls).is_none());
        }
        // Only the services' own bodies are left, and these return no more frames.
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
