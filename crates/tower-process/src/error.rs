use std::{error, fmt, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header::RETRY_AFTER};
use http_body_util::Full;
use tower_kit::{Preferences, Rejection};

/// The reason of a [`Rejection`](tower_kit::Rejection) that a [`WithProcess`](crate::WithProcess)
/// has responded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessError {
    /// 503: the process did not accept connections in time.
    NotReady,
    /// 503: the process has been stopped.
    Stopped,
}

impl ProcessError {
    /// Returns the response. Its `Retry-After` is the time until the next start, in whole seconds.
    pub(crate) fn response(
        self,
        preferences: Preferences,
        next_start: Duration,
    ) -> Response<Full<Bytes>> {
        let seconds = next_start.as_secs() + u64::from(next_start.subsec_nanos() > 0);
        Rejection::new(StatusCode::SERVICE_UNAVAILABLE, self)
            .with_detail(self.detail())
            .with_header(RETRY_AFTER, seconds.max(1).into())
            .response_for(preferences)
    }

    /// Returns the sentence for the client, which does not name the program.
    fn detail(self) -> &'static str {
        match self {
            Self::NotReady => "the program behind this server is not ready",
            Self::Stopped => "the program behind this server has been stopped",
        }
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl error::Error for ProcessError {}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    #[test]
    fn process_6_retry_after_is_in_whole_seconds() {
        for (millis, expected) in [
            (0, "1"),
            (1, "1"),
            (1_000, "1"),
            (1_001, "2"),
            (30_000, "30"),
        ] {
            let preferences = Preferences::new(&Method::GET, &HeaderMap::new());
            let next_start = Duration::from_millis(millis);
            let response = ProcessError::NotReady.response(preferences, next_start);
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[RETRY_AFTER], expected, "{millis} ms");
        }
    }
}
