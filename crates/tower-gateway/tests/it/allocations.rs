//! The allocations of a request that a web server sends over FastCGI, all of the server's included.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH};
use http_body_util::Full;
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};
use tower::service_fn;
use tower_gateway::{RequestBody, Server};

use super::front::record;

/// Returns a GET as nginx sends it with Debian's fastcgi_params, and with these variables.
fn get(more: &[(&str, &str)]) -> Vec<u8> {
    let mut params = Vec::new();
    for (name, value) in [
        ("QUERY_STRING", "a=b"),
        ("REQUEST_METHOD", "GET"),
        ("CONTENT_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("SCRIPT_NAME", "/page"),
        ("REQUEST_URI", "/page?a=b"),
        ("DOCUMENT_URI", "/page"),
        ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("REMOTE_PORT", "50000"),
        ("REMOTE_USER", ""),
        ("SERVER_ADDR", "192.0.2.2"),
        ("SERVER_PORT", "80"),
        ("SERVER_NAME", "example.org"),
        ("REDIRECT_STATUS", "200"),
        ("HTTP_HOST", "example.org"),
        ("HTTP_USER_AGENT", "Mozilla/5.0"),
        ("HTTP_ACCEPT", "*/*"),
    ]
    .iter()
    .chain(more)
    {
        params.extend([name.len(), value.len()].map(|length| u8::try_from(length).unwrap()));
        params.extend(name.bytes().chain(value.bytes()));
    }
    let begin = [0, 1, 1, 0, 0, 0, 0, 0];
    [
        record(1, 1, &begin),
        record(4, 1, &params),
        record(4, 1, b""),
        record(5, 1, b""),
    ]
    .concat()
}

/// Sends requests on one connection, one after the other.
fn ask(address: SocketAddr, request: &[u8], count: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    for _ in 0..count {
        stream.write_all(request).unwrap();
        loop {
            let mut header = [0; 8];
            stream.read_exact(&mut header).unwrap();
            let length = u16::from_be_bytes([header[4], header[5]]);
            let mut content = vec![0; usize::from(length) + usize::from(header[6])];
            stream.read_exact(&mut content).unwrap();
            if header[1] == 3 {
                break;
            }
        }
    }
}

/// Returns the allocations of a server that serves so many requests.
fn allocations(request: &[u8], count: usize) -> u64 {
    let content = Bytes::from(vec![b'x'; 1024]);
    let service = service_fn(move |request: Request<RequestBody>| {
        drop(request);
        let mut response = Response::new(Full::new(content.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, http::HeaderValue::from_static("1024"));
        async { Ok::<_, Infallible>(response) }
    });
    let request = request.to_vec();
    let measured = allocation_counter::measure(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (end, ended) = oneshot::channel::<()>();
            let client = thread::spawn(move || {
                ask(address, &request, count);
                drop(end);
            });
            let server = Server::new().end_with(async {
                let _ = ended.await;
            });
            server.fastcgi(listener, service).await.unwrap();
            client.join().unwrap();
        });
    });
    measured.count_total
}

/// Returns the allocations of one request on a connection that has had others. Those of the server
/// itself differ by a few from one time to the next.
fn of_one(more: &[(&str, &str)]) -> u64 {
    let request = get(more);
    let least = |count| (0..3).map(|_| allocations(&request, count)).min().unwrap();
    let (short, long) = (least(10), least(110));
    (long - short + 50) / 100
}

/// The client's address and the scheme in the extensions take four, the maps of headers of the
/// request and of the response two each, and `Accept` one, for the format of an error.
#[test]
fn gateway_33_a_request_takes_few_allocations() {
    assert_eq!(of_one(&[]), 9);
    // Values are not copied, and names that are known take none.
    let known = [("HTTP_ACCEPT_LANGUAGE", "en"), ("HTTP_REFERER", "/")];
    assert_eq!(of_one(&known), 9);
    assert_eq!(of_one(&[("HTTP_X_OWN", "1")]), 10);
}
