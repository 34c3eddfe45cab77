//! The contract of tower and http-body, for a service behind a server. The service gets the
//! messages that a client sends over HTTP/2, and the client gets those that the service returns.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Uri;
use http_body::Body as _;
use http_body_util::{Either, Empty};
use hyper::{
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tower_lint::{Rule, contract, probe};

use super::*;

type ClientBody = Either<Incoming, Empty<Bytes>>;

/// A client of a server, as a service.
#[derive(Clone)]
struct Served(SendRequest<probe::Body>);

impl Served {
    async fn new(inner: contract::Inner) -> Self {
        let server = run(server(), inner).await;
        let socket = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
        let (sender, connection) = handshake(TokioExecutor::new(), socket).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }
}

impl Service<Request<probe::Body>> for Served {
    type Response = Response<ClientBody>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<probe::Body>) -> Self::Future {
        let target = request.uri().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        *request.uri_mut() = match *request.method() {
            http::Method::CONNECT => Uri::from_static("a:80"),
            _ => format!("http://a{target}").parse().unwrap(),
        };
        let mut sender = self.0.clone();
        Box::pin(async move {
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            // The size hint of hyper's client is the stated length, also where there is no content.
            Ok(response.map(|body| match body.is_end_stream() {
                true => Either::Right(Empty::new()),
                false => Either::Left(body),
            }))
        })
    }
}

#[test]
fn a_served_service_keeps_the_contract() {
    let runtime = Runtime::new().unwrap();
    let _context = runtime.enter();
    let heads = "Extensions do not pass a connection.";
    let errors =
        "An error of the service ends the connection, or in HTTP/2 the stream, without a response.";
    contract::check(|inner| runtime.block_on(Served::new(inner)))
        .departs(Rule::RequestHead, heads)
        .departs(Rule::ResponseHead, heads)
        .departs(Rule::ServiceError, errors)
        .departs(Rule::ReadyError, errors)
        .departs(Rule::BodyError, errors)
        .assert_kept();
}
