//! The server, over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod access_log;
mod bodies;
#[cfg(feature = "tls")]
mod certificates;
mod child;
mod connect;
mod content;
mod contract;
mod defaults;
mod ending;
mod exchange;
mod heads;
mod leaving;
mod limits;
mod lingering;
mod probes;
mod protocols;
mod proxy_protocol;
mod rejections;
#[cfg(feature = "tls")]
mod secure;
mod services;
mod sockets;
#[cfg(feature = "tls")]
mod tls;
mod tunnels;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tower::{BoxError, Service, service_fn, util::BoxCloneService};
use tower_serve::{Address, RequestBody, Server, Shutdown, ShutdownTrigger};

/// The longest time that a test waits.
const PATIENCE: Duration = Duration::from_secs(10);

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Returns a server on a port that the system chooses.
fn server() -> Server {
    Server::new("127.0.0.1:0".parse::<Address>().unwrap())
}

struct Running {
    address: SocketAddr,
    trigger: ShutdownTrigger,
    task: JoinHandle<io::Result<()>>,
}

async fn run<S, B>(server: Server, service: S) -> Running
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let bound = server.bind().await.unwrap();
    let url = bound.addresses().next().unwrap();
    let (_, address) = url.split_once("://").unwrap();
    let address = address.parse().unwrap();
    let (trigger, shutdown) = Shutdown::manual();
    let task = tokio::spawn(bound.serve(service, shutdown));
    Running {
        address,
        trigger,
        task,
    }
}

impl Running {
    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Returns the response to one request on a connection of its own.
    async fn get(&self, path: &str) -> String {
        self.connect().await.get(path).await
    }

    async fn ended(self) -> io::Result<()> {
        timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}

struct Client<S = TcpStream>(S);

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Client<S> {
    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn get(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        self.response().await
    }

    /// Returns a head, and as much of a body as it states.
    async fn response(&mut self) -> String {
        let mut text = self.head().await;
        let length = text.lines().find_map(|line| {
            let length = line.strip_prefix("content-length: ")?;
            length.parse().ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        timeout(PATIENCE, self.0.read_exact(&mut body))
            .await
            .unwrap()
            .unwrap();
        text.push_str(&String::from_utf8(body).unwrap());
        text
    }

    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, self.0.read_u8()).await.unwrap();
            head.push(byte.unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&head))
            }));
        }
        String::from_utf8(head).unwrap()
    }

    /// Returns the bytes until the server closes the connection, and the time until then.
    async fn rest(&mut self) -> (Vec<u8>, Duration) {
        let start = Instant::now();
        let mut rest = Vec::new();
        // If the server has not read all bytes, a reset is the end.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the connection is open");
        (rest, start.elapsed())
    }

    /// Returns whether nothing comes for this time, and the connection stays open.
    async fn is_silent_for(&mut self, time: Duration) -> bool {
        let mut byte = [0];
        timeout(time, self.0.read(&mut byte)).await.is_err()
    }
}

type BoxService = BoxCloneService<Request<RequestBody>, Response<Body>, Infallible>;

/// Returns a service that responds with the body that this function returns.
fn service<F, Fut>(respond: F) -> BoxService
where
    F: Fn(Request<RequestBody>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Body> + Send + 'static,
{
    let respond = Arc::new(respond);
    BoxCloneService::new(service_fn(move |request| {
        let body = respond(request);
        async move { Ok(Response::new(body.await)) }
    }))
}

/// Returns a service that responds with the path.
fn echo_path() -> BoxService {
    service(async |request: Request<RequestBody>| Body::from(request.uri().path().to_owned()))
}

/// Sends a message when it is dropped.
struct Bomb(Option<oneshot::Sender<()>>);

fn bomb() -> (Bomb, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    (Bomb(Some(sender)), receiver)
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(());
        }
    }
}
