//! The body of a response, frame by frame.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    marker::PhantomPinned,
    pin::{Pin, pin},
    sync::{Arc, Mutex, atomic::AtomicUsize},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn, util::ServiceFn};
use tower_body_rewrite::{
    Prefix, PrefixLayer, Replace, ResponseBody, RewriteLayer, Rewriter, Sink,
};
use tower_lint::probe::{Body, Error, Step};

const GONE: Error = Error("the disk is gone");
const FAIL: Step = Step::Fail(GONE);

fn trailers() -> Step {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    trailers.insert("content-digest", HeaderValue::from_static("sha-256=:x:"));
    Step::Trailers(trailers)
}

type ResponseResult = Ready<Result<Response<Body>, Infallible>>;

/// Responds to one request with this body.
fn responding(body: Body) -> ServiceFn<impl FnMut(Request<()>) -> ResponseResult + Clone> {
    let body = Arc::new(Mutex::new(Some(body)));
    service_fn(move |_| {
        let mut response = Response::new(body.lock().unwrap().take().expect("one request"));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        ready(Ok(response))
    })
}

async fn through<R: Rewriter + 'static>(
    layer: RewriteLayer<R>,
    steps: &[Step],
) -> (ResponseBody<Body, R>, Arc<AtomicUsize>) {
    let body = Body::new(steps.iter().cloned());
    let alive = body.polls();
    let response = layer.layer(responding(body)).oneshot(Request::new(()));
    (response.await.unwrap().into_body(), alive)
}

async fn prefixed(steps: &[Step]) -> ResponseBody<Body, Prefix> {
    let layer = RewriteLayer::new(|_| Some(Prefix::new("> ")));
    through(layer, steps).await.0
}

/// Polls once without a waker.
fn poll<B: http_body::Body + Unpin>(
    body: &mut B,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    pin!(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn next_data<B: http_body::Body<Data = Bytes, Error = Error> + Unpin>(
    body: &mut B,
) -> Option<Bytes> {
    match poll(body) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
        _ => None,
    }
}

#[tokio::test]
async fn body_rewrite_10_trailers_come_after_the_last_data() {
    let body = prefixed(&["a\n".into(), "b".into(), trailers()]).await;
    assert!(!body.is_end_stream());
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().unwrap();
    assert_eq!(trailers["x-sum"], "1");
    // It was a digest of the inner body.
    assert!(!trailers.contains_key("content-digest"));
    assert_eq!(collected.to_bytes(), "> a\n> b");
}

#[tokio::test]
async fn body_rewrite_10_data_before_an_error_is_delivered() {
    let mut body = prefixed(&["a\nb".into(), FAIL, "never".into()]).await;
    assert_eq!(next_data(&mut body).unwrap(), "> a\n> b");
    assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(GONE)))));
    for _ in 0..2 {
        assert!(matches!(poll(&mut body), Poll::Ready(None)));
        assert!(body.is_end_stream());
    }
}

#[tokio::test]
async fn body_rewrite_3_nothing_waits_for_the_end_of_a_line() {
    let steps = [
        "half a li".into(),
        Step::Yield,
        Step::Yield,
        "ne\n".into(),
        Step::Yield,
    ];
    // The first frame was read for the head, and the next one was polled.
    let mut body = prefixed(&steps).await;
    assert_eq!(next_data(&mut body).unwrap(), "> half a li");
    assert!(poll(&mut body).is_pending());
    assert_eq!(next_data(&mut body).unwrap(), "ne\n");
    assert!(poll(&mut body).is_pending());
}

#[tokio::test]
async fn body_rewrite_1_an_empty_frame_gets_no_prefix() {
    let body = prefixed(&["".into(), "a\n".into(), "".into(), "b".into()]).await;
    assert_eq!(body.collect().await.unwrap().to_bytes(), "> a\n> b");
    let body = prefixed(&["".into()]).await;
    assert_eq!(body.collect().await.unwrap().to_bytes(), "");
}

#[tokio::test]
async fn body_rewrite_1_by_chunk_every_frame_gets_one_prefix() {
    const LONG: &str = match std::str::from_utf8(&[b'\n'; 1 << 17]) {
        Ok(text) => text,
        Err(_) => panic!(),
    };
    let layer = RewriteLayer::new(|_| Some(Prefix::chunks("> ")));
    let (body, _) = through(layer, &["a\nb".into(), "".into(), LONG.into(), trailers()]).await;
    let bytes = body.collect().await.unwrap().to_bytes();
    assert_eq!(bytes, format!("> a\nb> > {LONG}"));
}

#[tokio::test]
async fn a_large_frame_does_not_multiply_in_memory() {
    // A part without newlines, and then a part in which every byte becomes many.
    let frame = Bytes::from(["x".repeat(1 << 18), "\n".repeat(1 << 17)].concat());
    async fn largest<R: Rewriter + 'static>(
        layer: RewriteLayer<R>,
        frame: &Bytes,
    ) -> (usize, usize) {
        let (mut body, _) = through(layer, &[Step::Data(frame.clone())]).await;
        let (mut total, mut largest) = (0, 0);
        while let Some(data) = next_data(&mut body) {
            total += data.len();
            largest = largest.max(data.len());
        }
        (total, largest)
    }
    for length in [2, 100, 1023] {
        let prefix = "x".repeat(length);
        let layer = RewriteLayer::new(move |_| Some(Prefix::new(prefix.clone())));
        let (total, most) = largest(layer, &frame).await;
        assert_eq!(total, frame.len() + length * (1 << 17));
        assert!(most <= 5 * 64 * 1024, "{most} with a prefix of {length}");

        let replace = Replace::new([("\n\n", "x".repeat(length))]).unwrap();
        let layer = RewriteLayer::new(move |_| Some(replace.clone()));
        let (total, most) = largest(layer, &frame).await;
        assert_eq!(total, (1 << 18) + length * (1 << 16));
        assert!(most <= 5 * 64 * 1024, "{most} with {length}");
    }
}

#[tokio::test]
async fn a_long_prefix_is_shared_and_not_copied() {
    let prefix = Bytes::from(vec![b'x'; 2048]);
    let start = prefix.as_ptr();
    let layer = RewriteLayer::new(move |_| Some(Prefix::new(prefix.clone())));
    let (mut body, _) = through(layer, &["a\nb".into()]).await;
    let frames: Vec<_> = std::iter::from_fn(|| next_data(&mut body)).collect();
    assert_eq!(frames.len(), 4);
    assert_eq!((frames[0].as_ptr(), frames[2].as_ptr()), (start, start));
    assert_eq!((&frames[1][..], &frames[3][..]), (&b"a\n"[..], &b"b"[..]));
}

#[tokio::test]
async fn body_rewrite_12_the_hint_counts_only_waiting_bytes() {
    let mut body = prefixed(&["a\n".into(), Step::Yield]).await;
    let hint = body.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (4, None));
    next_data(&mut body);
    let hint = body.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (0, None));
    assert!(matches!(poll(&mut body), Poll::Ready(None)));
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test]
async fn body_rewrite_12_a_false_inner_hint_does_not_count() {
    for lie in [0, 1, u64::MAX] {
        let inner = Body::new(["a\nb".into(), Step::Yield, "\nc".into()]);
        let app =
            PrefixLayer::new("> ").layer(responding(inner.claim_hint(SizeHint::with_exact(lie))));
        let response = app.oneshot(Request::new(())).await.unwrap();
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
        let body = response.into_body();
        assert_eq!(
            (body.size_hint().lower(), body.size_hint().upper()),
            (7, None)
        );
        assert_eq!(body.collect().await.unwrap().to_bytes(), "> a\n> b\n> c");
    }
}

/// Adds a dot to the end, so that its length is known.
struct Dot;

impl Rewriter for Dot {
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink) {
        out.pass(chunk);
    }

    fn finish(&mut self, out: &mut Sink) {
        out.put(b".");
    }

    fn new_length(&self, length: u64) -> Option<u64> {
        length.checked_add(1)
    }
}

#[tokio::test]
async fn body_rewrite_6_the_length_is_set_if_it_is_known() {
    const LARGE: &str = match std::str::from_utf8(&[b'\n'; 1 << 17]) {
        Ok(text) => text,
        Err(_) => panic!(),
    };
    let dot = RewriteLayer::new(|_| Some(Dot));
    let long = RewriteLayer::new(|_| Some(Prefix::new(vec![b'x'; 1023])));
    // The frames, the service's Content-Length, the layer's, and why.
    let table: [(&[Step], _, Option<&str>, &str); 9] = [
        (&[], None, Some("1"), "no body becomes one"),
        (&["ab".into()], None, Some("3"), "the only frame is ready"),
        (
            &["ab".into()],
            Some("7"),
            Some("3"),
            "the frame counts, not the header",
        ),
        (&["".into()], None, Some("1"), "it is empty"),
        (&["ab".into(), "c".into()], None, None, "two frames"),
        (
            &["ab".into(), "c".into()],
            Some("3"),
            Some("4"),
            "two frames, and the rewriter knows",
        ),
        (
            &["ab".into(), Step::Yield],
            Some("2"),
            Some("3"),
            "it waits, and the rewriter knows",
        ),
        (
            &["ab".into(), trailers()],
            None,
            None,
            "trailers come in chunks only",
        ),
        (&["ab".into(), FAIL], None, None, "the body breaks off"),
    ];
    for (steps, length, expected, why) in table {
        assert_eq!(
            promised(&dot, Method::GET, length.as_slice(), steps)
                .await
                .as_deref(),
            expected,
            "{why}"
        );
    }
    let table: [(&[&str], Option<&str>); 6] = [
        (&["2"], Some("3")),
        (&["2", "2"], Some("3")),
        (&["2", "4"], None),
        (&[], None),
        (&["x"], None),
        (&["+2"], None),
    ];
    for (lengths, expected) in table {
        assert_eq!(
            promised(&dot, Method::HEAD, lengths, &[]).await.as_deref(),
            expected,
            "{lengths:?}"
        );
    }
    assert_eq!(
        promised(&dot, Method::HEAD, &["18446744073709551615"], &[]).await,
        None
    );
    // The head does not wait until all of this is rewritten.
    assert_eq!(
        promised(&long, Method::GET, &[], &[LARGE.into()]).await,
        None
    );
}

async fn promised<R: Rewriter + 'static>(
    layer: &RewriteLayer<R>,
    method: Method,
    lengths: &[&'static str],
    steps: &[Step],
) -> Option<String> {
    // The body has no hint about its length.
    let body = Body::new(steps.iter().cloned()).claim_hint(SizeHint::default());
    let lengths = lengths.to_vec();
    let app = responding(body).map_response(move |mut response| {
        for length in lengths {
            let length = HeaderValue::from_static(length);
            response.headers_mut().append(CONTENT_LENGTH, length);
        }
        response
    });
    let request = Request::builder().method(method).body(()).unwrap();
    let response = layer.layer(app).oneshot(request).await.unwrap();
    let mut promised = response.headers().get_all(CONTENT_LENGTH).iter();
    let length = promised.next();
    assert_eq!(promised.next(), None);
    length.map(|length| length.to_str().unwrap().to_owned())
}

/// Writes two frames at the end of a body, also after an error.
#[derive(Clone)]
struct Footer(Bytes);

impl Rewriter for Footer {
    fn rewrite(&mut self, _: Bytes, _: &mut Sink) {}

    fn finish(&mut self, out: &mut Sink) {
        out.pass(self.0.clone());
        out.pass(self.0.clone());
    }

    fn abandon(&mut self, out: &mut Sink) {
        self.finish(out);
    }
}

#[tokio::test]
async fn body_rewrite_12_hints_include_all_bytes_to_come() {
    let footer = Footer(vec![b'x'; 2000].into());
    for (end, upper) in [
        (&[][..], Some(2000)),
        (&[trailers()], None),
        (&[FAIL], None),
    ] {
        let footer = footer.clone();
        let layer = RewriteLayer::new(move |_| Some(footer.clone()));
        let (mut body, _) = through(layer, end).await;
        assert_eq!(next_data(&mut body).unwrap().len(), 2000);
        let hint = body.size_hint();
        assert_eq!((hint.lower(), hint.upper()), (2000, upper), "{end:?}");
        assert!(!body.is_end_stream());
        assert_eq!(next_data(&mut body).unwrap().len(), 2000);
        assert_eq!(body.is_end_stream(), upper.is_some());
    }
}

#[tokio::test]
async fn body_rewrite_11_dropping_the_body_drops_the_inner_body() {
    let layer = RewriteLayer::new(|_| Some(Prefix::new("> ")));
    let (mut body, alive) = through(layer, &["a\nb\n".into(), "c".into()]).await;
    next_data(&mut body);
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(body);
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// Holds everything back, and writes how the body ended.
#[derive(Default)]
struct HoldsBack(Vec<u8>);

impl Rewriter for HoldsBack {
    fn rewrite(&mut self, chunk: Bytes, _: &mut Sink) {
        self.0.extend_from_slice(&chunk);
    }

    fn finish(&mut self, out: &mut Sink) {
        out.put(&self.0);
        out.put(b" (all)");
    }

    fn abandon(&mut self, out: &mut Sink) {
        out.put(&self.0);
    }
}

#[tokio::test]
async fn body_rewrite_10_a_rewriter_finishes_or_abandons() {
    let layer = RewriteLayer::new(|_| Some(HoldsBack::default()));
    for end in [&["a".into()][..], &["a".into(), trailers()]] {
        let (mut body, _) = through(layer.clone(), end).await;
        assert_eq!(next_data(&mut body).unwrap(), "a (all)");
        assert!(!poll(&mut body).is_pending());
        assert!(body.is_end_stream());
    }
    let (mut body, _) = through(layer, &["a".into(), FAIL]).await;
    assert_eq!(next_data(&mut body).unwrap(), "a");
    assert!(matches!(poll(&mut body), Poll::Ready(Some(Err(_)))));
}

#[test]
fn a_body_that_cannot_be_moved_can_be_rewritten() {
    struct Unmovable(PhantomPinned);

    impl http_body::Body for Unmovable {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let _ = self.0;
            Poll::Ready(None)
        }
    }

    fn is_a_body(_: Option<impl http_body::Body>) {}
    is_a_body(None::<ResponseBody<Unmovable, Prefix>>);
}

/// A body may end within a line, with the beginning of a string or with a string that was replaced.
/// It leaves nothing for the next response of the same service.
#[tokio::test]
async fn a_response_leaves_nothing_for_the_next() {
    async fn twice<R: Rewriter + 'static>(layer: RewriteLayer<R>, first: &[Step]) -> Vec<String> {
        let first = Body::new(first.iter().cloned());
        let second = Body::new([Step::Data("b cat".into()), Step::Data(" cat".into())]);
        let bodies = Arc::new(Mutex::new(vec![second, first]));
        let service = service_fn(move |_: Request<()>| {
            let mut response = Response::new(bodies.lock().unwrap().pop().unwrap());
            let text = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(CONTENT_TYPE, text);
            ready(Ok::<_, Infallible>(response))
        });
        let mut service = layer.layer(service);
        let mut texts = Vec::new();
        for _ in 0..2 {
            let response = service.ready().await.unwrap().call(Request::new(()));
            let mut body = response.await.unwrap().into_body();
            let mut text = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                text.extend(frame.into_data().unwrap_or_default());
            }
            texts.push(String::from_utf8(text).unwrap());
        }
        texts
    }

    let prefix = || RewriteLayer::new(|_| Some(Prefix::new("> ")));
    let replace = Replace::new([("cat", "dog")]).unwrap();
    let once = replace.clone().once();
    let replace = move || {
        let replace = replace.clone();
        RewriteLayer::new(move |_| Some(replace.clone()))
    };
    let once = move || {
        let once = once.clone();
        RewriteLayer::new(move |_| Some(once.clone()))
    };
    for end in [&[][..], &[FAIL], &[trailers()]] {
        let steps = [&[Step::Data("a\nca".into())], end].concat();
        assert_eq!(twice(prefix(), &steps).await, ["> a\n> ca", "> b cat cat"]);
        assert_eq!(twice(replace(), &steps).await, ["a\nca", "b dog dog"]);
        let steps = [&[Step::Data("cat ca".into())], end].concat();
        assert_eq!(twice(once(), &steps).await, ["dog ca", "b dog cat"]);
    }
}
