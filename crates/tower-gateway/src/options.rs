//! The options that all three services have.

use std::time::Duration;

use crate::{BuildError, BuildErrorKind, scripts::Scripts, stderr::Reporter};

/// The options that all three services have.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) scripts: Option<Scripts>,
    /// Names are unique.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) queue_timeout: Duration,
    pub(crate) head_limit: usize,
    /// `None` rejects a body without a length.
    pub(crate) stored_body_limit: Option<u64>,
    /// The number of local redirects that are followed. `None` passes them to the client.
    pub(crate) local_redirects: Option<u8>,
    pub(crate) stderr: Reporter,
}

impl Options {
    pub(crate) fn new() -> Self {
        Self {
            scripts: None,
            env: Vec::new(),
            header_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(10),
            head_limit: 64 * 1024,
            stored_body_limit: Some(64 * 1024 * 1024),
            local_redirects: Some(10),
            stderr: Reporter::default(),
        }
    }

    /// Sets a variable.
    pub(crate) fn set_env(&mut self, name: String, value: String) -> Result<(), BuildError> {
        let wrong = |message: String| Err(BuildError::new(BuildErrorKind::Variable, message));
        if name.is_empty() || name.contains(['=', '\0']) {
            return wrong(format!(
                "`{name}` is not the name of a variable, such as APP_ENV"
            ));
        }
        if name == "CONTENT_LENGTH" {
            // Another length would cut the body, or let the program wait for more.
            return wrong(format!(
                "`{name}` is set for each request, and cannot be replaced"
            ));
        }
        if value.contains('\0') {
            return wrong(format!("the value of `{name}` has a NUL"));
        }
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value));
        Ok(())
    }
}

/// Adds the builder methods of the shared options to a service with a method `with`.
macro_rules! shared_options {
    () => {
        /// Sets a variable that each request has. It replaces any other one of the same name.
        /// Default: none.
        ///
        /// # Errors
        ///
        /// Returns an error for a name that is empty or has `=` or a NUL in it, for
        /// CONTENT_LENGTH, and for a value with a NUL.
        pub fn env(
            self,
            name: impl Into<String>,
            value: impl Into<String>,
        ) -> Result<Self, BuildError> {
            let mut result = Ok(());
            let (name, value) = (name.into(), value.into());
            let this = self.with(|options| result = options.set_env(name, value));
            result.map(|()| this)
        }

        /// Sets the time in which the head of a response has to come. Then the response is a 504,
        /// or a 408 if the client stopped in its body. A moving upload restarts it. Default: 60
        /// seconds.
        #[must_use]
        pub fn header_timeout(self, timeout: Duration) -> Self {
            self.with(|options| options.header_timeout = timeout)
        }

        /// Sets the time in which each further piece of a response has to come. Then the response
        /// breaks off. A moving upload restarts it. Default: 60 seconds.
        ///
        /// A program has the same time to finish after its response is complete.
        #[must_use]
        pub fn idle_timeout(self, timeout: Duration) -> Self {
            self.with(|options| options.idle_timeout = timeout)
        }

        /// Sets the time for which a request waits for its turn. Then the response is a 503 with
        /// `Retry-After`. Default: 10 seconds.
        #[must_use]
        pub fn queue_timeout(self, timeout: Duration) -> Self {
            self.with(|options| options.queue_timeout = timeout)
        }

        /// Sets the largest head of a response, in bytes. A larger one is a 502. Default: 65,536.
        #[must_use]
        pub fn head_limit(self, bytes: usize) -> Self {
            self.with(|options| options.head_limit = bytes)
        }

        /// Sets the largest body that is stored because it has no length, in bytes. A larger one is
        /// a 413. Default: 64 MiB.
        ///
        /// A program has to know the length before the first byte. A body with a length is never
        /// stored. One without it is kept in memory up to 64 KiB, and then in a temporary file.
        #[must_use]
        pub fn stored_body_limit(self, bytes: u64) -> Self {
            self.with(|options| options.stored_body_limit = Some(bytes))
        }

        /// Rejects a body without a length with 411, so that no body is stored. Default: off.
        #[must_use]
        pub fn require_length(self) -> Self {
            self.with(|options| options.stored_body_limit = None)
        }

        /// Sets how many local redirects are followed for one request, before the response is a
        /// 502. Default: 10.
        ///
        /// A local redirect is a response without a status, whose `Location` is a path (RFC 3875,
        /// section 6.2.2). The response to a GET of that path takes its place. A path that leads
        /// out of the mount is passed to the client as a 302.
        #[must_use]
        pub fn local_redirects(self, most: u8) -> Self {
            self.with(|options| options.local_redirects = Some(most))
        }

        /// Passes local redirects to the client as a 302. Default: off.
        #[must_use]
        pub fn pass_local_redirects(self) -> Self {
            self.with(|options| options.local_redirects = None)
        }

        /// Sets a function that gets each line of the programs' error output. Default: a warning
        /// in the log.
        ///
        /// At most 64 KiB are reported for a request, and 4 KiB of a line. The function is called
        /// on the task of the request, so it must not wait. If it panics, the panic is caught.
        #[must_use]
        pub fn stderr(self, report: impl Fn(StderrLine<'_>) + Send + Sync + 'static) -> Self {
            self.with(|options| options.stderr = Reporter::new(report))
        }
    };
}
pub(crate) use shared_options;
