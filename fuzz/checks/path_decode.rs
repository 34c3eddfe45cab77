//! A path is decoded once, as another decoder does it, or it is rejected.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use percent_encoding::percent_decode_str;
use tower::{ServiceExt, service_fn};
use tower_dispatch::{Dispatch, Pattern, UrlArgs};

type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// The text is a URI.
pub(crate) fn path_decode(data: &[u8]) {
    let Ok(uri) = Uri::try_from(data) else {
        return;
    };
    let answer = |request: Request<()>| {
        let args = request
            .extensions()
            .get::<UrlArgs>()
            .expect("a route has matched");
        // The whole path, and its number of segments while patterns were matched.
        let text = format!(
            "{} {}",
            args.get(1).is_some(),
            args.get(0).expect("it is not optional")
        );
        ready(Answer::Ok(Response::new(text.into())))
    };
    let all = Pattern::regex(r"(?s)([^/]*(/)?.*)").expect("a regex");
    let urls = Dispatch::typed().route(all, service_fn(answer)).build();
    let urls = urls.expect("one small route");

    let raw = uri.path().to_owned();
    let request = Request::builder().uri(uri).body(()).expect("a URI");
    let response = urls.oneshot(request).now_or_never().expect("nothing waits");
    let (parts, body) = response.expect("it does not fail").into_parts();
    let body = body.collect().now_or_never().expect("nothing waits");
    let body = body.expect("it does not fail").to_bytes();

    let is_escape = |after: &str| {
        let digits = after.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let escapes = raw.split('%').skip(1).all(is_escape);
    match percent_decode_str(&raw).decode_utf8() {
        Ok(decoded) if escapes => {
            // Only a raw slash ends a segment.
            let expected = format!("{} {decoded}", raw.contains('/'));
            assert_eq!(parts.status, StatusCode::OK, "{raw:?}");
            assert_eq!(body, expected, "{raw:?}");
        }
        _ => assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{raw:?}"),
    }
}
