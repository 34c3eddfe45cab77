//! `egg:tower#compression`: gzip for clients that accept it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, ETAG, IF_NONE_MATCH,
        LAST_MODIFIED, VARY,
    },
};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{ServiceExt, service_fn};
use tower_body_rewrite::adapt_headers;
use tower_http::compression::{
    Compression, Predicate,
    predicate::{NotForContentType, SizeAbove},
};
use tower_kit::{
    content::{RequestKind, content_length},
    entity_tag::{EntityTag, members, only},
};

use crate::{App, Body, Filter, Settings};

/// The least bytes that are compressed. For less, gzip's own head and end cost more than it saves.
const SMALLEST: u64 = 32;

/// The end of a compressed form's tag, by whether the app's own tag is weak.
const MARKS: [(bool, &[u8]); 2] = [(false, b"~gzip"), (true, b"~wgzip")];

pub(super) fn compression(_: &Settings, (): ()) -> Result<Filter, Infallible> {
    Ok(Filter::from_fn(|app| {
        Ok::<_, Infallible>(App::new(service_fn(move |request| {
            let app = app.clone();
            async move { Ok::<_, Infallible>(compressed(app, request).await) }
        })))
    }))
}

/// Handles a request. tower-http's layer only encodes the body. By itself it would leave the plain
/// form's tag on the response, forget HEAD and 304, encode in spite of `no-transform`, and turn
/// responses into 406.
async fn compressed(app: App, mut request: Request<Body>) -> Response<Body> {
    let method = request.method().clone();
    let is_taken = takes_gzip(request.headers());
    let copies = match is_taken {
        true => unmark(request.headers_mut()),
        false => Vec::new(),
    };
    let Ok(mut response) = app.oneshot(request).await;
    if !varies(&method, &response) {
        return response;
    }
    let status = response.status();
    let headers = response.headers_mut();
    add_vary(headers);
    if status == StatusCode::NOT_MODIFIED {
        // It confirms the form that the client has (RFC 9110, section 15.4.5).
        let marked = EntityTag::of(headers, &ETAG).and_then(mark);
        if let Some(marked) = marked.filter(|marked| copies.contains(marked)) {
            headers.insert(ETAG, marked);
        }
        return response;
    }
    // A part is of the plain form, whose tag it has.
    let is_part = status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE);
    if !is_taken || is_part {
        return response;
    }
    describe(headers, &method);
    match method {
        Method::HEAD => response,
        _ => pack(response).await,
    }
}

/// Returns whether gzip is accepted and not less preferred than no coding (RFC 9110, section
/// 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for member in tokens(headers, &ACCEPT_ENCODING) {
        let mut parts = member.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let coding = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = match parts.find_map(weight_of) {
            Some(weight) => weight,
            None => Some(1.0),
        };
        match &*coding {
            b"gzip" | b"x-gzip" => gzip = gzip.or(weight),
            b"identity" => identity = identity.or(weight),
            b"*" => any = any.or(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.or(any).unwrap_or(0.0)
}

/// Returns the weight if a parameter is `q=…`, and within it `None` if the weight is malformed.
fn weight_of(parameter: &[u8]) -> Option<Option<f32>> {
    let [b'q' | b'Q', b'=', digits @ ..] = parameter else {
        return None;
    };
    let is_number = |digits: &&[u8]| digits.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let digits = Some(digits).filter(is_number).map(str::from_utf8);
    let weight = digits
        .and_then(Result::ok)
        .and_then(|digits| digits.parse().ok());
    Some(weight.filter(|weight| *weight <= 1.0))
}

/// Returns whether the form of a response depends on `Accept-Encoding`.
fn varies(method: &Method, response: &Response<Body>) -> bool {
    let headers = response.headers();
    let status = response.status();
    // HEAD and a 304 have the headers of a response with content.
    let kind = match *method {
        Method::HEAD => RequestKind::Other,
        _ => RequestKind::of(method),
    };
    let has_content = status == StatusCode::NOT_MODIFIED || kind.has_content(status);
    // RFC 9111, section 5.2.2.6.
    let is_protected = tokens(headers, &CACHE_CONTROL)
        .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"));
    let types = NotForContentType::GRPC.and(NotForContentType::IMAGES);
    let types = types.and(NotForContentType::SSE);
    // The length of a 304 or a part is not that of the whole, and HEAD has no body to measure.
    let length = match (status, method) {
        (StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT, _) => None,
        (_, &Method::HEAD) => content_length(headers),
        _ => {
            let length = response.body().size_hint().exact();
            length.or_else(|| content_length(headers))
        }
    };
    has_content
        && !is_protected
        && !headers.contains_key(CONTENT_ENCODING)
        && types.should_compress(response)
        && length.is_none_or(|length| length >= SMALLEST)
}

fn add_vary(headers: &mut HeaderMap) {
    let is_it = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding");
    if !tokens(headers, &VARY).any(is_it) {
        headers.append(VARY, ACCEPT_ENCODING.into());
    }
}

/// Makes the headers those of the compressed form.
fn describe(headers: &mut HeaderMap, method: &Method) {
    let [etag, last_modified] = [ETAG, LAST_MODIFIED].map(|name| only(headers, &name).cloned());
    let marked = EntityTag::of(headers, &ETAG).and_then(mark);
    adapt_headers(headers, None, None);
    let etag = match *method {
        Method::GET | Method::HEAD => marked,
        // The tag is that of the changed resource, and not of this body.
        _ => etag,
    };
    for (name, value) in [(ETAG, etag), (LAST_MODIFIED, last_modified)] {
        headers.extend(value.map(|value| (name, value)));
    }
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Compresses the body with tower-http's layer, which sees nothing else of the response.
async fn pack(response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    // Checksums of the plain bytes may come at the end as well.
    let body = body.map_frame(|frame| match frame.into_trailers() {
        Ok(mut trailers) => {
            adapt_headers(&mut trailers, None, None);
            http_body::Frame::trailers(trailers)
        }
        Err(frame) => frame,
    });
    let mut body = Some(body);
    let plain = service_fn(move |_: Request<()>| -> Ready<Result<_, Infallible>> {
        let body = body.take().map(Body::new).unwrap_or_default();
        ready(Ok(Response::new(body)))
    });
    let mut request = Request::new(());
    let gzip = HeaderValue::from_static("gzip");
    request.headers_mut().insert(ACCEPT_ENCODING, gzip);
    let packed = Compression::new(plain).compress_when(SizeAbove::new(0));
    let Ok(packed) = packed.oneshot(request).await;
    Response::from_parts(head, Body::new(packed.into_body()))
}

/// Returns the compressed form's tag. It is weak, since the same text may be compressed into other
/// bytes.
fn mark(own: EntityTag<'_>) -> Option<HeaderValue> {
    let (_, mark) = MARKS.iter().find(|(weak, _)| *weak == own.weak)?;
    let opaque = &*[own.opaque, mark].concat();
    let marked = EntityTag { weak: true, opaque };
    HeaderValue::from_maybe_shared(Bytes::from(marked.to_bytes())).ok()
}

/// Returns the app's own tag, if this is a compressed form's.
fn own(marked: EntityTag<'_>) -> Option<EntityTag<'_>> {
    let own = |&(weak, mark): &(bool, &[u8])| {
        let opaque = marked.opaque.strip_suffix(mark)?;
        Some(EntityTag { weak, opaque })
    };
    MARKS.iter().find_map(own).filter(|_| marked.weak)
}

/// Lets the app find its own tags in `If-None-Match`, and returns those that were marked.
/// `If-Range` keeps them: a part of the plain form does not fit a compressed copy.
fn unmark(headers: &mut HeaderMap) -> Vec<HeaderValue> {
    let mut copies = Vec::new();
    let list = members(headers, &IF_NONE_MATCH).map(|member| {
        let Some(own) = EntityTag::parse(member).and_then(own) else {
            return member.to_vec();
        };
        copies.extend(HeaderValue::from_bytes(member).ok());
        own.to_bytes()
    });
    let list = list.collect::<Vec<_>>().join(&b", "[..]);
    if !copies.is_empty()
        && let Ok(list) = HeaderValue::from_maybe_shared(Bytes::from(list))
    {
        headers.insert(IF_NONE_MATCH, list);
    }
    copies
}

/// Returns the members of a list of words. A member with a comma in quotes is split, but its parts
/// are never words that are looked for here.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_40_gzip_is_for_clients_that_take_it() {
        let table: [(&[&str], bool, &str); 25] = [
            (&[], false, "nothing is said"),
            (&[""], false, "no coding"),
            (&["gzip"], true, "named"),
            (&["GZip"], true, "names have no case"),
            (&["x-gzip"], true, "its old name"),
            (&["br, gzip"], true, "among others"),
            (&["br", "gzip"], true, "lines are one list"),
            (&["br"], false, "another one"),
            (&["gzip;q=0"], false, "a no"),
            (&["gzip;q=0.000"], false, "a no"),
            (&["gzip ; Q=0.001"], true, "a small yes"),
            (&["gzip;q=0.5, identity"], false, "no coding is better"),
            (&["gzip, identity;q=0.5"], true, "gzip is better"),
            (&["gzip;q=0.5, identity;q=0.5"], true, "both are as good"),
            (&["*"], true, "whatever is not named"),
            (&["*;q=0"], false, "nothing else"),
            (&["gzip, *;q=0"], true, "nothing else"),
            (&["gzip;q=0, *"], false, "all others"),
            (&["identity;q=0"], false, "gzip is not named"),
            (&["identity;q=0, *"], true, "all others"),
            (&["gzip;q=0.5, *"], false, "no coding is better"),
            (&["gzip;q=x"], false, "no weight"),
            (&["gzip;q=2"], false, "no weight"),
            (&["gzip;q=-1"], false, "no weight"),
            (&["gzip;level=1;q=0"], false, "behind another parameter"),
        ];
        for (lines, expected, why) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(takes_gzip(&headers), expected, "{lines:?}: {why}");
        }
    }

    #[test]
    fn deploy_43_a_tag_is_marked_and_found_again() {
        for (text, marked) in [
            ("\"a\"", "W/\"a~gzip\""),
            ("W/\"a\"", "W/\"a~wgzip\""),
            ("\"\"", "W/\"~gzip\""),
            ("\"a~gzip\"", "W/\"a~gzip~gzip\""),
        ] {
            let tag = EntityTag::parse(text.as_bytes()).unwrap();
            assert_eq!(mark(tag).unwrap(), marked);
            let found = EntityTag::parse(marked.as_bytes()).and_then(own);
            assert_eq!(found, Some(tag), "{text}");
        }
        for text in ["\"a~gzip\"", "W/\"a\"", "W/\"gzip\""] {
            let tag = EntityTag::parse(text.as_bytes()).unwrap();
            assert_eq!(own(tag), None, "{text}");
        }
    }

    #[test]
    fn deploy_43_the_app_finds_its_own_tags() {
        let mut headers = HeaderMap::new();
        for line in ["\"a\", W/\"b~gzip\"", "W/\"c~wgzip\"", "x"] {
            headers.append(IF_NONE_MATCH, HeaderValue::from_static(line));
        }
        assert_eq!(unmark(&mut headers), ["W/\"b~gzip\"", "W/\"c~wgzip\""]);
        assert_eq!(headers[IF_NONE_MATCH], "\"a\", \"b\", W/\"c\", x");
        assert_eq!(headers.get_all(IF_NONE_MATCH).iter().count(), 1);
        let before = headers.clone();
        assert!(unmark(&mut headers).is_empty());
        assert_eq!(headers, before);
    }
}
