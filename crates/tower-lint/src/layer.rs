use std::{fmt, sync::Arc};

use http::{Method, StatusCode, response::Parts};
use tower_layer::Layer;

use crate::{
    Lint, Rule,
    head::{self, Asked},
};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tower-lint, {}: {}", self.rule, self.seen)
    }
}

/// Watches a service and the bodies of its responses, in development: the caller of the service,
/// the service itself, and the reader of the bodies. Nothing is changed on the way.
#[derive(Clone)]
pub struct LintLayer {
    report: Arc<dyn Fn(&Violation) + Send + Sync>,
    in_axum: bool,
}

impl LintLayer {
    /// A violation panics, where it happens.
    #[must_use]
    pub fn new() -> Self {
        Self {
            report: Arc::new(|violation| panic!("{violation}")),
            in_axum: false,
        }
    }

    /// A violation is told to this function instead, and the request goes on.
    #[must_use]
    pub fn report(mut self, report: impl Fn(&Violation) + Send + Sync + 'static) -> Self {
        self.report = Arc::new(report);
        self
    }

    /// Sets that the lint is inside axum's routing, as with `Router::layer`; by default it is not.
    /// Inside, the lint does not report responses that axum completes later: content in a response
    /// to HEAD (rule 302), a 405 without Allow (rule 305).
    #[must_use]
    pub fn in_axum(mut self) -> Self {
        self.in_axum = true;
        self
    }

    /// Returns the rule that forbids content in this response.
    pub(crate) fn forbids_content(&self, asked: &Asked, status: StatusCode) -> Option<Rule> {
        let dropped = self.in_axum && asked.method == Method::HEAD;
        head::forbids_content(asked, status).filter(|_| !dropped)
    }

    /// Reports everything that is wrong with a response's head.
    pub(crate) fn head(&self, asked: &Asked, response: &Parts) {
        for (rule, seen) in head::violations(asked, response) {
            if !(self.in_axum && rule == Rule::AllowMissing) {
                self.violation(rule, seen);
            }
        }
    }

    pub(crate) fn violation(&self, rule: Rule, seen: impl Into<String>) {
        (self.report)(&Violation {
            rule,
            seen: seen.into(),
        });
    }
}

impl Default for LintLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LintLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LintLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for LintLayer {
    type Service = Lint<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Lint::new(inner, self.clone())
    }
}
