//! The contract of tower and http-body.

use tower::Layer;
use tower_lint::{LintLayer, contract};

#[test]
fn the_lint_keeps_the_contract_that_it_watches() {
    contract::check(|inner| LintLayer::new().layer(inner)).assert_kept();
}
