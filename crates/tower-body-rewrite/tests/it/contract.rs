//! The contract of tower and http-body.

use bytes::Bytes;
use tower::Layer;
use tower_body_rewrite::{PrefixLayer, RewriteLayer, Rewriter, Sink};
use tower_lint::{Rule, contract};

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
fn a_rewritten_response_changes_headers_and_keeps_the_rest_of_the_contract() {
    let layer = RewriteLayer::new(|_| Some(Same))
        .types(["application/octet-stream"])
        .unwrap();
    contract::check(|inner| layer.layer(inner))
        .departs(
            Rule::ResponseHead,
            "The headers say what is true of the new body",
        )
        .assert_kept();
}
