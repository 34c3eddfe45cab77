//! Clients: tonic's own, and the same with tonic-web over HTTP/1, in binary and in base64.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

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

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Of HTTP.
    pub(crate) head: response::Parts,
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

    pub(crate) fn content_type(&self) -> &str {
        let content_type = self.head.headers.get(CONTENT_TYPE);
        content_type.map_or("", |value| value.to_str().unwrap())
    }

    /// Returns whether the response is one of this protocol, and not an error of HTTP from which a client infers a
    /// status.
    pub(crate) fn speaks(&self, wire: Wire) -> bool {
        let content_type = self.content_type();
        let content_type = content_type.strip_suffix("+proto").unwrap_or(content_type);
        self.head.status == StatusCode::OK && content_type == wire.content_type()
    }
}

pub(crate) struct Client {
    transport: Transport,
    origin: Uri,
    head: Arc<Mutex<Option<response::Parts>>>,
}

type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

impl Client {
    pub(crate) fn new(wire: Wire, address: SocketAddr) -> Self {
        let origin: Uri = format!("http://{address}").parse().unwrap();
        let http: Http = HyperClient::builder(TokioExecutor::new()).build_http();
        let head = Arc::new(Mutex::new(None));
        let transport = match wire {
            Wire::Grpc => boxed(Endpoint::from(origin.clone()).connect_lazy(), &head),
            Wire::Web => {
                let http = boxed(
                    http.map_request(|request: Request<_>| request.map(Body::new)),
                    &head,
                );
                boxed(GrpcWebClientLayer::new().layer(http), &Arc::default())
            }
            Wire::WebText => {
                let http = service_fn(move |request: Request<_>| {
                    text(http.clone(), request.map(Body::new))
                });
                let http = boxed(http, &head);
                boxed(GrpcWebClientLayer::new().layer(http), &Arc::default())
            }
        };
        Self {
            transport,
            origin,
            head,
        }
    }

    /// Calls the echo with three texts, as one message or as three.
    pub(crate) async fn call(&self, call: Call, path: &str, fault: Option<Fault>) -> Reply {
        let called = self.called(call, path, fault);
        timeout(Duration::from_secs(20), called)
            .await
            .expect("the call has an end")
    }

    async fn called(&self, call: Call, path: &str, fault: Option<Fault>) -> Reply {
        const TEXTS: [&str; 3] = ["one", "two", "three"];
        let mut grpc = Grpc::with_origin(self.transport.clone(), self.origin.clone());
        grpc.ready().await.unwrap();
        let path = path.parse().unwrap();
        let one = || request(TEXTS.join(","), fault);
        let three = || request(stream::iter(TEXTS.map(str::to_owned)), fault);
        let mut reply = match call {
            Call::Unary => single(grpc.unary(one(), path, Text).await),
            Call::ClientStream => single(grpc.client_streaming(three(), path, Text).await),
            Call::ServerStream => several(grpc.server_streaming(one(), path, Text).await).await,
            Call::Bidirectional => several(grpc.streaming(three(), path, Text).await).await,
        };
        if let Some(head) = self.head.lock().unwrap().take() {
            reply.head = head;
        }
        reply
    }
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
        head: Response::new(()).into_parts().0,
        messages,
        metadata,
        code: status.code(),
        message: status.message().to_owned(),
    }
}

/// Any transport. It keeps the head of the response.
fn boxed<S, A, B>(
    service: S,
    head: &Arc<Mutex<Option<response::Parts>>>,
) -> BoxCloneSyncService<Request<A>, Response<Body>, BoxError>
where
    S: Service<Request<A>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    A: 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let head = head.clone();
    let service = service.map_response(move |response| {
        let (parts, body) = response.into_parts();
        *head.lock().unwrap() = Some(parts.clone());
        Response::from_parts(parts, Body::new(body))
    });
    BoxCloneSyncService::new(service.map_err(Into::into))
}

type Http = HyperClient<HttpConnector, Body>;

/// gRPC-Web in base64, which tonic-web's client does not speak. The request has a length, as that of a browser.
async fn text(http: Http, request: Request<Body>) -> Result<Response<Body>, BoxError> {
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
