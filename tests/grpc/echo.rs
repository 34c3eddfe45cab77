//! A gRPC service, written by hand instead of generated. It returns what it gets, and fails where
//! the request says so.

use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes};
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, future::BoxFuture, stream};
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use tonic::{
    Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService},
};
use tower::{BoxError, Service, service_fn};

/// The header of a request that is returned in the head and in the trailers, as [`IN_HEAD`] and
/// [`IN_TRAILERS`].
pub(crate) const SENT: &str = "x-sent";
pub(crate) const IN_HEAD: &str = "x-head";
pub(crate) const IN_TRAILERS: &str = "x-trailers";
/// The header that names a [`Fault`].
pub(crate) const FAULT: &str = "x-fault";

/// The four kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Call {
    Unary,
    ClientStream,
    ServerStream,
    Bidirectional,
}

impl Call {
    pub(crate) const ALL: [Self; 4] = [
        Self::Unary,
        Self::ClientStream,
        Self::ServerStream,
        Self::Bidirectional,
    ];

    pub(crate) fn path(self) -> String {
        format!("/{}/{self:?}", Echo::NAME)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A panic instead of a response.
    Panic,
    /// No response, and no end.
    Stalled,
    /// After the first message, and before the trailers of a response with only one.
    StreamPanics,
    StreamFails,
    StreamStalls,
}

impl Fault {
    const ALL: [Self; 5] = [
        Self::Panic,
        Self::Stalled,
        Self::StreamPanics,
        Self::StreamFails,
        Self::StreamStalls,
    ];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    fn of<B>(request: &Request<B>) -> Option<Self> {
        let name = request.headers().get(FAULT)?;
        Self::ALL.into_iter().find(|fault| *name == fault.name())
    }
}

#[derive(Clone)]
pub(crate) struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        respond(request).map(Ok).boxed()
    }
}

async fn respond(request: Request<Body>) -> Response<Body> {
    let fault = Fault::of(&request);
    match fault {
        Some(Fault::Panic) => panic!("{FAULT}"),
        Some(Fault::Stalled) => pending().await,
        _ => {}
    }
    let sent = request.headers().get(SENT).cloned();
    let path = request.uri().path().to_owned();
    let call = Call::ALL.into_iter().find(|call| call.path() == path);
    let mut grpc = Grpc::new(Text);
    let mut response = match call {
        Some(Call::Unary) => grpc.unary(service_fn(unary), request).await,
        Some(Call::ClientStream) => {
            let service = service_fn(client_stream);
            grpc.client_streaming(service, request).await
        }
        Some(Call::ServerStream) => {
            let service = service_fn(server_stream);
            grpc.server_streaming(service, request).await
        }
        Some(Call::Bidirectional) => grpc.streaming(service_fn(bidirectional), request).await,
        None => Status::unimplemented("no such method").into_http(),
    };
    if let Some(sent) = &sent {
        response.headers_mut().insert(IN_HEAD, sent.clone());
    }
    response.map(|body| {
        Body::new(Frames {
            body,
            fault,
            begun: false,
            sent,
        })
    })
}

type Answer<T> = Result<tonic::Response<T>, Status>;

async fn unary(request: tonic::Request<String>) -> Answer<String> {
    Ok(tonic::Response::new(request.into_inner()))
}

async fn client_stream(request: tonic::Request<Streaming<String>>) -> Answer<String> {
    let messages: Vec<_> = request.into_inner().try_collect().await?;
    Ok(tonic::Response::new(messages.join(",")))
}

async fn server_stream(
    request: tonic::Request<String>,
) -> Answer<impl Stream<Item = Result<String, Status>> + Send> {
    let messages: Vec<_> = request.into_inner().split(',').map(str::to_owned).collect();
    Ok(tonic::Response::new(paused(stream::iter(
        messages.into_iter().map(Ok),
    ))))
}

async fn bidirectional(
    request: tonic::Request<Streaming<String>>,
) -> Answer<impl Stream<Item = Result<String, Status>> + Send> {
    Ok(tonic::Response::new(paused(request.into_inner())))
}

/// With a pause before each message: tonic sends those that are ready together.
fn paused<T: Send>(messages: impl Stream<Item = T> + Send) -> impl Stream<Item = T> + Send {
    messages.then(async |message| {
        tokio::task::yield_now().await;
        message
    })
}

/// The frames of a response, up to where it fails, and with a trailer of its own.
struct Frames {
    body: Body,
    fault: Option<Fault>,
    begun: bool,
    sent: Option<HeaderValue>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.fault {
            Some(Fault::StreamPanics) if self.begun => panic!("{FAULT}"),
            Some(Fault::StreamFails) if self.begun => return Poll::Ready(Some(Err(FAULT.into()))),
            Some(Fault::StreamStalls) if self.begun => return Poll::Pending,
            _ => {}
        }
        let mut frame = ready!(Pin::new(&mut self.body).poll_frame(cx)?);
        self.begun = true;
        let trailers = frame.as_mut().and_then(Frame::trailers_mut);
        if let (Some(trailers), Some(sent)) = (trailers, &self.sent) {
            trailers.insert(IN_TRAILERS, sent.clone());
        }
        Poll::Ready(frame.map(Ok))
    }
}

/// A codec: a message is a text.
#[derive(Clone, Copy)]
pub(crate) struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, message: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(message.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining()).into();
        let text = String::from_utf8(bytes);
        text.map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
