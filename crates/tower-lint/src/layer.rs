use std::{fmt, sync::Arc};

use http::{Method, StatusCode, response::Parts};
use tower_layer::Layer;

use crate::{
    Lint, Rule,
    head::{self, Asked},
};

/// A rule that was broken, and how.
///
/// # Examples
///
/// ```
/// use tower_lint::{Rule, Violation};
///
/// let violation = Violation {
///     rule: Rule::AllowMissing,
///     seen: "405 to POST / without allow".to_owned(),
/// };
/// assert_eq!(
///     violation.to_string(),
///     "tower-lint, rule 305 (AllowMissing): a 405 has Allow (RFC 9110, section 15.5.6): \
///      405 to POST / without allow"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The observation that breaks the rule.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tower-lint, {}: {}", self.rule, self.seen)
    }
}

/// A layer that checks a service and the bodies of its responses while an application runs. It is
/// for development.
///
/// It checks the caller of the service, the service, and the reader of the bodies. It changes
/// nothing.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Empty;
/// use tower::{BoxError, Layer, ServiceExt, service_fn};
/// use tower_lint::{LintLayer, Rule};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let broken = Arc::new(Mutex::new(Vec::new()));
/// let rules = broken.clone();
/// let lint = LintLayer::new().report(move |violation| rules.lock().unwrap().push(violation.rule));
///
/// // A 405 without `Allow`.
/// let service = service_fn(async |_: Request<()>| {
///     let mut response = Response::new(Empty::<bytes::Bytes>::new());
///     *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
///     Ok::<_, BoxError>(response)
/// });
/// lint.layer(service).oneshot(Request::new(())).await?;
/// assert_eq!(*broken.lock().unwrap(), [Rule::AllowMissing]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LintLayer {
    report: Arc<dyn Fn(&Violation) + Send + Sync>,
    in_axum: bool,
}

impl LintLayer {
    /// Creates a layer that panics at a violation.
    #[must_use]
    pub fn new() -> Self {
        Self {
            report: Arc::new(|violation| panic!("{violation}")),
            in_axum: false,
        }
    }

    /// Calls this function at a violation instead of panicking. The request continues. By default a
    /// violation panics.
    #[must_use]
    pub fn report(mut self, report: impl Fn(&Violation) + Send + Sync + 'static) -> Self {
        self.report = Arc::new(report);
        self
    }

    /// Ignores the responses that axum completes after this layer. By default they are reported.
    ///
    /// It is for a lint inside axum's routing, as with `Router::layer`. The responses are those to
    /// HEAD with content (rule 302), and a 405 without Allow (rule 305).
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_lint::LintLayer;
    ///
    /// let app: Router = Router::new()
    ///     .route("/", get(async || "fine"))
    ///     .layer(LintLayer::new().in_axum());
    /// ```
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

    /// Reports the violations of a response's head.
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
