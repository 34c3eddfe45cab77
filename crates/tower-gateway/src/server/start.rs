//! How this process was started.

use std::env;

/// The way in which a process was started, as [`detect`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// A web server has started it as a CGI program, for one request:
    /// [`cgi::run`](crate::cgi::run).
    Cgi,
    /// Standard input is a socket that listens, as FastCGI programs get it:
    /// [`fastcgi::serve`](crate::fastcgi::serve) with [`Listener::stdin`](crate::Listener::stdin).
    FastCgi,
    /// A supervisor such as systemd has opened sockets:
    /// [`Listener::handed_over`](crate::Listener::handed_over). Nothing states their protocol.
    HandedOver,
    /// None of these: by hand, or as a service that opens its own sockets.
    Alone,
}

/// Returns how this process was started. It changes nothing and takes nothing.
///
/// ```
/// use std::io;
///
/// use axum::Router;
/// use tokio::net::TcpListener;
/// use tower_gateway::{Listener, Start, cgi, detect, fastcgi};
///
/// async fn run(app: Router) -> io::Result<()> {
///     match detect() {
///         Start::Cgi => cgi::run(app).await,
///         Start::FastCgi => fastcgi::serve(Listener::stdin()?, app).await,
///         // A server of HTTP can be here, such as tower-serve.
///         _ => fastcgi::serve(TcpListener::bind("127.0.0.1:9000").await?, app).await,
///     }
/// }
/// ```
#[must_use]
pub fn detect() -> Start {
    #[cfg(unix)]
    if listens(std::os::fd::AsFd::as_fd(&std::io::stdin())) {
        return Start::FastCgi;
    }
    let is_cgi = env::var_os("GATEWAY_INTERFACE").is_some_and(|version| {
        let version = version.as_encoded_bytes();
        version.starts_with(b"CGI/")
    });
    if is_cgi && env::var_os("REQUEST_METHOD").is_some() {
        return Start::Cgi;
    }
    let is_for_this = env::var("LISTEN_PID")
        .ok()
        .is_none_or(|process| process.parse() == Ok(std::process::id()));
    if env::var_os("LISTEN_FDS").is_some() && is_for_this {
        return Start::HandedOver;
    }
    Start::Alone
}

/// Returns whether a descriptor is a socket that listens.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) fn listens(descriptor: std::os::fd::BorrowedFd<'_>) -> bool {
    rustix::net::sockopt::socket_acceptconn(descriptor).unwrap_or(false)
}

/// Returns whether a descriptor is a socket without a peer, since Apple's systems do not tell more.
/// That is also how the FastCGI specification, section 2.2, tells such a socket.
#[cfg(target_vendor = "apple")]
pub(crate) fn listens(descriptor: std::os::fd::BorrowedFd<'_>) -> bool {
    matches!(
        rustix::net::getpeername(descriptor),
        Err(rustix::io::Errno::NOTCONN)
    )
}
