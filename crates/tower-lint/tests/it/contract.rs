//! The contract of tower and http-body.

use tower::Layer;
use tower_lint::{LintLayer, contract};

#[test]
fn lint_2_the_lint_keeps_the_contract() {
    contract::check(|inner| LintLayer::new().layer(inner)).assert_kept();
}
