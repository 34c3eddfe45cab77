use std::{io, path::Path};

use tokio::net::TcpListener;

use crate::{address::Address, handed_over, listener::Listener};

/// Returns the sockets that were handed over. Without any, opens the socket of this address.
pub(crate) async fn open(address: &Address) -> io::Result<Vec<Listener>> {
    let handed_over = handed_over::take()?;
    if !handed_over.is_empty() {
        return Ok(handed_over);
    }
    let opened = match address {
        Address::Tcp(address) => open_tcp(address).await,
        Address::Unix(path) => open_unix(path).await,
    };
    match opened {
        Ok(listener) => Ok(vec![listener]),
        Err(error) => {
            let text = format!("cannot listen on {address}: {error}");
            Err(io::Error::new(error.kind(), text))
        }
    }
}

async fn open_tcp(address: &str) -> io::Result<Listener> {
    let listener = TcpListener::bind(address).await;
    Listener::tcp(listener.map_err(|error| advise(error, tcp_advice))?)
}

#[cfg(unix)]
async fn open_unix(path: &Path) -> io::Result<Listener> {
    let (listener, file) = crate::unix::bind(path)
        .await
        .map_err(|error| advise(error, unix_advice))?;
    Listener::unix(listener, Some(file))
}

#[cfg(not(unix))]
async fn open_unix(_: &Path) -> io::Result<Listener> {
    let text = "this system has no Unix sockets (choose an address and a port)";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

fn advise(error: io::Error, advice: fn(io::ErrorKind) -> Option<&'static str>) -> io::Error {
    match advice(error.kind()) {
        // Errors that are not the system's have their advice already.
        Some(advice) if error.raw_os_error().is_some() => {
            io::Error::new(error.kind(), format!("{error} ({advice})"))
        }
        _ => error,
    }
}

fn tcp_advice(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::AddrInUse => {
            Some("another program has this port: end it, or choose another port")
        }
        io::ErrorKind::AddrNotAvailable => Some(
            "no interface of this machine has this address: choose one that has, or 0.0.0.0 for all",
        ),
        io::ErrorKind::PermissionDenied => Some(
            "ports below 1024 are privileged: choose a higher one, or have the socket handed over as LISTEN_FDS",
        ),
        _ => None,
    }
}

#[cfg(unix)]
fn unix_advice(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::NotFound => Some("create its directory first"),
        io::ErrorKind::PermissionDenied => {
            Some("choose a directory that this user may write to and search")
        }
        io::ErrorKind::AddrInUse => {
            Some("another server has just created it: start one server at a time")
        }
        _ => None,
    }
}
