//! The article's filter, by chunk, and the line reading of it.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_body_rewrite::PrefixLayer;

use crate::{Verdict, bytes};

pub(crate) fn run(vector: &Value) -> Verdict {
    // The article puts a space after its prefix.
    let prefix = [bytes(&vector["prefix"]), b" ".to_vec()].concat();
    let chunks: Vec<Bytes> = vector["chunks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|chunk| bytes(chunk).into())
        .collect();
    let expect = &vector["expect"];
    let expected = [
        bytes(&expect["lines"]["body"]),
        bytes(&expect["items"]["body"]),
    ];
    let seen = [
        through(PrefixLayer::new(prefix.clone()), &chunks),
        through(PrefixLayer::chunks(prefix), &chunks),
    ];
    Verdict::equal(expected, seen)
}

fn through(layer: PrefixLayer, chunks: &[Bytes]) -> Vec<u8> {
    let chunks = chunks.to_vec();
    let app = layer.layer(service_fn(move |_: Request<()>| {
        let frames = chunks
            .clone()
            .into_iter()
            .map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
        let body = StreamBody::new(stream::iter(frames));
        let response = Response::builder()
            .header(CONTENT_TYPE, "text/plain")
            .body(body);
        async { response }
    }));
    let body = async {
        app.oneshot(Request::new(()))
            .await?
            .into_body()
            .collect()
            .await
            .map_err(|never| match never {})
    };
    let body: Option<Result<_, http::Error>> = body.now_or_never();
    match body {
        Some(Ok(body)) => body.to_bytes().into(),
        other => format!("{:?}", other.map(|body| body.map(drop))).into_bytes(),
    }
}
