//! Uploads that the service does not read, and what the client sees of the response.

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use socket2::SockRef;
use tokio::sync::mpsc;

use super::{exchange::connect_2, *};

const MANY: usize = 4 << 20;

/// Returns a service that refuses every upload without reading it.
fn refusing() -> BoxService {
    BoxCloneService::new(service_fn(async |_| {
        let mut response = Response::new(Body::from("too large"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        Ok(response)
    }))
}

/// Sends a whole upload before it reads, as Python's http.client does. Returns the response.
async fn upload(server: &Running, bytes: usize) -> io::Result<String> {
    let mut client = server.connect().await;
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {bytes}\r\n\r\n");
    client.send(head).await;
    client.0.write_all(&vec![b'x'; bytes]).await?;
    let mut response = String::new();
    client.0.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_20_a_client_that_reads_last_gets_its_response() {
    let server = run(server(), refusing()).await;
    for _ in 0..20 {
        let response = upload(&server, MANY).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
        assert!(response.ends_with("too large"), "{response}");
    }
}

#[tokio::test]
async fn serve_20_what_has_been_read_in_part_is_read_on() {
    let service = service(async |request: Request<RequestBody>| {
        let mut body = request.into_body();
        body.frame().await.unwrap().unwrap();
        Body::from("enough")
    });
    let server = run(server(), service).await;
    let response = upload(&server, MANY).await.unwrap();
    assert!(response.ends_with("enough"), "{response}");
}

#[tokio::test]
async fn serve_20_an_endless_upload_ends_at_the_limit() {
    let limit = 1 << 20;
    let server = server().lingering_bytes(limit);
    let server = run(server, refusing()).await;
    let mut client = server.connect().await;
    // Otherwise the buffers of the system take more than the limit.
    let small = 64 << 10;
    SockRef::from(&client.0)
        .set_send_buffer_size(small)
        .unwrap();
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let mut sent = 0;
    let ended = async {
        while client.0.write_all(chunk.as_bytes()).await.is_ok() {
            sent += chunk.len() as u64;
        }
    };
    timeout(PATIENCE, ended).await.unwrap();
    assert!(sent > limit && sent < limit + (16 << 20), "{sent}");
}

#[tokio::test]
async fn serve_20_a_client_that_stops_sending_is_not_waited_for() {
    let server = server().lingering_time(ms(200));
    let server = run(server.connections(1), refusing()).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx")
        .await;
    let (rest, time) = client.rest().await;
    // The writing side is closed at once.
    assert!(rest.ends_with(b"too large"), "{rest:?}");
    assert!(time < ms(190), "{time:?}");
    // The connection counts until the time is over.
    let start = Instant::now();
    server.get("/").await;
    assert!(start.elapsed() > ms(50), "{:?}", start.elapsed());
}

#[tokio::test]
async fn serve_20_nothing_is_waited_for_after_a_request_that_was_read() {
    let (calls, mut called) = mpsc::unbounded_channel();
    let reads = service(move |request: Request<RequestBody>| {
        calls.send(()).unwrap();
        async { Body::from(request.into_body().collect().await.unwrap().to_bytes()) }
    });
    let server = run(server().connections(1), reads).await;
    for _ in 0..2 {
        let mut client = server.connect().await;
        client
            .send("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc")
            .await;
        assert!(client.rest().await.0.ends_with(b"abc"));
        called.recv().await.unwrap();
        // The client does not close, and the next one gets the only slot.
        std::mem::forget(client);
    }
}

/// Content that has come with its head is skipped, and the connection is idle after it.
#[tokio::test]
async fn serve_20_a_connection_that_is_idle_after_an_upload_is_closed_at_once() {
    let server = run(server(), refusing()).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    client.response().await;
    tokio::time::sleep(ms(50)).await;
    let start = Instant::now();
    server.trigger.signal();
    server.ended().await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(client.rest().await.0, b"");
}

/// The upload is slower than the response, and its bytes come after the connection has waited.
#[tokio::test]
async fn serve_20_a_slow_upload_is_read_on() {
    let server = run(server(), refusing()).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 400000\r\n\r\n")
        .await;
    for _ in 0..4 {
        tokio::time::sleep(ms(30)).await;
        client.send(vec![b'x'; 100_000]).await;
    }
    let (response, _) = client.rest().await;
    assert!(response.ends_with(b"too large"), "{response:?}");
}

#[tokio::test]
async fn serve_20_the_response_to_a_head_that_is_too_large_arrives() {
    let server = run(server(), refusing()).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n").await;
    client.send("x: ".to_owned() + &"y".repeat(MANY)).await;
    let (response, _) = client.rest().await;
    let response = String::from_utf8(response).unwrap();
    assert!(response.starts_with("HTTP/1.1 431 "), "{response:?}");
}

#[tokio::test]
async fn serve_20_a_tunnel_is_read_by_its_service_only() {
    let service = service_fn(async |mut request: Request<RequestBody>| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut tunnel = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
            tunnel.write_all(b"bye").await.unwrap();
            tunnel.shutdown().await.unwrap();
            let mut rest = String::new();
            tunnel.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "late");
        });
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let server = run(server(), service).await;
    let mut client = server.connect().await;
    client
        .send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n")
        .await;
    client.head().await;
    assert_eq!(client.rest().await.0, b"bye");
    client.send("late").await;
}

/// Uploads over HTTP/2 and returns the response's text, or the error of the response's stream.
async fn upload_2(server: &Running, bytes: usize) -> Result<String, hyper::Error> {
    let mut sender = connect_2(server).await;
    let body = Full::new(Bytes::from(vec![b'x'; bytes]));
    let request = Request::post("http://a/").body(body).unwrap();
    let response = sender.send_request(request).await?;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let text = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(text.into()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_21_an_upload_over_http_2_gets_its_response() {
    let server = run(server(), refusing()).await;
    for bytes in [10, 100_000, MANY] {
        for _ in 0..20 {
            assert_eq!(upload_2(&server, bytes).await.unwrap(), "too large");
        }
    }
}

/// Returns how many bytes of an endless upload over HTTP/2 are taken.
async fn taken_2(server: Server) -> usize {
    let server = run(server, refusing()).await;
    let mut sender = connect_2(&server).await;
    let (taken, mut frames) = mpsc::unbounded_channel();
    let frame = Bytes::from(vec![b'x'; 16 << 10]);
    let endless = Box::pin(StreamBody::new(stream::repeat_with(move || {
        taken.send(frame.len()).unwrap();
        Ok::<_, Infallible>(Frame::data(frame.clone()))
    })));
    let request = Request::post("http://a/").body(endless).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "too large");
    let mut all = 0;
    let count = async {
        while let Some(bytes) = frames.recv().await {
            all += bytes;
        }
    };
    timeout(PATIENCE, count).await.unwrap();
    all
}

/// Returns type, flags and payload of the next HTTP/2 frame.
async fn frame(client: &mut Client) -> (u8, u8, Vec<u8>) {
    let mut head = [0; 9];
    client.0.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    client.0.read_exact(&mut payload).await.unwrap();
    (head[3], head[4], payload)
}

/// curl 7.88 ends its upload short when it sees the head of an error. That is a stream error, and
/// h2 drops what it has not written.
#[tokio::test(flavor = "multi_thread")]
async fn serve_21_a_client_that_ends_at_the_head_gets_the_rest() {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const PING: u8 = 6;

    let late = service(async |_| {
        let content = stream::once(async {
            // hyper has sent the head, and the task of the connection waits for this thread.
            // Another task takes its place, so that another thread takes it.
            tokio::spawn(async {});
            // This thread is as slow as a busy system makes it.
            std::thread::sleep(ms(50));
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"too large")))
        });
        Body::new(StreamBody::new(Box::pin(content)))
    });
    let server = run(server(), late).await;
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    // `POST / HTTP/2`, host `a`, with 10 bytes of content to come.
    let headers = [
        0, 0, 10, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84, 0x41, 0x01, b'a', 0x5c, 0x02, b'1', b'0',
    ];
    client.send(headers).await;
    let mut content = Vec::new();
    loop {
        match timeout(PATIENCE, frame(&mut client)).await.unwrap() {
            (HEADERS, ..) => client.send([0, 0, 1, DATA, 1, 0, 0, 0, 1, b'x']).await,
            (DATA, flags, payload) => {
                content.extend(payload);
                if flags & 1 == 1 {
                    break;
                }
            }
            (RST_STREAM, _, code) => panic!("reset with {code:?} after {content:?}"),
            _ => {}
        }
    }
    assert_eq!(content, b"too large");
    // The connection reads on.
    let ping = [0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    client.send(ping).await;
    loop {
        let (kind, flags, payload) = timeout(PATIENCE, frame(&mut client)).await.unwrap();
        if (kind, flags) == (PING, 1) {
            assert_eq!(payload, ping[9..]);
            break;
        }
    }
}

/// RST_STREAM with another code than NO_ERROR would permit the client to drop the response.
#[tokio::test]
async fn serve_21_an_upload_that_is_too_long_is_reset_without_an_error() {
    const DATA: u8 = 0;
    const RST_STREAM: u8 = 3;

    let server = run(server().lingering_time(ms(100)), refusing()).await;
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    // `POST / HTTP/2`, host `a`, without the end of its content.
    let headers = [
        0, 0, 6, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84, 0x41, 0x01, b'a',
    ];
    client.send(headers).await;
    client.send([0, 0, 1, DATA, 0, 0, 0, 0, 1, b'x']).await;
    let mut ended = None;
    loop {
        match timeout(PATIENCE, frame(&mut client)).await.unwrap() {
            (DATA, flags, payload) => {
                assert_eq!((flags & 1, &*payload), (1, &b"too large"[..]));
                ended = Some(Instant::now());
            }
            (RST_STREAM, _, code) => {
                assert_eq!(code, [0; 4]);
                break;
            }
            _ => {}
        }
    }
    // The response has come long before.
    let time = ended.unwrap().elapsed();
    assert!(time > ms(50), "{time:?}");
}

#[tokio::test]
async fn serve_21_an_endless_upload_over_http_2_ends_at_the_limit() {
    let limit = 4 << 20;
    let taken = taken_2(server().lingering_bytes(limit as u64)).await;
    // The window that the server has granted is taken as well.
    assert!(taken >= limit && taken < limit * 2, "{taken}");
    let taken = taken_2(server().lingering_bytes(0)).await;
    assert!(taken < limit, "{taken}");
}
