//! Calls through tower-upstream: what a client sees is what it would see without the proxy.

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::join_all;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use rcgen::generate_simple_self_signed;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Code, Status};
use tower::{BoxError, ServiceExt, service_fn};
use tower_serve::{Address, RequestBody, Server, Shutdown, Tls};
use tower_upstream::{Protocol, Tls as ClientTls, Upstream};

use crate::{
    client::{Client, Options, Reply, Wire},
    echo::{Call, Echo, Fault, IN_HEAD, IN_TRAILERS},
    server::{App, Host, boxed, translated},
    table::quiet,
};

/// As long as a cancellation may take to reach the server.
const AT_ONCE: Duration = Duration::from_millis(50);

/// How the proxy reaches the server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hop {
    H2c(Host),
    Tls,
}

const HOPS: [Hop; 3] = [Hop::H2c(Host::Tonic), Hop::H2c(Host::Serve), Hop::Tls];

/// A service, by itself and behind the proxy.
struct Both {
    direct: SocketAddr,
    proxied: SocketAddr,
}

impl Both {
    async fn start(hop: Hop, layers: impl Fn(App) -> App + Clone + Send + 'static) -> Self {
        let (direct, upstream) = match hop {
            Hop::H2c(host) => {
                let direct = host.serve(layers).await;
                let upstream = Upstream::new(format!("http://{direct}")).unwrap();
                (direct, upstream.protocol(Protocol::Http2))
            }
            Hop::Tls => {
                let certificate = Certificate::new();
                let app = layers(boxed(tonic::service::Routes::new(Echo)));
                let secure = serve(app.clone(), Some(certificate.server())).await;
                let upstream = Upstream::new(format!("https://localhost:{}", secure.port()));
                let upstream = upstream.unwrap().tls(certificate.client());
                (serve(app, None).await, upstream)
            }
        };
        let upstream = upstream.header_timeout(Duration::from_secs(9));
        let proxied = serve(boxed(upstream), None).await;
        Self { direct, proxied }
    }

    fn clients(&self, wire: Wire) -> [Client; 2] {
        [self.direct, self.proxied].map(|address| Client::new(wire, address))
    }
}

async fn serve(app: App, tls: Option<Tls>) -> SocketAddr {
    let mut server = Server::new(Address::Tcp("127.0.0.1:0".to_owned()));
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    let server = server.bind().await.unwrap();
    let address = server.addresses().next().unwrap();
    let (_, address) = address.split_once("://").unwrap();
    let address = address.parse().unwrap();
    let app = app.map_request(|request: Request<RequestBody>| request.map(Body::new));
    let app = app.map_err(|error| -> Infallible { panic!("{error}") });
    let (end, shutdown) = Shutdown::manual();
    // It runs until the test ends.
    std::mem::forget(end);
    tokio::spawn(server.serve(app, shutdown));
    address
}

/// A certificate for `localhost`, in a directory that is removed in the end.
struct Certificate(PathBuf);

impl Certificate {
    fn new() -> Self {
        let number = rand_name();
        let path = std::env::temp_dir().join(format!("grpc-tls-{number}"));
        fs::create_dir_all(&path).unwrap();
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, kind, der) in [
            ("cert", "CERTIFICATE", made.cert.der().to_vec()),
            ("key", "PRIVATE KEY", made.signing_key.serialize_der()),
        ] {
            let text = BASE64_STANDARD.encode(der);
            let text = format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
            fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    fn server(&self) -> Tls {
        Tls::new(self.0.join("cert"), self.0.join("key")).unwrap()
    }

    fn client(&self) -> ClientTls {
        ClientTls::new().ca(self.0.join("cert")).unwrap()
    }
}

fn rand_name() -> String {
    format!("{}-{:?}", std::process::id(), std::thread::current().id())
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a client sees of a call, without the time of day.
fn seen(reply: Reply) -> String {
    let head = reply.head.map(|mut head| {
        head.headers.remove("date");
        (head.status, head.version, sorted(&head.headers))
    });
    let mut metadata = reply.metadata.into_headers();
    metadata.remove("date");
    format!(
        "{:?} {:?} {:?} {head:?} {:?}",
        reply.code,
        reply.message,
        reply.messages,
        sorted(&metadata)
    )
}

fn sorted(headers: &http::HeaderMap) -> Vec<String> {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}"));
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

/// Upstreams that speak gRPC, and upstreams that speak gRPC-Web, over HTTP/2 both.
#[tokio::test]
async fn a_proxied_call_is_as_a_direct_one() {
    for hop in HOPS {
        for wire in [Wire::Grpc, Wire::Web, Wire::WebText] {
            let layers = move |app| match wire {
                Wire::Grpc => app,
                Wire::Web | Wire::WebText => translated(app),
            };
            let both = Both::start(hop, layers).await;
            let [direct, proxied] = both.clients(wire);
            for call in Call::ALL {
                let what = format!("{hop:?} {wire:?} {call:?}");
                let expected = direct.call(call, &call.path(), Options::default()).await;
                assert_eq!(expected.code, Code::Ok, "{what}");
                let got = proxied.call(call, &call.path(), Options::default()).await;
                assert_eq!(got.metadata(IN_HEAD), Some("sent"), "{what}");
                assert_eq!(got.metadata(IN_TRAILERS), Some("sent"), "{what}");
                assert_eq!(seen(got), seen(expected), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_passes_all_streams_at_once() {
    for hop in HOPS {
        let both = Both::start(hop, |app| app).await;
        let [_, proxied] = both.clients(Wire::Grpc);
        let calls = (0..100).flat_map(|_| Call::ALL).map(async |call| {
            let reply = proxied.call(call, &call.path(), Options::default()).await;
            assert_eq!(reply.code, Code::Ok, "{hop:?} {call:?}: {reply:?}");
            assert_eq!(reply.metadata(IN_TRAILERS), Some("sent"));
            let expected: &[&str] = match call {
                Call::Unary | Call::ClientStream => &["one,two,three"],
                Call::ServerStream | Call::Bidirectional => &["one", "two", "three"],
            };
            assert_eq!(reply.messages, expected);
        });
        join_all(calls).await;
    }
}

/// A method of each status, with a message and metadata.
fn statuses(app: App) -> App {
    boxed(service_fn(move |request: Request<Body>| {
        let app = app.clone();
        async move {
            let path = request.uri().path();
            let Some(code) = path.strip_prefix("/test.Echo/Status") else {
                return app.oneshot(request).await;
            };
            let code = Code::from(code.parse::<i32>()?);
            let mut status = Status::with_details(code, "na\u{ef}ve 100%\n", "details".into());
            let metadata = status.metadata_mut();
            metadata.insert("x-user.id_2", "7".parse()?);
            Ok::<_, BoxError>(status.into_http::<Body>())
        }
    }))
}

#[tokio::test]
async fn a_proxied_error_is_as_a_direct_one() {
    for hop in HOPS {
        let both = Both::start(hop, statuses).await;
        let [direct, proxied] = both.clients(Wire::Grpc);
        for code in 1..=16 {
            let path = format!("/test.Echo/Status{code}");
            for call in Call::ALL {
                let expected = direct.call(call, &path, Options::default()).await;
                assert_eq!(expected.code, Code::from(code));
                let got = proxied.call(call, &path, Options::default()).await;
                assert_eq!(seen(got), seen(expected), "{hop:?} {call:?}");
            }
        }
        let path = "/test.Echo/Missing";
        let expected = direct.call(Call::Unary, path, Options::default()).await;
        let got = proxied.call(Call::Unary, path, Options::default()).await;
        assert_eq!(got.code, Code::Unimplemented);
        assert_eq!(seen(got), seen(expected), "{hop:?}");
    }
}

/// A stream that breaks off is no good end, and has the status that it has without the proxy.
#[tokio::test]
async fn a_proxied_fault_is_as_a_direct_one() {
    quiet();
    for hop in HOPS {
        let both = Both::start(hop, |app| app).await;
        let [direct, proxied] = both.clients(Wire::Grpc);
        for fault in [Fault::StreamPanics, Fault::StreamFails] {
            for call in Call::ALL {
                let options = Options {
                    fault: Some(fault),
                    ..Options::default()
                };
                let expected = direct.call(call, &call.path(), options).await;
                let got = proxied.call(call, &call.path(), options).await;
                let what = format!("{hop:?} {fault:?} {call:?}: {got:?} {expected:?}");
                assert_ne!(got.code, Code::Ok, "{what}");
                // A stream that is reset before its head has arrived is a 502.
                let head = got.head.as_ref();
                let is_502 = head.is_some_and(|head| head.headers.contains_key("grpc-status"));
                match is_502 {
                    true => assert_eq!(got.code, Code::Unavailable, "{what}"),
                    false => assert_eq!(got.code, expected.code, "{what}"),
                }
            }
        }
    }
}

/// A server that cannot be reached is unavailable.
#[tokio::test]
async fn a_proxy_without_a_server_is_unavailable() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let upstream = Upstream::new(format!("http://{address}")).unwrap();
    let proxied = serve(boxed(upstream.protocol(Protocol::Http2)), None).await;
    for wire in [Wire::Grpc, Wire::Web, Wire::WebText] {
        for call in Call::ALL {
            let client = Client::new(wire, proxied);
            let reply = client.call(call, &call.path(), Options::default()).await;
            assert_eq!(reply.code, Code::Unavailable, "{wire:?} {call:?}");
            assert!(reply.speaks(wire), "{wire:?} {call:?}");
        }
    }
}

/// Notes when the future or the body of a response is dropped.
struct Dropped(mpsc::UnboundedSender<Instant>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(Instant::now());
    }
}

struct Guarded {
    body: Body,
    _guard: Dropped,
}

impl http_body::Body for Guarded {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[tokio::test]
async fn a_proxied_call_is_cancelled_at_once() {
    for hop in HOPS {
        let (sender, mut dropped) = mpsc::unbounded_channel();
        let both = Both::start(hop, move |app: App| {
            let sender = sender.clone();
            boxed(service_fn(move |request: Request<Body>| {
                let (app, guard) = (app.clone(), Dropped(sender.clone()));
                async move {
                    let response: Response<Body> = app.oneshot(request).await?;
                    let body = |body| Guarded {
                        body,
                        _guard: guard,
                    };
                    Ok::<_, BoxError>(response.map(body))
                }
            }))
        })
        .await;
        let [_, proxied] = both.clients(Wire::Grpc);
        for fault in [Fault::Stalled, Fault::StreamStalls] {
            for call in Call::ALL {
                let options = Options {
                    fault: Some(fault),
                    ..Options::default()
                };
                let path = call.path();
                let call_it = proxied.call(call, &path, options);
                let patience = Duration::from_millis(300);
                assert!(
                    timeout(patience, call_it).await.is_err(),
                    "{call:?} has no end"
                );
                let left = Instant::now();
                let seen = timeout(Duration::from_secs(9), dropped.recv()).await;
                let seen = seen.expect("the server sees it").unwrap();
                let time = seen.saturating_duration_since(left);
                assert!(time < AT_ONCE, "{hop:?} {fault:?} {call:?}: {time:?}");
            }
        }
    }
}
