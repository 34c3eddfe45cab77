//! The server, over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod bodies;
mod child;
mod content;
mod contract;
mod defaults;
mod ending;
mod heads;
mod leaving;
mod limits;
mod protocols;
mod sockets;

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tower::{BoxError, Service, service_fn};
use tower_serve::{Address, RequestBody, Server, Shutdown, ShutdownTrigger};

/// What the tests wait for at most.
const PATIENCE: Duration = Duration::from_secs(10);

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// On a port that the system chooses.
fn server() -> Server {
    Server::new("127.0.0.1:0".parse::<Address>().unwrap())
}

struct Running {
    address: SocketAddr,
    trigger: ShutdownTrigger,
    task: JoinHandle<io::Result<()>>,
}

async fn run<S, B>(server: Server, app: S) -> Running
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let bound = server.bind().await.unwrap();
    let url = bound.addresses().next().unwrap();
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    let (trigger, shutdown) = Shutdown::manual();
    let task = tokio::spawn(bound.serve(app, shutdown));
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

    /// The answer to one request on a connection of its own.
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
    }

    async fn get(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        self.answer().await
    }

    /// A head, and as much of a body as it says.
    async fn answer(&mut self) -> String {
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

    /// What comes until the server closes the connection, and how long that takes.
    async fn rest(&mut self) -> (Vec<u8>, Duration) {
        let start = Instant::now();
        let mut rest = Vec::new();
        // Bytes that the server has not read make a reset of the end.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the connection is open");
        (rest, start.elapsed())
    }

    /// Nothing comes, and the connection is open.
    async fn is_silent_for(&mut self, time: Duration) -> bool {
        let mut byte = [0];
        timeout(time, self.0.read(&mut byte)).await.is_err()
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// An app that is this function.
fn app<F, Fut>(
    answer: F,
) -> impl Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible, Future = Answer>
+ Clone
+ Send
+ 'static
where
    F: Fn(Request<RequestBody>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Body> + Send + 'static,
{
    let answer = Arc::new(answer);
    service_fn(move |request| {
        let body = answer(request);
        Box::pin(async move { Ok(Response::new(body.await)) }) as Answer
    })
}

/// Says the path.
fn echo_path()
-> impl Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible, Future = Answer>
+ Clone
+ Send
+ 'static {
    app(async |request: Request<RequestBody>| Body::from(request.uri().path().to_owned()))
}

/// Tells when it is dropped.
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
