//! Clients: tonic's own, and the same with tonic-web over HTTP/1, in binary and in base64.

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT, CONTENT_TYPE},
    response,
};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tonic::{
    Code, Status, Streaming, body::Body, client::Grpc, metadata::MetadataMap, transport::Endpoint,
};
use tonic_web::GrpcWebClientLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};

use crate::echo::{Call, FAULT, Fault, SENT, Text};

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire {
    Grpc,
    Web,
    WebText,
}

impl Wire {
    /// Without the encoding of messages.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Web => "application/grpc-web",
            Self::WebText => "application/grpc-web-text",
        }
    }
}

/// The response.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Of HTTP, if there was one.
    pub(crate) head: Option<response::Parts>,
    pub(crate) messages: Vec<String>,
    /// Of the head and the trailers.
    pub(crate) metadata: MetadataMap,
    /// How the call ended.
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Reply {
    pub(crate) fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns whether the response is one of this protocol, and not one from which a client infers
    /// a status.
    pub(crate) fn speaks(&self, wire: Wire) -> bool {
        let content_type = self.content_type().unwrap_or_default();
        let content_type = content_type.strip_suffix("+proto").unwrap_or(content_type);
        let status = self.head.as_ref().map(|head| head.status);
        status == Some(StatusCode::OK) && content_type == wire.content_type()
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        let value = self.head.as_ref()?.headers.get(CONTENT_TYPE)?;
        value.to_str().ok()
    }
}

/// How a call differs from a good one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Instead of the method's.
    pub(crate) path: Option<&'static str>,
    pub(crate) fault: Option<Fault>,
    /// The request has a `Content-Length`, as a browser's. Those of tonic have none.
    pub(crate) announced: bool,
}

pub(crate) struct Client {
    transport: Transport,
    origin: Uri,
}

type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

impl Client {
    pub(crate) fn new(wire: Wire, address: SocketAddr) -> Self {
        let origin: Uri = format!("http://{address}").parse().unwrap();
        let http: Http = HyperClient::builder(TokioExecutor::new()).build_http();
        let web = GrpcWebClientLayer::new();
        let transport = match wire {
            Wire::Grpc => boxed(Endpoint::from(origin.clone()).connect_lazy()),
            Wire::Web => {
                let body = |request: Request<_>| request.map(Body::new);
                boxed(web.layer(http.map_request(body)))
            }
            Wire::WebText => boxed(web.layer(service_fn(move |request: Request<_>| {
                in_base64(http.clone(), request.map(Body::new))
            }))),
        };
        Self { transport, origin }
    }

    /// Calls the echo with three texts, as one message or as three.
    pub(crate) async fn call(&self, call: Call, path: &str, options: Options) -> Reply {
        let called = self.called(call, path, options);
        timeout(Duration::from_secs(20), called)
            .await
            .expect("the call has an end")
    }

    async fn called(&self, call: Call, path: &str, options: Options) -> Reply {
        const TEXTS: [&str; 3] = ["one", "two", "three"];
        let head = OnceLock::new();
        let transport = service_fn(|request| self.send(request, options.announced, &head));
        let mut grpc = Grpc::with_origin(transport, self.origin.clone());
        let path = options.path.unwrap_or(path).parse().unwrap();
        let one = || request(TEXTS.join(","), options.fault);
        let three = || request(stream::iter(TEXTS.map(str::to_owned)), options.fault);
        let mut reply = match call {
            Call::Unary => single(grpc.unary(one(), path, Text).await),
            Call::ClientStream => single(grpc.client_streaming(three(), path, Text).await),
            Call::ServerStream => several(grpc.server_streaming(one(), path, Text).await).await,
            Call::Bidirectional => several(grpc.streaming(three(), path, Text).await).await,
        };
        reply.head = head.into_inner();
        reply
    }

    async fn send(
        &self,
        mut request: Request<Body>,
        announced: bool,
        head: &OnceLock<response::Parts>,
    ) -> Result<Response<Body>, BoxError> {
        if announced {
            let whole = request.body_mut().collect().await?.to_bytes();
            *request.body_mut() = Body::new(Full::new(whole));
        }
        let response = self.transport.clone().oneshot(request).await?;
        let (parts, body) = response.into_parts();
        head.set(parts.clone()).unwrap();
        Ok(Response::from_parts(parts, body))
    }
}

fn boxed<S, B>(service: S) -> Transport
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let service = service.map_response(|response| response.map(Body::new));
    BoxCloneSyncService::new(service.map_err(Into::into))
}

fn request<T>(message: T, fault: Option<Fault>) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(SENT, "sent".parse().unwrap());
    if let Some(fault) = fault {
        metadata.insert(FAULT, fault.name().parse().unwrap());
    }
    request
}

fn single(result: Result<tonic::Response<String>, Status>) -> Reply {
    match result {
        Ok(response) => {
            let (metadata, message, _) = response.into_parts();
            ended(vec![message], metadata, Status::ok(""))
        }
        Err(status) => ended(Vec::new(), MetadataMap::new(), status),
    }
}

async fn several(result: Result<tonic::Response<Streaming<String>>, Status>) -> Reply {
    let (mut metadata, mut stream, _) = match result {
        Ok(response) => response.into_parts(),
        Err(status) => return ended(Vec::new(), MetadataMap::new(), status),
    };
    let mut messages = Vec::new();
    let status = loop {
        match stream.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break Status::ok(""),
            Err(status) => break status,
        }
    };
    if let Ok(Some(trailers)) = stream.trailers().await {
        trailers.as_ref().iter().for_each(|(name, value)| {
            metadata.as_mut().insert(name, value.clone());
        });
    }
    ended(messages, metadata, status)
}

fn ended(messages: Vec<String>, mut metadata: MetadataMap, status: Status) -> Reply {
    metadata
        .as_mut()
        .extend(status.metadata().clone().into_headers());
    Reply {
        head: None,
        messages,
        metadata,
        code: status.code(),
        message: status.message().to_owned(),
    }
}

type Http = HyperClient<HttpConnector, Body>;

/// gRPC-Web in base64, which tonic-web's client does not speak. The request has a length, as that
/// of a browser.
async fn in_base64(http: Http, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let content_type = HeaderValue::from_static(Wire::WebText.content_type());
    parts.headers.insert(ACCEPT, content_type.clone());
    parts.headers.insert(CONTENT_TYPE, content_type);
    let body = BASE64_STANDARD.encode(body.collect().await?.to_bytes());
    let body = Body::new(Full::new(Bytes::from(body)));
    let (parts, mut body) = http
        .request(Request::from_parts(parts, body))
        .await?
        .into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !content_type.is_some_and(|value| value.starts_with(b"application/grpc-web-text")) {
        return Ok(Response::from_parts(parts, Body::new(body)));
    }
    let (mut encoded, mut end) = (Vec::new(), Ok(()));
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => encoded.extend(frame.into_data().unwrap_or_default()),
            Err(error) => end = Err(BoxError::from(error)),
        }
    }
    // Each message is encoded by itself, so padding may be anywhere.
    let mut decoded = Vec::new();
    for four in encoded.chunks(4) {
        match BASE64_STANDARD.decode(four) {
            Ok(bytes) => decoded.extend(bytes),
            Err(error) => end = end.and(Err(error.into())),
        }
    }
    let data = Ok(Frame::data(Bytes::from(decoded)));
    let frames = [Some(data), end.err().map(Err)];
    let body = StreamBody::new(stream::iter(frames.into_iter().flatten()));
    Ok(Response::from_parts(parts, Body::new(body)))
}
