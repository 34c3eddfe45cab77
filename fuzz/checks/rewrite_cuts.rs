//! Every rewriter has the same result for a body, whole or cut, through the layer. The fuzz target
//! and the test that replays its corpus share this file.

use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use tower::{Layer, Service, service_fn};
use tower_body_rewrite::{Prefix, Replace, RewriteLayer, Rewriter};

/// The first byte is the number of cuts, and its highest bit is set if there are trailers. Then
/// come the lengths of the chunks before each cut, and the body.
pub(crate) fn rewrite_cuts(data: &[u8]) {
    let Some((&cuts, rest)) = data.split_first() else {
        return;
    };
    let Some((lengths, body)) = rest.split_at_checked(usize::from(cuts & 0x7f)) else {
        return;
    };
    let trailers = cuts & 0x80 != 0;
    let whole = vec![Bytes::copy_from_slice(body)];
    let mut rest = whole[0].clone();
    let mut cut: Vec<Bytes> = lengths
        .iter()
        .map(|length| rest.split_to(rest.len().min(usize::from(*length))))
        .collect();
    cut.push(rest);

    let pairs = [
        ("\n", "<br>"),
        ("ab", ""),
        ("aba", "never"),
        ("ca", "ac"),
        ("cab", "b"),
    ];
    let replace = Replace::new(pairs).expect("strings that can be found");
    let ignoring_case = Replace::ignoring_case(pairs).expect("strings that can be found");
    check(Prefix::new("> "), &whole, &cut, trailers);
    check(Prefix::new(vec![b'\n'; 2000]), &whole, &cut, trailers);
    check(replace.clone(), &whole, &cut, trailers);
    check(replace.once(), &whole, &cut, trailers);
    check(ignoring_case, &whole, &cut, trailers);
}

fn check<R: Rewriter + Clone + Send + Sync + 'static>(
    rewriter: R,
    whole: &[Bytes],
    cut: &[Bytes],
    trailers: bool,
) {
    let layer = RewriteLayer::new(move |_| Some(rewriter.clone()));
    assert_eq!(
        through(&layer, whole, trailers),
        through(&layer, cut, trailers)
    );
}

fn through<R: Rewriter + 'static>(
    layer: &RewriteLayer<R>,
    frames: &[Bytes],
    with_trailers: bool,
) -> Vec<u8> {
    let frames = frames.to_vec();
    let mut app = layer.layer(service_fn(move |_: Request<()>| {
        let trailers = with_trailers.then(|| Frame::trailers(HeaderMap::new()));
        let frames: Vec<_> = frames
            .iter()
            .cloned()
            .map(Frame::data)
            .chain(trailers)
            .map(Ok::<_, Infallible>)
            .collect();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let response = Response::builder()
            .header(CONTENT_TYPE, "text/plain")
            .body(body);
        std::future::ready(response)
    }));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = pin!(app.call(Request::new(()))).poll(&mut cx) else {
        panic!("the answer is ready");
    };
    let promised = response.headers().get("content-length").cloned();
    let mut body = pin!(response.into_body());
    let (mut out, mut ended) = (Vec::new(), false);
    loop {
        let hint = body.size_hint();
        let end = body.is_end_stream();
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => {
                assert!(!end, "a frame after the end");
                match frame.into_data() {
                    Ok(data) => {
                        assert!(!ended, "data after the trailers");
                        assert!(hint.upper().is_none_or(|upper| data.len() as u64 <= upper));
                        out.extend_from_slice(&data);
                    }
                    Err(_) => ended = true,
                }
            }
            Poll::Ready(None) => {
                assert_eq!((hint.lower(), ended), (0, with_trailers));
                break;
            }
            other => panic!("a body that neither fails nor waits: {other:?}"),
        }
    }
    if let Some(promised) = promised {
        assert_eq!(promised, out.len().to_string().as_str());
    }
    out
}
