//! The contract of tower and http-body.

use bytes::Bytes;
use tower::Layer;
use tower_body_rewrite::{PrefixLayer, RewriteLayer, Rewriter, Sink};
use tower_lint::contract;

#[test]
fn body_rewrite_11_an_unchanged_response_keeps_the_contract() {
    contract::check(|inner| PrefixLayer::new("> ").layer(inner)).assert_kept();
}

/// A rewriter that changes nothing.
struct Same;

impl Rewriter for Same {
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink) {
        out.pass(chunk);
    }
}

#[test]
fn body_rewrite_11_a_rewritten_response_keeps_the_contract() {
    let layer = RewriteLayer::new(|_| Some(Same))
        .types(["application/octet-stream"])
        .unwrap();
    contract::check(|inner| layer.layer(inner)).assert_kept();
}
