//! One connection of a client that speaks HTTP correctly.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version, header::HOST};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::Failure;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Connection {
    sender: Sender,
    address: String,
    /// Dropping it closes the connection, whatever is under way.
    _driver: JoinSet<()>,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    pub(crate) async fn open(address: &str, version: Version) -> Result<Self, Failure> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        let mut driver = JoinSet::new();
        let sender = if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            // The requests of a connection learn how it ended.
            driver.spawn(async { _ = connection.await });
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            driver.spawn(async { _ = connection.await });
            Sender::Http1(sender)
        };
        Ok(Self {
            sender,
            address: address.to_owned(),
            _driver: driver,
        })
    }

    /// The response's head. It waits as long as the server does.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Body,
    ) -> Result<Response<Incoming>, Failure> {
        let Self {
            sender, address, ..
        } = self;
        let request = Request::builder().method(method);
        Ok(match sender {
            Sender::Http1(sender) => {
                let request = request.uri(path).header(HOST, &*address);
                sender.ready().await?;
                sender.send_request(request.body(body)?).await?
            }
            Sender::Http2(sender) => {
                let request = request.uri(format!("http://{address}{path}"));
                sender.ready().await?;
                sender.send_request(request.body(body)?).await?
            }
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Response<Incoming>, Failure> {
        self.send("GET", path, Body::default()).await
    }

    /// Status and body, in time.
    pub(crate) async fn whole(
        &mut self,
        method: &str,
        path: &str,
        body: Body,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let answer = async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        timeout(PATIENCE, answer).await?
    }
}
