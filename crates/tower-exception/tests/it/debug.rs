//! The page: its clients, its content, and that no hostile input on it is active.

use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use scraper::Html;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_exception::{DebugPage, ExceptionLayer, Incident, SnapshotLayer, install_panic_hook};
use tower_lint::probe::{Body, Error, Step};

use crate::{
    probe::reason,
    responses::{Login, secretive},
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn options() -> DebugPage {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    DebugPage::new(|_| Some(HERE)).sources(directory).force()
}

fn layer() -> ExceptionLayer {
    ExceptionLayer::debug(|_| {}, options())
}

fn request(accept: &str) -> Request<()> {
    let request = Request::get("/a?b")
        .header("host", "localhost:8080")
        .header("accept", accept);
    request.body(()).unwrap()
}

/// Returns the response to a panic with this message.
async fn page(
    layer: &ExceptionLayer,
    message: &'static str,
    request: Request<()>,
) -> Response<String> {
    install_panic_hook();
    let app = SnapshotLayer::new()
        .show::<Login>("login")
        .show::<Hostile>("hostile");
    let app = app.layer(service_fn(move |_: Request<()>| async move {
        if message != "fine" {
            panic!("{message}");
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    read(layer.layer(app).oneshot(request).await.unwrap()).await
}

async fn read<B>(response: Response<B>) -> Response<String>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Debug>,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.into()).unwrap())
}

fn texts(document: &Html, selector: &str) -> Vec<String> {
    let selector = scraper::Selector::parse(selector).unwrap();
    let found = document
        .select(&selector)
        .map(|found| found.text().collect::<String>());
    found.collect()
}

#[tokio::test]
async fn exception_15_library_calls_are_folded_and_counted() {
    install_panic_hook();
    let app = service_fn(async |_: Request<()>| {
        (0..1).map(|_| -> u8 { panic!("fell") }).for_each(drop);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let app = layer().layer(app);
    let html = read(app.oneshot(request("text/html")).await.unwrap()).await;
    let document = Html::parse_document(html.body());
    let calls = texts(&document, "details.library li").len();
    let folded = texts(&document, "details.library summary");
    let counts = folded.iter().map(|summary| {
        let (count, unit) = summary.split_once(' ').unwrap();
        let count = count.parse::<usize>().unwrap();
        let expected = ["library calls", "library call"][usize::from(count == 1)];
        assert_eq!(unit, expected);
        count
    });
    assert_eq!(counts.sum::<usize>(), calls);
    if cfg!(debug_assertions) {
        // The calls between the closure and the service are in one group.
        assert_eq!(folded.len(), 1, "{folded:?}");
        assert!(calls > 1);
        let own = texts(&document, "main > details:not(.library) > summary > .place");
        assert_eq!(own.len(), 2, "{own:?}");
    }
}

#[tokio::test]
async fn exception_15_the_page_shows_the_panic_and_the_calls() {
    let html = page(&layer(), "the sky is falling", request("text/html")).await;
    assert_eq!(html.status(), 500);
    let policy = html.headers()["content-security-policy"].to_str().unwrap();
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(html.headers()[name], value);
    }
    for header in ["set-cookie", "etag", "last-modified", "content-encoding"] {
        assert!(!html.headers().contains_key(header));
    }
    let document = Html::parse_document(html.body());
    let text = |selector: &str| texts(&document, selector);
    assert_eq!(text("h1"), ["the sky is falling"]);
    assert_eq!(text("title"), ["panic: the sky is falling"]);
    // The failing line, in the one call of the application that is open.
    assert_eq!(text("details[open] .here").len(), 1, "{}", text("main")[0]);
    assert!(text("details[open] .here")[0].contains("panic!(\"{message}\");"));
    assert!(text("header")[0].contains("tests/it/debug.rs"));
    let places = text("details[open] .place");
    // A release build has no file names.
    let known = places.iter().any(|place| place.contains("debug.rs:"));
    assert!(known || !cfg!(debug_assertions), "{places:?}");
    assert!(text("summary").contains(&"GET /a?b HTTP/1.1".to_owned()));
    assert_eq!(text("tr"), ["hostlocalhost:8080", "accepttext/html"]);
    assert!(text("textarea")[0].contains("panic in the future: the sky is falling"));
    let styles = scraper::Selector::parse("style").unwrap();
    let style = document.select(&styles).next().unwrap();
    assert_eq!(style.attr("nonce"), Some(nonce));
    let again = page(&layer(), "the sky is falling", request("text/html")).await;
    assert_ne!(again.headers()["content-security-policy"], policy);
}

#[tokio::test]
async fn exception_15_text_and_json_have_the_same_content() {
    let text = page(&layer(), "fell", request("text/plain")).await;
    assert!(
        text.body().starts_with("panic in the future: fell\n  at "),
        "{}",
        text.body()
    );
    assert!(text.body().contains("\nGET /a?b HTTP/1.1\n"));
    for accept in ["application/json", "application/problem+json"] {
        let json = page(&layer(), "fell", request(accept)).await;
        assert_eq!(json.headers()["content-type"], accept);
        let value: serde_json::Value = serde_json::from_str(json.body()).unwrap();
        assert_eq!(value["detail"], "fell");
        assert_eq!(value["status"], 500);
        assert_eq!(value["request"]["uri"], "/a?b");
        // In a release build all may be in one function.
        let frames = value["frames"].as_array().unwrap();
        assert!(!frames.is_empty() || !cfg!(debug_assertions));
    }
}

#[tokio::test]
async fn exception_15_an_error_has_its_chain() {
    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the order is missing")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let app = layer().layer(service_fn(async |_: Request<()>| {
        Err::<Response<Full<Bytes>>, _>(Outer(std::io::Error::other("http://me:s3cr3t@db is gone")))
    }));
    let text = read(app.clone().oneshot(request("text/plain")).await.unwrap()).await;
    let expected =
        "error in the future: the order is missing\n  caused by: http://[redacted]@db is gone\n";
    assert!(text.body().starts_with(expected), "{}", text.body());
    let html = read(app.oneshot(request("text/html")).await.unwrap()).await;
    assert!(
        html.body()
            .contains("<li>http://[redacted]@db is gone</li>")
    );
}

#[tokio::test]
async fn exception_14_other_clients_get_productions_response() {
    let found = |response: &Response<String>| response.body().contains("fell");
    let with = |options| ExceptionLayer::debug(|_| {}, options);
    let here = || DebugPage::new(|_| Some(HERE));
    // In a release build the page has to be forced: `cargo test --release`.
    let unforced = page(&with(here()), "fell", request("text/plain")).await;
    assert_eq!(found(&unforced), cfg!(debug_assertions));
    let here = || here().force();
    let forced = page(&with(here()), "fell", request("text/plain")).await;
    assert!(found(&forced));
    let strange = [
        DebugPage::new(|_| None),
        DebugPage::new(|_| Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)))),
        DebugPage::new(|_| panic!("unknown")),
    ];
    for options in strange {
        let response = page(&with(options.force()), "fell", request("text/plain")).await;
        assert_eq!(response.status(), 500);
        assert!(!found(&response), "{}", response.body());
    }
    for (name, value) in [
        ("host", "example.org"),
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "for=_x"),
        ("via", "1.1 x"),
    ] {
        let mut request = request("text/plain");
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        assert!(
            !found(&page(&with(here()), "fell", request).await),
            "{name}"
        );
    }
    let mut named = request("text/plain");
    named
        .headers_mut()
        .insert("host", HeaderValue::from_static("dev.example:80"));
    assert!(found(
        &page(&with(here().hosts(["Dev.Example"])), "fell", named).await
    ));
}

#[tokio::test]
async fn exception_20_the_request_is_unchanged_by_the_peer_function() {
    let lent: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = lent.clone();
    let layer = ExceptionLayer::debug(
        |_| {},
        DebugPage::new(move |head| {
            seen.lock()
                .unwrap()
                .push(format!("{} {} {:?}", head.method, head.uri, head.headers));
            Some(HERE)
        })
        .force(),
    );
    let app = layer.layer(service_fn(move |request: Request<()>| {
        let seen = format!(
            "{} {} {:?}",
            request.method(),
            request.uri(),
            request.headers()
        );
        assert_eq!(request.extensions().get::<&str>(), Some(&"kept"));
        assert_eq!(*lent.lock().unwrap(), [seen]);
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    }));
    let mut request = request("text/plain");
    request.extensions_mut().insert("kept");
    assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn exception_9_no_secret_is_on_the_page() {
    for accept in ["text/html", "text/plain", "application/json"] {
        let mut request = secretive();
        // With it no client would see the page.
        let uri = request.uri().to_string().replace("me:s3cr3t@", "");
        *request.uri_mut() = uri.parse().unwrap();
        let json = request.headers_mut().remove("x-forwarded-json").unwrap();
        request.headers_mut().insert("x-json", json);
        request
            .headers_mut()
            .insert("accept", accept.parse().unwrap());
        let response = page(&layer(), "fell", request).await;
        assert!(response.body().contains("fell") && response.body().contains("Ann"));
        let all = format!("{response:?}");
        assert!(!all.contains("s3cr3t"), "{accept}: {all}");
    }
}

#[derive(Clone)]
struct Hostile(&'static str);

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Elements and the names of their attributes, in order.
fn skeleton(html: &str) -> Vec<String> {
    let document = Html::parse_document(html);
    let elements = document
        .tree
        .nodes()
        .filter_map(|node| node.value().as_element());
    elements
        .map(|element| {
            let mut names: Vec<&str> = element.attrs().map(|(name, _)| name).collect();
            names.sort_unstable();
            format!("{} {names:?}", element.name())
        })
        .collect()
}

#[tokio::test]
async fn exception_15_hostile_input_makes_no_element() {
    async fn with(text: &'static str) -> Response<String> {
        let mut request = request("text/html");
        // In a path and a query as a client may write it, and in a header all that a header may
        // have.
        let path: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let raw: String = text
            .chars()
            .filter(|c| "<>\"'`&;=/".contains(*c) || c.is_ascii_alphanumeric())
            .collect();
        let target = format!("/{path}?q={}", raw.replace(['<', '>', '"', '`'], "%3C"));
        *request.uri_mut() = target.parse().unwrap();
        let value: Vec<u8> = text
            .bytes()
            .filter(|byte| *byte >= 0x20 && *byte != 0x7f)
            .collect();
        request
            .headers_mut()
            .insert("x-hostile", HeaderValue::from_bytes(&value).unwrap());
        request
            .headers_mut()
            .insert("user-agent", HeaderValue::from_bytes(&value).unwrap());
        request.extensions_mut().insert(Hostile(text));
        page(&layer(), text, request).await
    }
    let harmless = with("harmless").await;
    let expected = skeleton(harmless.body());
    assert!(expected.len() > 40);
    for text in [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "</title><script>alert(1)</script>",
        "</textarea><script>alert(1)</script>",
        "</style><img src=x onerror=alert(1)>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "` onmouseover=alert(1)",
        "<!--",
        "-->",
        "<![CDATA[",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "\u{2028}\u{2029}\u{0}\u{feff}<b>",
        "{{7*7}} ${7*7} <%= 7*7 %>",
        "javascript:alert(1)",
        "<svg/onload=alert(1)>",
        "</pre></details></main></body></html><script>",
    ] {
        let page = with(text).await;
        assert_eq!(page.status(), 500);
        assert_eq!(skeleton(page.body()), expected, "{text}");
    }
}

#[tokio::test]
async fn exception_7_a_panic_in_display_is_a_placeholder() {
    #[derive(Debug)]
    struct Mute;
    impl fmt::Display for Mute {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no comment")
        }
    }
    impl std::error::Error for Mute {}
    for accept in ["text/html", "text/plain", "application/json"] {
        let app = layer().layer(service_fn(async |_: Request<()>| {
            Err::<Response<Full<Bytes>>, _>(Mute)
        }));
        let response = read(app.oneshot(request(accept)).await.unwrap()).await;
        assert_eq!(response.status(), 500);
        assert!(
            response.body().contains("(its Display panicked)"),
            "{}",
            response.body()
        );
    }
}

/// Returns the whole body of a response with this status and head that sends something and fails.
async fn appended(
    layer: ExceptionLayer,
    status: u16,
    head: &[(&'static str, &'static str)],
    hint: http_body::SizeHint,
    steps: &[Step],
) -> Result<String, ()> {
    install_panic_hook();
    let (head, steps) = (head.to_vec(), steps.to_vec());
    let app = layer.layer(service_fn(move |_: Request<()>| {
        let fail = Step::Fail(Error("the <disk> is gone"));
        let steps = steps.iter().cloned().chain([fail]);
        let body = Body::new(steps).claim_hint(hint);
        let mut response = Response::builder().status(status);
        for (name, value) in &head {
            response = response.header(*name, *value);
        }
        let body: UnsyncBoxBody<Bytes, Error> = body.boxed_unsync();
        std::future::ready(Ok::<_, BoxError>(response.body(body).unwrap()))
    }));
    let response = app.oneshot(request("text/plain")).await.unwrap();
    assert_eq!(response.status().as_u16(), status);
    let body = response.into_body().collect().await.map_err(drop)?;
    Ok(String::from_utf8(body.to_bytes().into()).unwrap())
}

const PLAIN: (&str, &str) = ("content-type", "text/plain; charset=utf-8");

#[tokio::test]
async fn exception_16_the_text_is_appended_where_it_may_be() {
    let on = || ExceptionLayer::debug(|_| {}, options().append_traceback());
    let unknown = http_body::SizeHint::default;
    let one: &[Step] = &["one <b>".into()];
    let text = appended(on(), 200, &[PLAIN], unknown(), one).await.unwrap();
    let expected = "one <b>\nerror in the body: the <disk> is gone\n";
    assert!(text.starts_with(expected), "{text}");
    let html = [("content-type", "Text/HTML")];
    let html = appended(on(), 404, &html, unknown(), one).await.unwrap();
    let expected = "one <b><pre>\nerror in the body: the &lt;disk&gt; is gone\n";
    assert!(html.starts_with(expected), "{html}");
    assert!(html.ends_with("</pre>"));

    let broken: [(u16, &[_]); 7] = [
        (200, &[("content-type", "application/json")]),
        (200, &[("content-type", "text/plainer")]),
        (200, &[]),
        (200, &[PLAIN, ("content-length", "100")]),
        (200, &[PLAIN, ("content-encoding", "gzip")]),
        (200, &[PLAIN, ("content-type", "application/json")]),
        (206, &[PLAIN, ("content-range", "bytes 0-9/100")]),
    ];
    for (status, head) in broken {
        let appended = appended(on(), status, head, unknown(), one).await;
        assert_eq!(appended, Err(()), "{head:?}");
    }
    // The body knows its length.
    let exact = http_body::SizeHint::with_exact(100);
    assert_eq!(appended(on(), 200, &[PLAIN], exact, one).await, Err(()));
    // Trailers are the end of a body.
    let trailers = Step::Trailers(http::HeaderMap::new());
    let steps = [one, &[trailers]].concat();
    let appended_ = appended(on(), 200, &[PLAIN], unknown(), &steps).await;
    assert_eq!(appended_, Err(()));
    // By default, and for clients that would not see the page.
    let off = [
        layer(),
        ExceptionLayer::debug(|_| {}, DebugPage::new(|_| None).append_traceback()),
    ];
    for layer in off {
        let appended = appended(layer, 200, &[PLAIN], unknown(), one).await;
        assert_eq!(appended, Err(()));
    }
}

#[tokio::test]
async fn exception_13_a_report_has_the_content_of_the_page() {
    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let layer = ExceptionLayer::debug(
        move |incident| keeps.lock().unwrap().push(incident.clone()),
        DebugPage::new(|_| Some(HERE)).force(),
    );
    let mut request = request("text/html");
    request
        .extensions_mut()
        .insert(Hostile("token: s3cr3t\nage: 3"));
    page(&layer, "fell", request).await;
    let incidents = incidents.lock().unwrap();
    let [incident] = &incidents[..] else {
        panic!("one")
    };
    assert_eq!(
        incident.shown().collect::<Vec<_>>(),
        [("hostile", "token: [redacted]\nage: 3")]
    );
    assert_eq!(incident.headers().unwrap()["host"], "localhost:8080");
}

#[tokio::test]
async fn exception_9_lists_of_pairs_have_no_secrets() {
    #[derive(Clone, Debug)]
    #[allow(dead_code, reason = "seen by Debug")]
    struct Pairs(
        Vec<(Option<&'static str>, &'static str)>,
        Vec<(&'static str, &'static str)>,
    );

    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let layer = ExceptionLayer::debug(
        move |incident| keeps.lock().unwrap().push(incident.clone()),
        DebugPage::new(|_| Some(HERE)).force(),
    );
    let snapshots = SnapshotLayer::new()
        .show::<Pairs>("pairs")
        .show::<Hostile>("session token");
    let app = layer.layer(snapshots.layer(service_fn(async |_: Request<()>| {
        Err::<Response<Full<Bytes>>, BoxError>("postgres://me:s3cr3t@db is gone".into())
    })));
    let mut request = request("text/plain");
    let pairs = Pairs(
        vec![(Some("token"), "s3cr3t"), (Some("age"), "3")],
        vec![("authorization", "Bearer s3cr3t"), ("accept", "text/html")],
    );
    request.extensions_mut().insert(pairs);
    request.extensions_mut().insert(Hostile("s3cr3t"));
    let response = read(app.oneshot(request).await.unwrap()).await;
    assert!(response.body().contains("text/html") && response.body().contains("\"3\""));
    let incident = incidents.lock().unwrap()[0].clone();
    let all = format!(
        "{} {incident} {incident:?} {:?}",
        response.body(),
        incident.shown().collect::<Vec<_>>()
    );
    assert!(!all.contains("s3cr3t"), "{all}");
}

#[tokio::test]
async fn exception_8_the_page_is_a_rejection_with_a_length_to_head() {
    for accept in ["text/html", "text/plain", "application/json"] {
        let response = async |method| {
            let app = layer().layer(service_fn(async |_: Request<()>| {
                Err::<Response<Body>, _>(Error("broken"))
            }));
            let mut request = request(accept);
            *request.method_mut() = method;
            let response = app.oneshot(request).await.unwrap();
            assert_eq!(reason(&response).chain().count(), 1);
            assert!(response.headers().contains_key("x-frame-options"));
            read(response).await
        };
        // The method is on the page, so its name has the same length.
        let (head, post) = (response(Method::HEAD).await, response(Method::POST).await);
        assert_eq!(
            head.headers()["content-type"],
            post.headers()["content-type"]
        );
        assert_eq!(
            head.headers()["content-length"],
            post.body().len().to_string()
        );
        assert_eq!(head.body(), "");
    }
}

#[tokio::test]
async fn exception_15_the_last_snapshot_of_a_name_is_shown() {
    let snapshots = SnapshotLayer::new()
        .show::<u8>("number")
        .show::<&str>("other")
        .show::<u16>("number");
    let app = layer().layer(snapshots.layer(service_fn(async |_: Request<()>| {
        Err::<Response<Body>, _>(Error("broken"))
    })));
    let mut request = request("text/plain");
    request.extensions_mut().insert(1_u8);
    request.extensions_mut().insert("text");
    request.extensions_mut().insert(2_u16);
    let response = app.oneshot(request).await.unwrap();
    let incident = reason(&response);
    let shown: Vec<_> = incident.shown().collect();
    assert_eq!(shown, [("number", "2"), ("other", "\"text\"")]);
}
