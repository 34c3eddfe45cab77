//! The contract of tower and http-body.

use tower::Layer;
use tower_deploy::{App, Filter};
use tower_exception::ExceptionLayer;
use tower_lint::{Lint, Rule, contract, probe};

/// Wraps a service that may fail, because an app cannot fail.
fn caught(inner: Lint<probe::App>) -> App {
    App::new(ExceptionLayer::production(|_| {}).layer(inner))
}

#[test]
fn deploy_17_an_app_keeps_the_contract() {
    let words =
        "An app has no error. A service that can fail needs `ExceptionLayer` of tower-exception.";
    contract::check(caught)
        .departs(Rule::ServiceError, words)
        .departs(Rule::ReadyError, words)
        .assert_kept();
    contract::check(|inner| {
        let filter = Filter::new(tower::layer::util::Identity::new());
        filter.apply(caught(inner)).unwrap()
    })
    .departs(Rule::ServiceError, words)
    .departs(Rule::ReadyError, words)
    .assert_kept();
}
