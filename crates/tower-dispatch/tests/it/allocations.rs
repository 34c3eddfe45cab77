//! The cost of a request besides its endpoint.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_dispatch::{Dispatch, DispatchLayer, Pattern, Table, UrlArgs};

async fn reads_args(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let args = request.extensions().get::<UrlArgs>();
    let length = args.map(|args| {
        let values = (0..args.len()).filter_map(|position| args.get(position));
        values.map(str::len).sum::<usize>()
    });
    assert_eq!(length, Some(4));
    Ok(Response::default())
}

async fn reads_an_extension(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.extensions().get(), Some(&[1_u64; 16]));
    Ok(Response::default())
}

fn allocations<S, B>(service: &mut S, request: Request<B>) -> u64
where
    S: Service<Request<B>, Error = Infallible>,
{
    let mut request = Some(request);
    allocation_counter::measure(|| {
        let response = service.call(request.take().unwrap()).now_or_never();
        assert!(response.is_some_and(|response| response.is_ok()));
    })
    .count_total
}

#[test]
fn dispatch_19_up_to_four_parameters_cost_one_extension() {
    let mut extension = service_fn(|mut request: Request<()>| {
        request.extensions_mut().insert([1_u64; 16]);
        reads_an_extension(request)
    });
    let extension = allocations(&mut extension, Request::default());

    for (template, path) in [
        ("/abcd/{a}", "/abcd/abcd"),
        ("/{a}/{b}/{c}/{d}", "/a/b/c/d"),
        ("/{a:int}/{b:any(x,y)}/{c}-{*d}", "/1/y/a-/"),
    ] {
        let mut urls = Dispatch::typed()
            .route("/other", service_fn(reads_args))
            .route(template, service_fn(reads_args))
            .build()
            .unwrap();
        // The text is a part of a server's buffer, which is shared already.
        let uri: Uri = path.parse().unwrap();
        let _buffer = uri.clone();
        let request = || Request::get(uri.clone()).body(()).unwrap();
        // The engines allocate once.
        allocations(&mut urls, request());
        assert_eq!(allocations(&mut urls, request()), extension, "{template}");
    }
}

#[test]
fn dispatch_19_literals_and_classes_are_found_without_memory() {
    let patterns = [
        "/a/{b:int}",
        "/v2/{*name}/tags/{tag}",
        "/{a}-{b}[.{c}]",
        "/{a}",
    ];
    let patterns = patterns.map(|template| Pattern::template(template).unwrap());
    let table = Table::new(&patterns).unwrap();
    for (path, index) in [
        ("/a/1", 0),
        ("/v2/library/alpine/tags/3.22", 1),
        ("/v2-tags-2.html", 2),
        ("/a-segment.of-more.than-one", 2),
        ("/abc", 3),
    ] {
        let mut found = None;
        let memory = allocation_counter::measure(|| found = table.find(path));
        assert_eq!(found.map(|found| found.index()), Some(index), "{path}");
        assert_eq!(memory.count_total, 0, "{path}");
    }
}

#[cfg(feature = "axum")]
#[test]
fn dispatch_18_a_handler_costs_no_box_besides_its_own() {
    use axum::{body::Body, handler::HandlerWithoutStateExt, response::Html};

    let handler = (async || Html("a page")).into_service();
    // The same handler, and an extension as large as that of the dispatcher.
    let mut alone = {
        let handler = handler.clone();
        service_fn(move |mut request: Request<Body>| {
            request.extensions_mut().insert([1_u64; 16]);
            handler.clone().call(request)
        })
    };
    let mut urls = Dispatch::builder()
        .get("/users/{id}", handler)
        .build()
        .unwrap();
    let uri: Uri = "/users/7".parse().unwrap();
    let _buffer = uri.clone();
    let request = || Request::get(uri.clone()).body(Body::empty()).unwrap();
    let expected = allocations(&mut alone, request());
    assert_eq!(allocations(&mut urls, request()), expected);
    // Nor does it in `axum::serve`, alone or in front of a router.
    let mut layered = DispatchLayer::new(urls.clone())
        .layer(axum::Router::new())
        .into_axum();
    assert_eq!(allocations(&mut urls.into_axum(), request()), expected);
    assert_eq!(allocations(&mut layered, request()), expected);
}
