//! A server that responds 413 to every upload without reading it, and hyper's client, for
//! `just lingering`.

use std::{convert::Infallible, env, error::Error};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::service_fn;
use tower_serve::{RequestBody, Server, Shutdown};

type BoxError = Box<dyn Error + Send + Sync>;

const REFUSED: &str = "too large\n";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => serve(address).await,
        ["upload", address, version, bytes, count] => {
            let body = Bytes::from(vec![b'x'; bytes.parse()?]);
            let mut seen = 0;
            for _ in 0..count.parse()? {
                if let Ok(true) = upload(address, version, body.clone()).await {
                    seen += 1;
                }
            }
            println!("{seen}");
            Ok(())
        }
        _ => {
            Err("usage: lingering serve ADDRESS | lingering upload ADDRESS 1|2 BYTES COUNT".into())
        }
    }
}

async fn serve(address: &str) -> Result<(), BoxError> {
    let refusing = service_fn(async |_: Request<RequestBody>| {
        let mut response = Response::new(Full::new(Bytes::from_static(REFUSED.as_bytes())));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        Ok::<_, Infallible>(response)
    });
    let bound = Server::new(address.parse()?).bind().await?;
    for address in bound.addresses() {
        println!("{address}");
    }
    bound.serve(refusing, Shutdown::signals()?).await?;
    Ok(())
}

/// Returns whether the whole response to an upload was seen. Each has a connection of its own.
async fn upload(address: &str, version: &str, body: Bytes) -> Result<bool, BoxError> {
    let io = TokioIo::new(TcpStream::connect(address).await?);
    let request = Request::post(format!("http://{address}/")).header("host", address);
    let request = request.body(Full::new(body))?;
    let response = match version {
        "1" => {
            let (mut sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        }
        _ => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        }
    };
    let is_refused = response.status() == StatusCode::PAYLOAD_TOO_LARGE;
    let text = response.into_body().collect().await?.to_bytes();
    Ok(is_refused && text == REFUSED)
}
