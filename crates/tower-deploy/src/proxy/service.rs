//! The way of one request.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, request::Parts,
};
use hyper::body::Incoming;
use hyper_util::client::legacy::Error as ClientError;
use tokio::time::{Instant, sleep_until};
use tower_environ::MountExt;

use crate::Body;

use super::{
    body::{Progress, RequestBody, ResponseBody, Upload},
    connect::Pool,
    error::{Chain, Client, ProxyError},
    forwarded, headers, host,
    length::Length,
    settings::{HostPolicy, Network, ProxySettings},
    upstream::Address,
};

/// How many names of dropped headers are logged.
const MAX_LOGGED: usize = 32;

/// A gateway to one upstream.
pub(crate) struct Proxy {
    address: Address,
    pool: Pool,
    /// All, if empty.
    methods: Vec<Method>,
    /// The same, for `Allow`.
    allow: HeaderValue,
    suppressed: Vec<HeaderName>,
    passed: Vec<HeaderName>,
    /// The names of headers whose dropping was logged.
    logged: Mutex<Vec<HeaderName>>,
    host: HostPolicy,
    header_timeout: Duration,
    idle_timeout: Duration,
    trusted: Vec<Network>,
}

impl Proxy {
    pub(crate) fn new(settings: ProxySettings) -> Self {
        let methods = settings.allowed_request_methods;
        let methods: Vec<Method> = methods.into_iter().map(|method| method.0).collect();
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let allow = HeaderValue::from_str(&names.join(", "));
        let suppressed = settings.suppress_http_headers.into_iter();
        let passed = settings.pass_headers.into_iter();
        Self {
            pool: Pool::new(&settings.address, settings.connect_timeout),
            address: settings.address,
            methods,
            allow: allow.expect("methods are tokens"),
            suppressed: suppressed.map(|name| name.0).collect(),
            passed: passed.map(|name| name.0).collect(),
            logged: Mutex::default(),
            host: settings.host,
            header_timeout: settings.header_timeout,
            idle_timeout: settings.idle_timeout,
            trusted: settings.trusted,
        }
    }

    /// Returns the upstream's response, or a rejection. If the future or the response's body is
    /// dropped, so is the connection that the request is on.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let client = Client::of(&parts);
        let answer = match self.to_upstream(parts, &body) {
            Ok(head) => {
                let progress = Progress::new();
                let body = RequestBody::new(body, progress.clone());
                self.exchange(head.map(|()| body), &progress)
                    .await
                    .and_then(|response| self.to_client(&client.method, response, progress))
            }
            Err(error) => Err(error),
        };
        answer.unwrap_or_else(|error| error.response(&client, &self.allow))
    }

    /// The head of the request to the upstream. The body is not read for it.
    fn to_upstream(&self, parts: Parts, body: &Body) -> Result<Request<()>, ProxyError> {
        if parts.method == Method::CONNECT {
            return Err(ProxyError::NoTunnel);
        }
        if headers::is_coded(&parts.headers) {
            return Err(ProxyError::UnknownCoding);
        }
        // DIFFERENCE: Paste answers 400.
        if !self.methods.is_empty() && !self.methods.contains(&parts.method) {
            return Err(ProxyError::MethodNotAllowed);
        }
        let named = host::of(&parts.uri, &parts.headers)?;
        let at_mount = parts.path_info().is_empty() && !parts.script_name().is_empty();
        let target = self.address.target(&parts.uri, at_mount)?;

        let forwarding = forwarded::headers(&parts, named.as_ref(), &self.trusted);
        let host = match self.host {
            HostPolicy::Client => named,
            HostPolicy::Upstream => None,
        };
        let host = host.unwrap_or_else(|| self.address.host().clone());
        let length = Length::of(&parts.method, &parts.headers, body);
        let suppressed: Vec<&HeaderName> = self.suppressed.iter().collect();

        // A new request: extensions are for those further in here, and one of them would tell the connection how to write headers.
        let mut head = Request::new(());
        *head.method_mut() = parts.method;
        *head.uri_mut() = target;
        *head.version_mut() = Version::HTTP_11;
        *head.headers_mut() = parts.headers;
        let headers = head.headers_mut();
        self.log(headers::remove_ambiguous(headers, &self.passed));
        headers::to_upstream(
            headers,
            parts.version,
            forwarding,
            &suppressed,
            host,
            length,
        );
        Ok(head)
    }

    /// Logs names of headers that are not passed on, each once. Clients choose the names, so there
    /// is a limit.
    fn log(&self, dropped: Vec<HeaderName>) {
        if dropped.is_empty() {
            return;
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        for name in dropped {
            if logged.len() < MAX_LOGGED && !logged.contains(&name) {
                tracing::warn!(
                    %name,
                    "the header is not passed on, since servers may take its name for another's; \
                     pass_headers can name it"
                );
                logged.push(name);
            }
        }
    }

    /// Sends it, and waits for the head of the response.
    async fn exchange(
        &self,
        request: Request<RequestBody>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, ProxyError> {
        let mut response = pin!(self.pool.request(request));
        let mut timer = pin!(sleep_until(progress.last().1 + self.header_timeout));
        loop {
            tokio::select! {
                biased;
                response = &mut response => {
                    return response.map_err(|error| error_of(&error, progress.last().0));
                }
                () = &mut timer => {
                    // An upload may take what it takes, as long as it moves.
                    let (upload, since) = progress.last();
                    let deadline = since + self.header_timeout;
                    if deadline <= Instant::now() {
                        let error = match upload {
                            Upload::Awaited => ProxyError::StalledRequest,
                            Upload::Passed | Upload::Failed => ProxyError::HeaderTimeout,
                        };
                        tracing::warn!(timeout = ?self.header_timeout, "{error}");
                        return Err(error);
                    }
                    timer.as_mut().reset(deadline);
                }
            }
        }
    }

    fn to_client(
        &self,
        method: &Method,
        response: Response<Incoming>,
        progress: Arc<Progress>,
    ) -> Result<Response<Body>, ProxyError> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // `Upgrade` was not passed on (RFC 9110, section 7.8), so nobody has asked for it.
            tracing::warn!("the upstream switches to a protocol that it was not asked for");
            return Err(ProxyError::NoAnswer);
        }
        if headers::is_coded(response.headers()) {
            tracing::warn!("the upstream answers in a transfer coding that it was not asked for");
            return Err(ProxyError::NoAnswer);
        }
        let (mut parts, body) = response.into_parts();
        let closes = headers::closes(parts.version, &parts.headers);
        if closes && (parts.status.is_client_error() || parts.status.is_server_error()) {
            progress.pause();
        }
        parts.version = Version::HTTP_11;
        headers::to_client(&mut parts.headers, method, parts.status, &body);
        let body = ResponseBody::new(body, progress, self.idle_timeout, closes);
        Ok(Response::from_parts(parts, Body::new(body)))
    }
}

/// Returns the error that the client gets for one of the connection.
fn error_of(error: &ClientError, upload: Upload) -> ProxyError {
    if upload == Upload::Failed {
        // The half that the upstream has got is no whole message to it, so it is not to act on it (RFC 9112, section 8).
        tracing::debug!(error = %Chain(error), "the client broke off");
        return ProxyError::BrokenRequest;
    }
    let found = match (error.is_connect(), is_timeout(error)) {
        (true, true) => ProxyError::ConnectTimeout,
        (true, false) => ProxyError::Unreachable,
        (false, _) => ProxyError::NoAnswer,
    };
    tracing::warn!(error = %Chain(error), "{found}");
    found
}

fn is_timeout(error: &ClientError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        next = error.source();
    }
    false
}
