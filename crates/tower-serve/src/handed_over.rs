//! Sockets that a supervisor opened, such as systemd or systemfd, which sets `LISTEN_FDS`.

use std::io;

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::listener::Listener;

/// Takes all sockets that are for this process. A second call gets none.
pub(crate) fn take() -> io::Result<Vec<Listener>> {
    let mut sockets = ListenFd::from_env();
    (0..sockets.len())
        .map(|index| {
            let taken = take_tcp(&mut sockets, index);
            #[cfg(unix)]
            let taken = taken.or_else(|_| take_unix(&mut sockets, index));
            taken.map_err(|error| {
                let text = format!(
                    "cannot take over socket {} of {} of LISTEN_FDS: {error} (expected a TCP or Unix stream socket that listens)",
                    index + 1,
                    sockets.len(),
                );
                io::Error::new(error.kind(), text)
            })
        })
        .collect()
}

fn take_tcp(sockets: &mut ListenFd, index: usize) -> io::Result<Listener> {
    let listener = sockets.take_tcp_listener(index)?.ok_or_else(taken)?;
    listens(&SockRef::from(&listener))?;
    listener.set_nonblocking(true)?;
    Listener::tcp(TcpListener::from_std(listener)?)
}

#[cfg(unix)]
fn take_unix(sockets: &mut ListenFd, index: usize) -> io::Result<Listener> {
    let listener = sockets.take_unix_listener(index)?.ok_or_else(taken)?;
    listens(&SockRef::from(&listener))?;
    listener.set_nonblocking(true)?;
    // The file is the supervisor's.
    Listener::unix(UnixListener::from_std(listener)?, None)
}

/// Returns an error if the socket does not listen. Otherwise that would be noticed only because no
/// client can connect.
#[cfg(target_os = "linux")]
fn listens(socket: &SockRef<'_>) -> io::Result<()> {
    match socket.is_listener()? {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it does not listen",
        )),
    }
}

/// Other systems do not tell.
#[cfg(not(target_os = "linux"))]
fn listens(_: &SockRef<'_>) -> io::Result<()> {
    Ok(())
}

fn taken() -> io::Error {
    io::Error::other("it is already taken")
}
