use std::path::PathBuf;

/// An access log in a file: one line for each request, whatever ends it.
///
/// A line is written when the last byte of the response has been passed to the connection, or when
/// the client leaves. A client that leaves before has the status 499, and its line the bytes that
/// the connection had taken. Without a response, a service that fails or panics has 500, and a
/// server that ends has 503. The status of a [`Rejection`](tower_kit::Rejection) is its own, which
/// for gRPC differs from the one on the wire. A head that is not valid HTTP has no line.
///
/// The client is the one that [`OriginLayer`](tower_origin::OriginLayer) finds, if the request
/// passes one, and otherwise the peer's address. Values of parameters with secret names, such as
/// `token`, are logged as `redacted`. Control characters and quotes are escaped.
///
/// No request waits for the file: a thread of its own writes it. Lines are lost if the file cannot
/// be written, or if 4 MiB wait for it. A line with their number follows later: `# lines lost: 3`,
/// or in JSON `{"lost":3}`.
///
/// The file is opened again with the next line after SIGUSR1, which is for log rotation: rename the
/// file, and then send the signal. SIGUSR1 is also nginx's signal for that, and leaves SIGHUP to
/// programs that reload at it.
///
/// | field in JSON | value |
/// |---|---|
/// | `time` | when the request came, in RFC 3339 with milliseconds |
/// | `client` | the client's address, or null over a Unix socket |
/// | `method`, `target`, `version` | those of the request, such as `GET`, `/a?b=c`, `HTTP/1.1` |
/// | `host` | the host that the client requested, or null |
/// | `status` | as above |
/// | `bytes` | the bytes of the response's content that the connection has taken |
/// | `seconds` | the time from the request's head to the end, as a number with microseconds |
/// | `end` | `complete`, `client` (it has left), `service` (it has failed), `server` (it has ended) |
/// | `referer`, `user_agent` | those of the request, or null |
/// | `reason` | the reason of a rejection without an id, or null |
/// | `incident` | the id of a rejection, or null |
///
/// # Examples
///
/// ```
/// use tower_serve::{AccessLog, LogFormat, Server};
///
/// let log = AccessLog::new("/var/log/site/access.log").format(LogFormat::Json);
/// let server = Server::default().access_log(log);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    pub(super) path: PathBuf,
    pub(super) format: LogFormat,
}

/// The format of a line of an [`AccessLog`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogFormat {
    /// The common log format: `192.0.2.1 - - [30/Nov/2026:09:00:00 +0000] "GET / HTTP/1.1" 200 12`.
    Common,
    /// The common log format, and after it the fields `Referer` and `User-Agent` in quotes.
    #[default]
    Combined,
    /// A JSON object.
    Json,
}

impl AccessLog {
    /// Returns an access log in this file, in the combined format. The file is created or appended
    /// to when the server [binds](crate::Server::bind).
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: LogFormat::default(),
        }
    }

    /// Sets the format. Default: [`LogFormat::Combined`].
    #[must_use]
    pub fn format(mut self, format: LogFormat) -> Self {
        self.format = format;
        self
    }
}
