//! The response to a client that speaks HTTP on a port of TLS.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::stream::Socket;

const RESPONSE: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    cache-control: no-store\r\n\
    content-length: 53\r\n\
    connection: close\r\n\r\n\
    This port expects TLS. Use https:// instead of http.\n";

/// The limits of what is read after the response. Without reading, the system would reset the
/// connection, and the response with it.
const REST: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn reject(socket: Socket) {
    let done = async {
        match socket {
            Socket::Tcp(socket) => respond(socket).await,
            #[cfg(unix)]
            Socket::Unix(socket) => respond(socket).await,
        }
    };
    // The client has gone, or sends on. Either way the connection is closed.
    let _ = timeout(PATIENCE, done).await;
}

async fn respond(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    io.write_all(RESPONSE).await?;
    io.shutdown().await?;
    tokio::io::copy(&mut io.take(REST), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_34_the_response_to_plain_http_has_its_length() {
        let text = str::from_utf8(RESPONSE).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
