//! Lines with a prefix: frames of 64 KiB through the layer, beside the least work, which is to copy
//! them and find their newlines, and beside the code that most people write first.

use std::{convert::Infallible, hint::black_box};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::StreamBody;
use memchr::memchr_iter;
use tower::{Layer, service_fn};
use tower_body_rewrite::PrefixLayer;

use crate::{Pair, Subject};

const PREFIX: &str = "yikes: ";
const FRAME: usize = 64 * 1024;
const FRAMES: usize = 16;

/// A frame of lines of this length, newlines included.
fn frame(line: usize) -> Bytes {
    let line = "x".repeat(line - 1) + "\n";
    line.bytes().cycle().take(FRAME).collect()
}

fn prefixed(line: usize) -> Subject {
    let frame = frame(line);
    let app = service_fn(move |_: Request<_>| {
        let frames = std::iter::repeat_n(frame.clone(), FRAMES);
        let frames = frames.map(|frame| Ok::<_, Infallible>(Frame::data(frame)));
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
        let text = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, text);
        std::future::ready(Ok(response))
    });
    let mut subject = Subject::with(
        Request::<crate::ReqBody>::default,
        PrefixLayer::new(PREFIX).layer(app),
    );
    subject.turn = 1;
    subject
}

fn copy_plus_scan(line: usize) -> Subject {
    let frame = frame(line);
    Subject::work(1, move || {
        for _ in 0..FRAMES {
            let newlines = memchr_iter(b'\n', black_box(&frame));
            black_box(newlines.fold(0, |sum, newline| sum ^ newline));
            black_box(Bytes::copy_from_slice(black_box(&frame)));
        }
    })
}

/// Lines, format, join.
fn naive(line: usize) -> Subject {
    let frame = frame(line);
    Subject::work(1, move || {
        for _ in 0..FRAMES {
            let text = std::str::from_utf8(black_box(&frame)).expect("the frame is text");
            let lines: Vec<_> = text.lines().map(|line| format!("{PREFIX}{line}")).collect();
            black_box(Bytes::from(lines.join("\n")));
        }
    })
}

pub(crate) fn pairs() -> Vec<Pair> {
    vec![
        Pair::new("body-rewrite/20-bytes/copy-plus-scan", || {
            (prefixed(20), copy_plus_scan(20))
        }),
        Pair::new("body-rewrite/80-bytes/copy-plus-scan", || {
            (prefixed(80), copy_plus_scan(80))
        }),
        Pair::new("body-rewrite/400-bytes/copy-plus-scan", || {
            (prefixed(400), copy_plus_scan(400))
        }),
        Pair::new("body-rewrite/20-bytes/naive", || (prefixed(20), naive(20))),
        Pair::new("body-rewrite/80-bytes/naive", || (prefixed(80), naive(80))),
        Pair::new("body-rewrite/400-bytes/naive", || {
            (prefixed(400), naive(400))
        }),
    ]
}
