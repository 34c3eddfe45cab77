//! The result does not depend on how a body is cut, and follows the rules for the whole body.

use std::{
    convert::Infallible,
    future::ready,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body::Body as _;
use proptest::{prelude::*, sample::Index};
use tower::{Layer, Service, service_fn};
use tower_body_rewrite::{Prefix, Replace, RewriteLayer, Rewriter};
use tower_lint::probe::{Body, Step};

/// Returns the rewritten body of these frames, with or without a pause after each.
fn through<R: Rewriter + 'static>(
    layer: &RewriteLayer<R>,
    frames: &[Bytes],
    pauses: bool,
) -> Vec<u8> {
    let steps = frames.iter().flat_map(|frame| {
        let frame = Step::Data(frame.clone());
        [Some(frame), pauses.then_some(Step::Yield)]
            .into_iter()
            .flatten()
    });
    let steps: Vec<_> = steps.collect();
    let mut app = layer.layer(service_fn(move |_: Request<()>| {
        let body = Body::new(steps.clone());
        let response = Response::builder()
            .header(CONTENT_TYPE, "text/plain")
            .body(body);
        ready(Ok::<_, Infallible>(response.unwrap()))
    }));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = pin!(app.call(Request::new(()))).poll(&mut cx) else {
        panic!("the response is not ready");
    };
    let mut body = pin!(response.into_body());
    let mut out = Vec::new();
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(frame)) => out.extend(frame.unwrap().into_data().unwrap()),
            Poll::Ready(None) => return out,
            Poll::Pending => {}
        }
    }
}

fn cut(body: &[u8], cuts: &[Index]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    cuts.push(body.len());
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let frames = starts
        .zip(&cuts)
        .map(|(start, end)| Bytes::copy_from_slice(&body[start..*end]));
    frames.collect()
}

/// The line rule, written as simply as possible.
fn prefixed(prefix: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, byte) in body.iter().enumerate() {
        if at == 0 || body[at - 1] == b'\n' {
            out.extend_from_slice(prefix);
        }
        out.push(*byte);
    }
    out
}

/// Replaces at each position the first of the pairs that is found, and continues after it.
fn replaced(pairs: &[(Vec<u8>, Vec<u8>)], once: bool, ignore_case: bool, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut used = vec![false; pairs.len()];
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        let found = pairs.iter().position(|(old, _)| {
            rest.get(..old.len()).is_some_and(|here| match ignore_case {
                true => here.eq_ignore_ascii_case(old),
                false => here == old,
            })
        });
        let Some(at) = found else {
            out.push(*first);
            rest = after;
            continue;
        };
        let (here, after) = rest.split_at(pairs[at].0.len());
        let stays = once && std::mem::replace(&mut used[at], true);
        out.extend_from_slice(if stays { here } else { &pairs[at].1 });
        rest = after;
    }
    out
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 0..12)
}

proptest! {
    // Together they have more than 50,000 cases.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(26_000) })]

    #[test]
    fn body_rewrite_3_prefixes_do_not_depend_on_cuts(
        prefix in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..20),
        body in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..100),
        cuts in cuts(),
        pauses: bool,
    ) {
        let expected = prefixed(&prefix, &body);
        let layer = RewriteLayer::new(move |_| Some(Prefix::new(prefix.clone())));
        prop_assert_eq!(through(&layer, &cut(&body, &cuts), pauses), expected);
    }

    #[test]
    fn body_rewrite_3_strings_do_not_depend_on_cuts(
        pairs in proptest::collection::vec(("[abA]{1,4}", "[abcA]{0,4}"), 1..5),
        body in "[abcAB]{0,60}",
        cuts in cuts(),
        once: bool,
        ignore_case: bool,
        pauses: bool,
    ) {
        let pairs: Vec<_> = pairs.into_iter().map(|(old, new)| (old.into_bytes(), new.into_bytes())).collect();
        let replace = match ignore_case {
            true => Replace::ignoring_case(pairs.clone()),
            false => Replace::new(pairs.clone()),
        };
        let replace = replace.unwrap();
        let replace = if once { replace.once() } else { replace };
        let layer = RewriteLayer::new(move |_| Some(replace.clone()));
        let out = through(&layer, &cut(body.as_bytes(), &cuts), pauses);
        let expected = replaced(&pairs, once, ignore_case, body.as_bytes());
        prop_assert_eq!(String::from_utf8(out).unwrap(), String::from_utf8(expected).unwrap());
    }
}

#[test]
fn body_rewrite_3_long_lines_do_not_depend_on_cuts() {
    // Frames of several pieces, lines that are copied and that are not, strings that end in the
    // next piece.
    let lines = (0..400).map(|at| "ab".repeat(at * 7 % 1500) + "\n");
    let body = lines.collect::<String>().into_bytes();
    assert!(body.len() > 3 * 64 * 1024);
    let prefix = RewriteLayer::new(|_| Some(Prefix::new("> ")));
    let pairs = [
        (b"bab\nab".to_vec(), b"!".to_vec()),
        (b"aba".to_vec(), b"12345".to_vec()),
    ];
    let replace = Replace::new(pairs.clone()).unwrap();
    let replace = RewriteLayer::new(move |_| Some(replace.clone()));
    for frame in [1, 1023, 65_536, body.len()] {
        let frames: Vec<_> = body.chunks(frame).map(Bytes::copy_from_slice).collect();
        assert!(
            through(&prefix, &frames, false) == prefixed(b"> ", &body),
            "{frame}"
        );
        assert!(
            through(&replace, &frames, false) == replaced(&pairs, false, false, &body),
            "{frame}"
        );
    }
}
