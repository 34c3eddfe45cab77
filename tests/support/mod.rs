//! A server on a port of its own, and clients for it.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::task::JoinHandle;
use tower::{BoxError, Service};
use tower_serve::{Address, RequestBody, Shutdown, ShutdownTrigger};

/// The versions that every test goes through.
pub(crate) const VERSIONS: [Http; 2] = [Http::One, Http::Two];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Http {
    One,
    Two,
}

pub(crate) struct Server {
    address: SocketAddr,
    end: ShutdownTrigger,
    task: JoinHandle<std::io::Result<()>>,
}

/// The response.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The bytes, or the error that broke the body off.
    pub(crate) body: Result<Bytes, hyper::Error>,
}

impl Got {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.body.as_ref().unwrap()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    pub(crate) async fn start<S, B>(app: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let server = tower_serve::Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
        let server = server.bind().await.unwrap();
        let address = server.addresses().next().unwrap();
        let address = address.strip_prefix("http://").unwrap().parse().unwrap();
        let (end, shutdown) = Shutdown::manual();
        let task = tokio::spawn(server.serve(app, shutdown));
        Self { address, end, task }
    }

    /// Ends it, and returns whether all requests were finished.
    pub(crate) async fn stop(self) -> std::io::Result<()> {
        self.end.signal();
        self.task.await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        version: Http,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Got {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        self.request(version, request.body(Full::new(body.into())).unwrap())
            .await
    }

    pub(crate) async fn get(&self, version: Http, path: &str) -> Got {
        self.send(version, Method::GET, path, "").await
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn request<B>(&self, version: Http, request: Request<B>) -> Got
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(version == Http::Two)
            .build_http();
        let (parts, body) = client.request(request).await.unwrap().into_parts();
        Got {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.map(|body| body.to_bytes()),
        }
    }
}
