//! The contract of tower and http-body.

use tower::Layer;
use tower_deploy::{App, Filter};
use tower_exception::ExceptionLayer;
use tower_lint::{Lint, Rule, contract, probe};

/// An app cannot fail, so what may is caught.
fn caught(inner: Lint<probe::App>) -> App {
    App::new(ExceptionLayer::production(|_| {}).layer(inner))
}

#[test]
fn an_app_keeps_the_contract_of_what_cannot_fail() {
    let words = "An app has no error: a factory gives a service that cannot fail";
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
