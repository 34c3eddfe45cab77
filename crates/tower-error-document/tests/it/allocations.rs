//! The allocations of a request whose response passes: none.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Empty, Full};
use tower::{Layer, Service, service_fn};
use tower_error_document::{Document, ErrorDocumentLayer, KeepBody};

/// Counts the allocations of a request with all headers that may be kept, two of them cookies, and
/// with texts that nothing else shares.
fn exchange<S, B>(service: &mut S, uri: &'static str) -> u64
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let mut request = Request::post(uri).body(()).unwrap();
    for name in [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "content-type",
        "cookie",
        "cookie",
        "host",
        "user-agent",
        "x-theme-of-the-page",
        "x-other-header-of-the-page",
    ] {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_str("a text as long as in most requests").unwrap();
        request.headers_mut().append(name, value);
    }
    let mut request = Some(request);
    let work = || {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut cx).is_ready());
        let mut future = pin!(service.call(request.take().unwrap()));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else {
            unreachable!("it responds at once");
        };
        let mut body = pin!(response.into_body());
        while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
    };
    allocation_counter::measure(work).count_total
}

fn responding(
    status: u16,
) -> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone {
    service_fn(move |request: Request<()>| {
        drop(request);
        let mut response = Response::new(Full::from("Hello World"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if status == 409 {
            response.extensions_mut().insert(KeepBody);
        }
        async { Ok::<_, Infallible>(response) }
    })
}

#[test]
fn error_document_14_a_response_that_passes_costs_no_allocation() {
    let page = || {
        let pages = service_fn(async |_: Request<Empty<Bytes>>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        Document::service(pages, "/sorry").unwrap()
    };
    let theme = [HeaderName::from_bytes(b"x-theme-of-the-page").unwrap()];
    let layers = [
        ErrorDocumentLayer::new(),
        ErrorDocumentLayer::new().client_errors(Document::negotiated().with_text(100)),
        ErrorDocumentLayer::new().client_errors(Document::fixed(
            HeaderValue::from_static("text/html"),
            "sorry",
        )),
        ErrorDocumentLayer::new()
            .client_errors(page())
            .keep_headers(theme),
    ];
    for layer in layers {
        // A 409 keeps its body, and there is no document for a 500.
        for status in [200, 409, 500] {
            for uri in ["/a/path?and=a&query=of&some=length", "https://example.org/"] {
                let bare = exchange(&mut responding(status), uri);
                let mut service = layer.layer(responding(status));
                // The first request fills the thread's stock.
                exchange(&mut service, uri);
                for _ in 0..3 {
                    let found = exchange(&mut service, uri);
                    assert_eq!(found, bare, "{layer:?}: {status} {uri}");
                }
            }
        }
    }
}

/// The counter counts.
#[test]
fn error_document_14_a_replaced_response_costs_some() {
    let layer = ErrorDocumentLayer::new().client_errors(Document::negotiated());
    let mut service = layer.layer(responding(404));
    exchange(&mut service, "/");
    assert!(exchange(&mut service, "/") > exchange(&mut responding(404), "/"));
}
