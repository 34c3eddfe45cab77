//! The subjects: a bare service, the same with one of the layers, and with one of their peers.

mod body_rewrite;
mod cascade;
mod dispatch;
mod error_document;
mod exception;
mod github_app;
mod hooks;
mod stack;

use std::{
    any::Any,
    convert::Infallible,
    error::Error,
    fs,
    hint::black_box,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer, Endpoint};
use tower_environ::{EnvironLayer, Key, MountLayer};
use tower_exception::ExceptionLayer;
use tower_hooks::HooksLayer;
use tower_http::add_extension::AddExtensionLayer;
use tower_origin::OriginLayer;

type ReqBody = Full<Bytes>;

/// Measures the time of some work, or counts its allocations.
type Meter<'a> = dyn FnMut(&mut dyn FnMut()) + 'a;

/// Work that can be done many times.
pub struct Subject {
    /// The number of repetitions before the other side's turn.
    pub turn: u64,
    run: Box<dyn FnMut(u64, &mut Meter<'_>)>,
}

impl Subject {
    /// A service with a browser's request and its twelve headers.
    fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<B>, Error = Infallible> + 'static,
        B: Body<Data = Bytes>,
    {
        Self::with(browser_request, service)
    }

    /// A service that finishes each request before the next, from the call to the last frame of the
    /// body. Making the requests is not measured.
    fn with<S, R, B>(request: fn() -> Request<R>, mut service: S) -> Self
    where
        S: Service<Request<R>, Response = Response<B>, Error = Infallible> + 'static,
        R: 'static,
        B: Body<Data = Bytes>,
    {
        Self {
            turn: 50,
            run: Box::new(move |times, meter| {
                let mut requests: Vec<_> = (0..times).map(|_| request()).collect();
                meter(&mut || {
                    for request in requests.drain(..) {
                        exchange(&mut service, request);
                    }
                });
            }),
        }
    }

    /// Takes the texts one after the other, and continues where it was. They are adjacent in
    /// memory: a server's path has just been read, so it is in the cache.
    fn lookups(texts: &[String], mut look_up: impl FnMut(&str) + 'static) -> Self {
        let all = texts.concat();
        let ends = texts.iter().scan(0, |end, text| {
            let start = *end;
            *end += text.len();
            Some(start..*end)
        });
        let places: Vec<_> = ends.collect();
        let mut next = 0;
        Self {
            turn: 520,
            run: Box::new(move |times, meter| {
                meter(&mut || {
                    for _ in 0..times {
                        look_up(black_box(&all[places[next].clone()]));
                        next = (next + 1) % places.len();
                    }
                });
            }),
        }
    }

    /// Some work by itself.
    fn work(turn: u64, mut work: impl FnMut() + 'static) -> Self {
        Self {
            turn,
            run: Box::new(move |times, meter| meter(&mut || (0..times).for_each(|_| work()))),
        }
    }

    /// Returns the time of `times` repetitions. `ratios --count` finds this function by its name.
    #[inline(never)]
    pub fn time(&mut self, times: u64) -> Duration {
        let mut time = Duration::ZERO;
        (self.run)(times, &mut |work| {
            let start = Instant::now();
            work();
            time = start.elapsed();
        });
        time
    }

    /// The number of allocations, after a first repetition.
    pub fn allocations(&mut self) -> u64 {
        self.time(10);
        let mut allocations = 0;
        (self.run)(1, &mut |work| {
            allocations = allocation_counter::measure(work).count_total;
        });
        allocations
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

fn exchange<S, R, B>(service: &mut S, request: Request<R>)
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).now_or_never();
    let response = ready.and_then(|_| service.call(request).now_or_never());
    let response = response
        .expect("nothing here waits")
        .unwrap_or_else(|never| match never {});
    let mut body = pin!(response.into_body());
    while let Some(frame) = body.frame().now_or_never().expect("nothing here waits") {
        black_box(frame.ok());
    }
}

/// A browser's request, with texts that are slices of one buffer, as in a server.
fn browser_request() -> Request<ReqBody> {
    let head = Bytes::from_static(include_bytes!("fixtures/browser-head.txt"));
    // A buffer that is shared already, like the server's.
    let head = Bytes::from(head.to_vec());
    let _shared = head.clone();
    let text = std::str::from_utf8(&head).expect("the fixture is text");
    let (first, rest) = text.split_once('\n').expect("the fixture has lines");
    let target = first.split(' ').nth(1).expect("the fixture has a target");
    let uri = http::Uri::from_maybe_shared(head.slice_ref(target.as_bytes()));
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri.expect("the fixture's target is a URI");
    for line in rest.lines() {
        if let Some((name, value)) = line.split_once(':') {
            let name = http::HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_maybe_shared(head.slice_ref(value.trim().as_bytes()));
            if let (Ok(name), Ok(value)) = (name, value) {
                request.headers_mut().append(name, value);
            }
        }
    }
    request
}

/// Only drops the request, so that the cost of a layer's extensions shows.
async fn done<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::default())
}

async fn answers<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Hello World\nand all who live there\n"));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

async fn not_found<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

fn urls(template: &str) -> Dispatch<Endpoint<ReqBody>> {
    Dispatch::builder()
        .get(template, service_fn(answers))
        .build()
        .expect("the template is well-formed")
}

/// The service without a layer.
#[must_use]
pub fn bare() -> Subject {
    Subject::new(service_fn(answers))
}

/// The bare service with one of our layers, and the name of its row.
#[must_use]
pub fn layered() -> Vec<(&'static str, Subject)> {
    const HELLO: Key<&'static str> = Key::new("bench.hello");

    let environ = EnvironLayer::new(HELLO, "Hello World");
    let mount = MountLayer::new("/hello").expect("a path");
    let origin = OriginLayer::new().hosts(["localhost"]).expect("a host");
    let matched = DispatchLayer::new(urls("/hello/{name}"));
    let unmatched = DispatchLayer::new(urls("/other/{name}"));
    let first = CascadeLayer::new(service_fn(answers)).layer(service_fn(not_found));
    let next = CascadeLayer::new(service_fn(not_found)).layer(service_fn(answers));
    let guarded = CascadeLayer::new(service_fn(not_found))
        .only(|parts| parts.method == Method::PUT)
        .layer(service_fn(answers));
    let prefix = PrefixLayer::new("> ");
    let html = prefix.clone().types(["text/html"]).expect("a media type");
    let exception = ExceptionLayer::production(|_| {});
    let one_hook = HooksLayer::new().hook(hooks::Marks);
    let mut layered = vec![
        ("environ", Subject::new(environ.layer(service_fn(answers)))),
        ("mount", Subject::new(mount.layer(service_fn(answers)))),
        ("origin", Subject::new(origin.layer(service_fn(answers)))),
        (
            "dispatch-matched",
            Subject::new(matched.layer(service_fn(answers))),
        ),
        (
            "dispatch-not-matched",
            Subject::new(unmatched.layer(service_fn(answers))),
        ),
        ("cascade-first-answers", Subject::new(first)),
        ("cascade-falls-through", Subject::new(next)),
        ("cascade-guard-skips", Subject::new(guarded)),
        (
            "body-rewrite-prefixed",
            Subject::new(prefix.layer(service_fn(answers))),
        ),
        (
            "body-rewrite-left-alone",
            Subject::new(html.layer(service_fn(answers))),
        ),
        (
            "exception-good-path",
            Subject::new(exception.layer(service_fn(answers))),
        ),
        (
            "hooks-one",
            Subject::new(one_hook.layer(service_fn(answers))),
        ),
        (
            "hooks-functions",
            Subject::new(hooks::functions().layer(service_fn(answers))),
        ),
    ];
    layered.extend(error_document::layered());
    layered
}

/// Whole stacks, each with its innermost service alone.
#[must_use]
pub fn stacks() -> Vec<(&'static str, Subject, Subject)> {
    stack::stacks()
}

/// One of ours and its peer.
pub struct Pair {
    /// The name of the row.
    pub name: &'static str,
    sides: Box<dyn Fn() -> (Subject, Subject)>,
    less: Option<fn() -> Subject>,
}

impl Pair {
    fn new(name: &'static str, sides: impl Fn() -> (Subject, Subject) + 'static) -> Self {
        Self {
            name,
            sides: Box::new(sides),
            less: None,
        }
    }

    /// Subtracts this base from both.
    fn less(mut self, less: fn() -> Subject) -> Self {
        self.less = Some(less);
        self
    }

    /// The part that is subtracted from both, if there is one.
    #[must_use]
    pub fn base(&self) -> Option<Subject> {
        self.less.map(|less| less())
    }

    /// Makes ours and the peer.
    #[must_use]
    pub fn sides(&self) -> (Subject, Subject) {
        (self.sides)()
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pair").field(&self.name).finish()
    }
}

/// A value that takes time and memory to build.
pub struct Build {
    /// The name of the row.
    pub name: &'static str,
    build: Box<dyn Fn() -> Box<dyn Any>>,
}

impl Build {
    fn new<T: 'static>(name: &'static str, build: impl Fn() -> T + 'static) -> Self {
        Self {
            name,
            build: Box::new(move || Box::new(build())),
        }
    }

    /// The time that it takes, and the bytes that it holds then.
    #[must_use]
    pub fn cost(&self) -> (Duration, i64) {
        let mut time = Duration::ZERO;
        let mut built = None;
        let memory = allocation_counter::measure(|| {
            let start = Instant::now();
            built = Some((self.build)());
            time = start.elapsed();
        });
        black_box(built);
        (time, memory.bytes_current)
    }
}

impl std::fmt::Debug for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Build").field(&self.name).finish()
    }
}

/// Returns the most memory that this process has had, in KiB, as Linux counts it.
///
/// # Errors
///
/// Another system, or another Linux.
pub fn peak_memory() -> Result<i64, Box<dyn Error + Send + Sync>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.ok_or("Linux says no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Values that are built once.
#[must_use]
pub fn builds() -> Vec<Build> {
    dispatch::builds()
}

/// Subjects whose allocations are counted.
#[must_use]
pub fn added_allocations() -> Vec<(&'static str, Subject)> {
    let mut added = cascade::added_allocations();
    added.extend([exception::good_path(), hooks::empty()]);
    added
}

/// Subjects that are timed alone, without a bare service or a peer.
#[must_use]
pub fn alone() -> Vec<(&'static str, fn() -> Subject)> {
    let mut alone = dispatch::long_paths();
    alone.extend(exception::panics());
    alone
}

/// The figures that are ratios.
#[must_use]
pub fn pairs() -> Vec<Pair> {
    const ONE: Key<&'static str> = Key::new("bench.one");
    const TWO: Key<&'static str> = Key::new("bench.two");
    const THREE: Key<&'static str> = Key::new("bench.three");
    const FOUR: Key<&'static str> = Key::new("bench.four");
    const NAME: Key<String> = Key::new("bench.name");
    const LIMIT: Key<u64> = Key::new("bench.limit");
    const SHARED: Key<Arc<[u8]>> = Key::new("bench.shared");
    // Extensions differ by their types.
    #[derive(Clone)]
    struct Text<const N: u8>(#[allow(dead_code, reason = "carried, not read")] &'static str);

    let mut pairs = vec![
        Pair::new("environ/one-key/add-extension", || {
            (
                Subject::with(
                    Request::<ReqBody>::default,
                    EnvironLayer::new(ONE, "one").layer(service_fn(done)),
                ),
                Subject::with(
                    Request::<ReqBody>::default,
                    AddExtensionLayer::new("one").layer(service_fn(done)),
                ),
            )
        }),
        Pair::new("environ/four-keys/add-extension", || {
            (
                Subject::with(
                    Request::<ReqBody>::default,
                    ServiceBuilder::new()
                        .layer(EnvironLayer::new(ONE, "one"))
                        .layer(EnvironLayer::new(TWO, "two"))
                        .layer(EnvironLayer::new(THREE, "three"))
                        .layer(EnvironLayer::new(FOUR, "four"))
                        .service(service_fn(done)),
                ),
                Subject::with(
                    Request::<ReqBody>::default,
                    ServiceBuilder::new()
                        .layer(AddExtensionLayer::new(Text::<1>("one")))
                        .layer(AddExtensionLayer::new(Text::<2>("two")))
                        .layer(AddExtensionLayer::new(Text::<3>("three")))
                        .layer(AddExtensionLayer::new(Text::<4>("four")))
                        .service(service_fn(done)),
                ),
            )
        }),
        Pair::new("environ/four-types/add-extension", || {
            (
                Subject::with(
                    Request::<ReqBody>::default,
                    ServiceBuilder::new()
                        .layer(EnvironLayer::new(ONE, "one"))
                        .layer(EnvironLayer::new(NAME, "bench".to_owned()))
                        .layer(EnvironLayer::new(LIMIT, 3))
                        .layer(EnvironLayer::new(SHARED, Arc::from([1, 2, 3])))
                        .service(service_fn(done)),
                ),
                Subject::with(
                    Request::<ReqBody>::default,
                    ServiceBuilder::new()
                        .layer(AddExtensionLayer::new("one"))
                        .layer(AddExtensionLayer::new("bench".to_owned()))
                        .layer(AddExtensionLayer::new(3_u64))
                        .layer(AddExtensionLayer::new(Arc::<[u8]>::from([1, 2, 3])))
                        .service(service_fn(done)),
                ),
            )
        }),
    ];
    pairs.extend(body_rewrite::pairs());
    pairs.extend(cascade::pairs());
    pairs.extend(dispatch::pairs());
    pairs.extend(github_app::pairs());
    pairs.extend(error_document::pairs());
    pairs.extend(exception::pairs());
    pairs.extend(hooks::pairs());
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request's allocations are the same in each build, so they are counted exactly. What rows
    /// take beside them, `just bounds` counts.
    #[test]
    fn requests_make_exactly_these_allocations() {
        let mut found = Vec::new();
        let bare = bare().allocations();
        for (name, mut ours) in layered() {
            found.push((name, ours.allocations() - bare));
        }
        for (name, mut ours, mut base) in stacks() {
            found.push((name, ours.allocations() - base.allocations()));
        }
        let expected = [
            ("environ", 3),
            ("origin", 3),
            ("cascade-first-answers", 0),
            ("body-rewrite-left-alone", 0),
            ("exception-good-path", 0),
            ("hooks-one", 1),
            ("hooks-functions", 0),
            ("stack/five-layers", 5),
            ("stack/first-app-answers", 3),
            ("stack/first-app-takes-a-request", 14),
            ("stack/text-of-64-lines", 9),
        ];
        found.retain(|(name, _)| expected.iter().any(|(expected, _)| expected == name));
        assert_eq!(found, expected);
    }

    /// Allocations beside those of the peer, which does the same.
    #[test]
    fn pairs_make_exactly_these_allocations() {
        let pairs = pairs();
        for (name, expected) in [
            ("environ/one-key/add-extension", [3, 3]),
            ("environ/four-keys/add-extension", [3, 7]),
            ("exception/good-path/catch-panic", [2, 3]),
            ("hooks/one-hook-no-headers/from-fn", [3, 5]),
        ] {
            let pair = pairs.iter().find(|pair| pair.name == name);
            let (mut ours, mut peer) = pair.expect("the row exists").sides();
            assert_eq!([ours.allocations(), peer.allocations()], expected, "{name}");
        }
    }
}
