//! Settings for all routes of a builder: layers, the type of the endpoints, the opt-in rules.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::ALLOW};
use http_body_util::Full;
use tower::{Layer, layer::layer_fn, service_fn, util::MapRequestLayer};
use tower_dispatch::{Dispatch, DispatchLayer, NotDispatched, Pattern, UrlArgs};

use crate::probe::{ask, says};

#[tokio::test]
async fn dispatch_10_a_layer_is_around_the_endpoints_so_far() {
    let mark = MapRequestLayer::new(|mut request: Request<()>| {
        let pattern = request.extensions().get::<UrlArgs>().unwrap().pattern();
        let seen = format!("/seen/{}", &pattern[1..]);
        *request.uri_mut() = seen.parse().unwrap();
        request
    });
    let path = |request: Request<()>| async move {
        let args = request.extensions().get::<UrlArgs>().unwrap();
        let text = format!("{} {}", request.uri(), args.route_name().unwrap_or("-"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
    };
    let urls = Dispatch::builder()
        .get("/a", service_fn(path))
        .name("a")
        .layer(mark)
        .get("/b", service_fn(path))
        .build()
        .unwrap();
    let table = [
        ("/a", "/seen/a a"),
        ("/b", "/b -"),
        ("/c", "no route matches the path\n"),
    ];
    for (uri, text) in table {
        assert_eq!(ask(urls.clone(), Method::GET, uri).await.2, text);
    }
    assert_eq!(
        ask(urls, Method::PUT, "/a").await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn dispatch_15_typed_endpoints_are_not_boxed() {
    #[derive(Clone)]
    struct Says(&'static str);
    impl tower::Service<Request<()>> for Says {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Request<()>) -> Self::Future {
            let args = request.extensions().get::<UrlArgs>().unwrap();
            let text = format!("{} {}", self.0, args.get(0).unwrap_or_default());
            std::future::ready(Ok(Response::new(text.into())))
        }
    }
    let urls: Dispatch<Says> = Dispatch::typed()
        .get("/{x}", Says("get"))
        .post("/{x}", Says("post"))
        .build()
        .unwrap();
    assert_eq!(ask(urls.clone(), Method::GET, "/1").await.2, "get 1");
    assert_eq!(ask(urls.clone(), Method::POST, "/2").await.2, "post 2");
    let app = DispatchLayer::new(urls).layer(says("inner"));
    assert_eq!(ask(app, Method::GET, "/a/b").await.2, "inner GET []");

    // A layer changes the type.
    let urls = Dispatch::typed()
        .get("/{x}", Says("get"))
        .layer(layer_fn(|Says(name)| {
            Says(if name == "get" { "wrapped" } else { "" })
        }))
        .build()
        .unwrap();
    assert_eq!(ask(urls, Method::GET, "/1").await.2, "wrapped 1");
}

#[tokio::test]
async fn dispatch_14_patterns_match_after_leading_slashes() {
    let regex = |regex| Pattern::regex(regex).unwrap();
    let urls = Dispatch::builder()
        .route(regex(""), says("index"))
        .route(regex("hello/?"), says("hello"))
        .route(Pattern::regex_search("hello/(.+)$").unwrap(), says("named"))
        .without_leading_slashes()
        .build()
        .unwrap();
    let table = [
        ("/", "index GET []"),
        ("//", "index GET []"),
        ("/hello", "hello GET []"),
        ("//hello/", "hello GET []"),
        ("/hello/J%C3%B6rg", "named GET [Jörg]"),
        ("///x/hello/a%2Fb", "named GET [a/b]"),
        // An encoded slash is not a leading one.
        ("/%2Fhello", "no route matches the path\n"),
        (
            "/%ff",
            "the path, percent-decoded, is not UTF-8 after its first 1 bytes\n",
        ),
    ];
    for (uri, text) in table {
        assert_eq!(ask(urls.clone(), Method::GET, uri).await.2, text, "{uri}");
    }

    for builder in [
        Dispatch::builder().route("/a", says("template")),
        Dispatch::builder().mount("/a", says("mount")),
    ] {
        let error = builder.without_leading_slashes().build().unwrap_err();
        assert_eq!(error.route(), Some(0));
        assert_eq!(
            error.to_string(),
            "route 0: pattern \"/a\" begins with a slash, and leading slashes are stripped before patterns match; write a regex without it"
        );
    }
}

#[tokio::test]
async fn dispatch_14_the_first_path_match_decides() {
    let builder = || {
        Dispatch::builder()
            .get("/{x}", says("get"))
            .put("/a", says("put a"))
            .post("/{x}", says("post"))
            .route(Pattern::regex("/x{2}|/a/b").unwrap(), says("regex"))
            .route("/a/b", says("any"))
    };
    let lenient = builder().build().unwrap();
    let strict = builder().first_path_match_decides().build().unwrap();
    let table = [
        (Method::GET, "/a", "get GET [x=a]", "get GET [x=a]"),
        (Method::POST, "/a", "post POST [x=a]", "post POST [x=a]"),
        (
            Method::PUT,
            "/a",
            "put a PUT []",
            "the path does not allow this method\n",
        ),
        (Method::PUT, "/a/b", "regex PUT []", "regex PUT []"),
        (
            Method::PUT,
            "/c/d",
            "no route matches the path\n",
            "no route matches the path\n",
        ),
    ];
    for (method, uri, one, other) in table {
        assert_eq!(ask(lenient.clone(), method.clone(), uri).await.2, one);
        assert_eq!(ask(strict.clone(), method, uri).await.2, other);
    }
    let (status, headers, _) = ask(strict.clone(), Method::PUT, "/a").await;
    assert_eq!(
        (status, &headers[ALLOW]),
        (
            405.try_into().unwrap(),
            &"GET, HEAD, OPTIONS, POST".parse().unwrap()
        )
    );
    let (status, headers, text) = ask(strict.clone(), Method::HEAD, "/a").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers["content-length"], "14");
    // In front of another service the request falls through.
    let app = DispatchLayer::new(strict).layer(says("inner"));
    assert_eq!(ask(app, Method::PUT, "/a").await.2, "inner PUT []");
    assert_eq!(
        NotDispatched::NotFound.to_string(),
        "no route matches the path"
    );
}

/// Patterns of one text that match different paths are different patterns.
#[tokio::test]
async fn dispatch_14_a_pattern_is_its_kind_and_its_text() {
    let prefix = || Pattern::regex_prefix("/a").unwrap();
    let whole = || Pattern::regex("/a").unwrap();
    let search = || Pattern::regex_search("/a").unwrap();
    let template = || Pattern::template("/a").unwrap();
    let kinds = [prefix, whole, search, template];
    for (i, first) in kinds.iter().enumerate() {
        for (j, second) in kinds.iter().enumerate() {
            let urls = Dispatch::builder()
                .get(first(), says("first"))
                .put(second(), says("second"))
                .first_path_match_decides()
                .build()
                .unwrap();
            let (status, headers, text) = ask(urls.clone(), Method::PUT, "/a").await;
            match i == j {
                true => assert_eq!(text, "second PUT []"),
                false => {
                    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{i} {j}");
                    assert_eq!(headers[ALLOW], "GET, HEAD, OPTIONS", "{i} {j}");
                }
            }
            assert_eq!(ask(urls, Method::GET, "/a").await.2, "first GET []");
        }
    }
    // The pattern for the whole path does not match here, and the other does.
    let urls = Dispatch::builder()
        .get(whole(), says("whole"))
        .put(prefix(), says("prefix"))
        .first_path_match_decides()
        .build()
        .unwrap();
    assert_eq!(
        ask(urls.clone(), Method::PUT, "/ab").await.2,
        "prefix PUT []"
    );
    let (_, headers, _) = ask(urls, Method::GET, "/ab").await;
    assert_eq!(headers[ALLOW], "OPTIONS, PUT");
}

/// Regexes share an automaton. A search that gives up, or fills its memory, leaves nothing to the
/// next one.
#[tokio::test]
async fn dispatch_1_a_search_leaves_nothing_to_the_next() {
    let texts = [
        r"/r/\w+\b-one",
        r"/r/(\w+)\b-two",
        r"/r/.*?(é|e)-three",
        r"/r/(?:[a-p]|[a-c]{2}){1,20}-four",
        r"/r/(.+)-five",
        r"/r/(.+)",
    ];
    let mut builder = Dispatch::builder();
    for text in texts {
        builder = builder.get(Pattern::regex(text).unwrap(), says(text));
    }
    let urls = builder.build().unwrap();
    let endless: String = (0..7_000_u32)
        .map(|i| char::from_u32(0x4E00 + i * 7919 % 20_000).unwrap())
        .collect();
    let endless = percent_encode(&format!("/r/{endless}"));
    let dirty = [
        // A Unicode word boundary beside a character that is not ASCII cannot be decided.
        percent_encode("/r/é-two"),
        percent_encode("/r/日本-one"),
        endless,
        "/r/".to_owned() + &"ab".repeat(4_000),
        "/r/".to_owned() + &"a".repeat(19) + "-fou",
        "/none".to_owned(),
    ];
    let table = [
        ("/r/a-one", 0, ""),
        ("/r/a-two", 1, "a"),
        ("/r/xe-three", 2, "e"),
        ("/r/aabb-four", 3, ""),
        ("/r/aabb-five", 4, "aabb"),
        ("/r/six", 5, "six"),
    ];
    for dirty in &dirty {
        for (path, index, arg) in table {
            drop(ask(urls.clone(), Method::GET, dirty).await);
            let expected = format!("{} GET [{arg}]", texts[index]);
            let got = ask(urls.clone(), Method::GET, path).await;
            assert_eq!(got.2, expected, "{path}");
        }
    }
}

fn percent_encode(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte.is_ascii() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
