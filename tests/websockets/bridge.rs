//! WebSockets of HTTP/1, and extended CONNECT of HTTP/2 (RFC 8441).

use std::convert::Infallible;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    body::Incoming, client::conn::http2, ext::Protocol, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::BoxError;

type Sender = http2::SendRequest<Empty<Bytes>>;

/// The headers of a handshake that both versions have.
const PASSED: [HeaderName; 3] = [
    http::header::SEC_WEBSOCKET_EXTENSIONS,
    http::header::SEC_WEBSOCKET_PROTOCOL,
    http::header::SEC_WEBSOCKET_VERSION,
];

pub(crate) async fn serve(address: &str) -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let mut sender = connect(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if sender.is_closed() {
            // The server closes an idle connection.
            sender = connect(address).await?;
        }
        let (sender, authority) = (sender.clone(), address.to_owned());
        let service = service_fn(move |request| {
            let (sender, authority) = (sender.clone(), authority.clone());
            async move {
                let response = pass(sender, &authority, request).await;
                Ok::<_, Infallible>(response.unwrap_or_else(|error| {
                    let mut response = Response::new(Full::from(error.to_string()));
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    response
                }))
            }
        });
        let mut http = http1::Builder::new();
        let connection = http
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection.with_upgrades());
    }
}

/// Returns a connection that knows the server's settings, which come with a response.
async fn connect(address: &str) -> Result<Sender, BoxError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    let request = Request::get(format!("http://{address}/settings")).body(Empty::new())?;
    sender.send_request(request).await?;
    Ok(sender)
}

async fn pass(
    mut sender: Sender,
    authority: &str,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, BoxError> {
    let client = hyper::upgrade::on(&mut request);
    let mut connect = Request::connect(format!("http://{authority}{}", request.uri().path()))
        .extension(Protocol::from_static("websocket"));
    for name in PASSED {
        for value in request.headers().get_all(&name) {
            connect = connect.header(&name, value);
        }
    }
    let mut response = sender.send_request(connect.body(Empty::new())?).await?;
    if response.status() != StatusCode::OK {
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        return Ok(Response::builder().status(status).body(Full::from(body))?);
    }
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
        if response.headers().contains_key(&name) {
            return Err(format!("a response of HTTP/2 has {name}").into());
        }
    }
    let server = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        let (mut client, mut server) = (TokioIo::new(client.await?), TokioIo::new(server.await?));
        copy_bidirectional(&mut client, &mut server).await?;
        Ok::<_, BoxError>(())
    });
    let key = request
        .headers()
        .get(SEC_WEBSOCKET_KEY)
        .ok_or("there is no key")?;
    let mut switch = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(
            SEC_WEBSOCKET_ACCEPT,
            HeaderValue::from_str(&derive_accept_key(key.as_bytes()))?,
        );
    for name in PASSED {
        for value in response.headers().get_all(&name) {
            switch = switch.header(&name, value);
        }
    }
    Ok(switch.body(Full::default())?)
}
