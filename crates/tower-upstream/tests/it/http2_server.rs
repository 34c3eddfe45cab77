//! A server of HTTP/2 without TLS, which notes what it gets.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use super::Body;

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) version: Version,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
}

/// A server that echoes bodies with their trailers. Its `Display` is its URL.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Builder = http2::Builder<TokioExecutor>;

impl Server {
    pub(crate) async fn start(change: impl Fn(&mut Builder) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            seen: Arc::default(),
        };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let mut builder = Builder::new(TokioExecutor::new());
                change(&mut builder);
                server.clone().serve(stream, builder);
            }
        });
        this
    }

    #[cfg(unix)]
    pub(crate) fn over_unix(listener: tokio::net::UnixListener) -> Self {
        let this = Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            accepted: Arc::default(),
            seen: Arc::default(),
        };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server
                    .clone()
                    .serve(stream, Builder::new(TokioExecutor::new()));
            }
        });
        this
    }

    fn serve<S>(self, stream: S, builder: Builder)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, hyper::Error>(server.respond(request).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        self.seen.lock().unwrap().push(Seen {
            version: parts.version,
            uri: parts.uri.to_string(),
            headers: parts.headers,
        });
        match path.as_str() {
            "/slow" => tokio::time::sleep(Duration::from_millis(100)).await,
            "/endless" => {
                let frames = stream::repeat_with(|| {
                    Ok::<_, hyper::Error>(Frame::data(Bytes::from_static(&[b'x'; 16_384])))
                });
                return Response::new(Body::new(StreamBody::new(frames)));
            }
            _ => {}
        }
        Response::new(Body::new(body.map_err(|error| error)))
    }

    /// Returns the only request so far.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}
