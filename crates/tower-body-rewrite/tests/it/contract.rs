//! The contract of tower and http-body.

use bytes::Bytes;
use tower::Layer;
use tower_body_rewrite::{PrefixLayer, RewriteLayer, Rewriter, Sink};
use tower_lint::contract;

#[test]
fn a_response_that_is_left_alone_sees_the_contract_kept() {
    contract::check(|inner| PrefixLayer::new("> ").layer(inner)).assert_kept();
}

/// Changes nothing, but might have.
struct Same;

impl Rewriter for Same {
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink) {
        out.pass(chunk);
    }
}

#[test]
fn a_rewritten_response_keeps_the_contract() {
    let layer = RewriteLayer::new(|_| Some(Same))
        .types(["application/octet-stream"])
        .unwrap();
    contract::check(|inner| layer.layer(inner)).assert_kept();
}
