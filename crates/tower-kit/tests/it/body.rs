//! The inner body, or the layer's own bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tower_kit::EitherBody;

type Own = EitherBody<Full<Bytes>>;

#[tokio::test]
async fn kit_17_the_inner_body_passes_with_trailers_and_error() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static("1"));
    let frames = [
        Ok(Frame::data(Bytes::from("data"))),
        Ok(Frame::trailers(trailers.clone())),
        Err("broken"),
    ];
    let inner = StreamBody::new(futures_util::stream::iter(frames));
    let mut body = EitherBody::inner(inner);
    assert!(!body.is_end_stream());
    assert_eq!(body.size_hint().exact(), None);
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.data_ref().unwrap(), "data");
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.trailers_ref(), Some(&trailers));
    assert_eq!(body.frame().await.unwrap().unwrap_err(), "broken");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn kit_17_own_bytes_are_the_body() {
    let body = Own::own("bytes");
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "bytes");
}

#[tokio::test]
async fn kit_17_the_default_body_is_empty() {
    let mut body = Own::default();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
}

#[test]
fn kit_17_debug_names_the_kind() {
    let kinds = [Own::default(), Own::inner(Full::default())];
    let kinds = kinds.map(|body| format!("{body:?}"));
    assert_eq!(kinds, [r#"EitherBody("own")"#, r#"EitherBody("inner")"#]);
}
