use std::{fmt, sync::Arc};

use tower_layer::Layer;

use crate::{Lint, Rule};

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

/// Watches a service and the bodies of its responses, in development: whoever calls the service, the service
/// itself, and whoever reads the bodies. Nothing is changed on the way.
#[derive(Clone)]
pub struct LintLayer {
    report: Arc<dyn Fn(&Violation) + Send + Sync>,
}

impl LintLayer {
    /// A violation panics, where it happens.
    #[must_use]
    pub fn new() -> Self {
        Self {
            report: Arc::new(|violation| panic!("{violation}")),
        }
    }

    /// A violation is told to this function instead, and the request goes on.
    #[must_use]
    pub fn report(mut self, report: impl Fn(&Violation) + Send + Sync + 'static) -> Self {
        self.report = Arc::new(report);
        self
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
