//! A web server in front of a service: it sends what a test says, and multiplexes.

use std::{convert::Infallible, io, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tower::{BoxError, Layer, Service, service_fn};
use tower_gateway::{RequestBody, Server};
use tower_lint::LintLayer;

/// The longest time that a test waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A service that is served, watched by tower-lint. It ends when it is dropped.
pub(crate) struct Served {
    pub(crate) address: String,
    pub(crate) end: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<io::Result<()>>,
}

impl Served {
    pub(crate) async fn fastcgi<S>(server: Server, service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<Body>, Error: Into<BoxError>>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        S::Error: Send,
    {
        Self::start(server, |server, listener| {
            let service = LintLayer::new().layer(service);
            tokio::spawn(async move { server.fastcgi(listener, service).await })
        })
        .await
    }

    pub(crate) async fn scgi<S>(server: Server, service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<Body>, Error: Into<BoxError>>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        S::Error: Send,
    {
        Self::start(server, |server, listener| {
            let service = LintLayer::new().layer(service);
            tokio::spawn(async move { server.scgi(listener, service).await })
        })
        .await
    }

    async fn start(
        server: Server,
        spawn: impl FnOnce(Server, TcpListener) -> JoinHandle<io::Result<()>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (end, ended) = oneshot::channel::<()>();
        let server = server.end_with(async move {
            if ended.await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        Self {
            address,
            end: Some(end),
            task: spawn(server, listener),
        }
    }

    pub(crate) async fn connect(&self) -> Front {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        Front { stream }
    }

    /// Sends the signal to end.
    pub(crate) fn signal(&mut self) {
        self.end.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn ended(mut self) -> io::Result<()> {
        timeout(PATIENCE, &mut self.task).await.unwrap().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns a service that never fails.
pub(crate) fn service<F>(
    respond: impl Fn(Request<RequestBody>) -> F + Clone + Send + 'static,
) -> impl Service<
    Request<RequestBody>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send
+ 'static
where
    F: Future<Output = Response<Body>> + Send,
{
    service_fn(move |request| {
        let responding = respond(request);
        async move { Ok(responding.await) }
    })
}

/// Returns a service that responds with the body of the request.
pub(crate) fn echo() -> impl Service<
    Request<RequestBody>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send,
> + Clone
+ Send
+ 'static {
    service(async |request: Request<RequestBody>| Response::new(Body::new(request.into_body())))
}

/// A record of FastCGI.
pub(crate) fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let [id1, id0] = id.to_be_bytes();
    let [length1, length0] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut record = vec![1, kind, id1, id0, length1, length0, 0, 0];
    record.extend(content);
    record
}

/// Lines such as `A=1` as pairs of FastCGI.
pub(crate) fn pairs(lines: &[&str]) -> Vec<u8> {
    let mut pairs = Vec::new();
    for line in lines {
        let (name, value) = line.split_once('=').unwrap();
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length @ 0..128) => pairs.push(length),
                _ => pairs.extend((text.len() as u32 | 1 << 31).to_be_bytes()),
            }
        }
        pairs.extend(name.bytes().chain(value.bytes()));
    }
    pairs
}

/// The records of a request, up to the end of its variables.
pub(crate) fn head(id: u16, keep: bool, lines: &[&str]) -> Vec<u8> {
    let begin = record(1, id, &[0, 1, u8::from(keep), 0, 0, 0, 0, 0]);
    let params = record(4, id, &pairs(lines));
    [begin, params, record(4, id, b"")].concat()
}

/// The records of a whole GET.
pub(crate) fn get(id: u16, keep: bool, path: &str) -> Vec<u8> {
    let uri = format!("REQUEST_URI={path}");
    let head = head(id, keep, &["REQUEST_METHOD=GET", &uri]);
    [head, record(5, id, b"")].concat()
}

/// A response of FastCGI.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) stdout: Vec<u8>,
    /// The status of the protocol. `None` if the connection was closed before it.
    pub(crate) end: Option<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn body(&self) -> String {
        let text = self.text();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

/// A connection of a web server.
pub(crate) struct Front {
    pub(crate) stream: TcpStream,
}

impl Front {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Returns the next record, or `None` at the end of the connection.
    pub(crate) async fn record(&mut self) -> Option<(u8, u16, Vec<u8>)> {
        let mut header = [0; 8];
        let read = timeout(PATIENCE, self.stream.read_exact(&mut header)).await;
        read.expect("a record in time").ok()?;
        assert_eq!(header[0], 1, "version 1");
        let length = u16::from_be_bytes([header[4], header[5]]);
        let mut content = vec![0; usize::from(length) + usize::from(header[6])];
        self.stream.read_exact(&mut content).await.ok()?;
        content.truncate(length.into());
        Some((
            header[1],
            u16::from_be_bytes([header[2], header[3]]),
            content,
        ))
    }

    /// Returns the response to a request. No record may be of another one.
    pub(crate) async fn reply(&mut self, id: u16) -> Reply {
        let mut reply = Reply::default();
        while let Some((kind, found, content)) = self.record().await {
            assert_eq!(found, id, "a record of this request");
            match kind {
                6 => {
                    assert!(!content.is_empty(), "an empty STDOUT is its end");
                    reply.stdout.extend(content);
                }
                3 => {
                    assert_eq!(content.len(), 8);
                    reply.end = Some(content[4]);
                    return reply;
                }
                kind => panic!("a record of type {kind}"),
            }
        }
        reply
    }

    /// Returns what comes until the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        read.expect("the end of the connection in time").unwrap();
        rest
    }

    /// Returns whether the connection is still open and silent after a moment.
    pub(crate) async fn is_silent(&mut self) -> bool {
        let mut byte = [0];
        let read = self.stream.read(&mut byte);
        timeout(Duration::from_millis(100), read).await.is_err()
    }
}
