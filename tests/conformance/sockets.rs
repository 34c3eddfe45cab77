//! The same through a server: the request is written as bytes, and the response is read to its end.

use std::{io, sync::OnceLock};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tower_deploy::App;
use tower_serve::{Address, Server, Shutdown};

/// The response.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Sends a request of HTTP/1.0, whose response ends with its connection.
pub(crate) fn ask(
    app: App,
    target: &str,
    host: &str,
    method: &str,
    body: &[u8],
) -> io::Result<Got> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("the system has what a runtime needs")
    });
    let host = match host {
        "" => String::new(),
        host => format!("host: {host}\r\n"),
    };
    let length = match body.len() {
        0 => String::new(),
        length => format!("content-length: {length}\r\n"),
    };
    let head = format!("{method} {target} HTTP/1.0\r\n{host}{length}\r\n");
    let asked = [head.as_bytes(), body].concat();
    let got = runtime.block_on(async {
        let server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
        let server = server.bind().await?;
        let address = server.addresses().next().unwrap_or_default();
        let (end, shutdown) = Shutdown::manual();
        let serving = tokio::spawn(server.serve(app, shutdown));
        let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await?;
        stream.write_all(&asked).await?;
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await?;
        end.signal();
        serving.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>(got)
    })?;
    let end = got.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other("an answer without an end of its head"))?;
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Got {
        status: status.ok_or_else(|| io::Error::other("an answer without a status"))?,
        head,
        body: got[end + 4..].to_vec(),
    })
}
