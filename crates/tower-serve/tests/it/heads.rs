//! The time for a request's head.

use tokio::time::{Instant, sleep};

use super::*;

const TIMEOUT: Duration = ms(200);
/// The timeout and the delay of a busy machine, and less than twice the timeout.
const IN_TIME: Duration = ms(390);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// `GET / HTTP/2`, host `a`.
const HEADERS: &[u8] = &[
    0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x01, b'a',
];

async fn start() -> Running {
    run(server().header_timeout(TIMEOUT), echo_path()).await
}

#[tokio::test]
async fn serve_9_a_client_that_begins_and_stalls_is_dropped() {
    let server = start().await;
    for beginning in [
        &b""[..],
        b"G",
        b"GE",
        b"P",
        b"PRI * HT",
        b"GET / HTTP/1.1\r\nhost: a\r\n",
        PREFACE,
        &[PREFACE, EMPTY_SETTINGS].concat(),
        &[PREFACE, EMPTY_SETTINGS, &HEADERS[..12]].concat(),
    ] {
        let mut client = server.connect().await;
        client.send(beginning).await;
        let (_, time) = client.rest().await;
        let beginning = String::from_utf8_lossy(beginning);
        assert!(time > TIMEOUT / 2, "{beginning:?} after {time:?}");
        assert!(time < IN_TIME, "{beginning:?} after {time:?}");
    }
}

#[tokio::test]
async fn serve_9_a_byte_now_and_then_buys_no_time() {
    let server = start().await;
    let client = server.connect().await;
    let (mut reader, mut writer) = client.0.into_split();
    let start = Instant::now();
    let writing = tokio::spawn(async move {
        let head = b"PRI * HTTP/1.1\r\nhost: a\r\nx: very slow, and never complete";
        for byte in head {
            // The reader sees the end.
            let _ = writer.write_all(&[*byte]).await;
            sleep(ms(25)).await;
        }
    });
    let _ = timeout(PATIENCE, reader.read_to_end(&mut Vec::new()))
        .await
        .unwrap();
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    writing.abort();
}

#[tokio::test]
async fn serve_9_a_later_head_has_its_time_from_its_first_byte() {
    let server = start().await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        assert!(client.get("/first").await.ends_with("/first"));
        sleep(TIMEOUT * 2).await;
    }
    client.send("GET /second HTTP/1.1\r\n").await;
    let (rest, time) = client.rest().await;
    // A 408 might be taken for the response to a request that the client has just sent.
    assert_eq!(rest, b"");
    assert!(time > TIMEOUT / 2 && time < IN_TIME, "{time:?}");
}

#[tokio::test]
async fn serve_22_an_idle_connection_has_the_keep_alive_timeout() {
    let server = server().keep_alive_timeout(TIMEOUT);
    let server = run(server, echo_path()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        sleep(TIMEOUT / 2).await;
        assert!(client.get("/first").await.ends_with("/first"));
    }
    let (rest, time) = client.rest().await;
    assert_eq!(rest, b"");
    assert!(time > TIMEOUT / 2 && time < IN_TIME, "{time:?}");

    // It does not count for the first head, or for one that has begun.
    let mut client = server.connect().await;
    sleep(TIMEOUT * 2).await;
    client.get("/first").await;
    client.send("GET /second HTTP/1.1\r\n").await;
    sleep(TIMEOUT * 2).await;
    client.send("host: a\r\n\r\n").await;
    assert!(client.response().await.ends_with("/second"));
}

#[tokio::test]
async fn serve_22_an_idle_http_2_connection_is_ended() {
    let server = server().keep_alive_timeout(TIMEOUT).header_timeout(TIMEOUT);
    let server = run(server, echo_path()).await;
    let (mut sender, connection) = super::exchange::connect_2_with_end(&server).await;
    for _ in 0..3 {
        let request = Request::get("http://a/").body(http_body_util::Empty::<bytes::Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap();
        sleep(TIMEOUT / 2).await;
    }
    let end = timeout(PATIENCE, connection).await;
    end.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn serve_22_a_slow_service_and_an_open_body_are_not_idle() {
    let slow = service(async |request: Request<RequestBody>| {
        sleep(TIMEOUT * 2).await;
        // It is read after the response.
        tokio::spawn(http_body_util::BodyExt::collect(request.into_body()));
        Body::from("late")
    });
    let server = server().keep_alive_timeout(TIMEOUT).header_timeout(TIMEOUT);
    let server = run(server, slow).await;
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n")
        .await;
    assert!(client.response().await.ends_with("late"));
    for _ in 0..4 {
        sleep(TIMEOUT * 3 / 4).await;
        client.send("xx").await;
    }
    assert!(client.get("/").await.ends_with("late"));
}

#[tokio::test]
async fn serve_9_the_time_of_a_response_does_not_count() {
    let slow = service(async |_| {
        sleep(TIMEOUT * 2).await;
        Body::from("late")
    });
    let server = run(server().header_timeout(TIMEOUT), slow).await;
    let mut client = server.connect().await;
    assert!(client.get("/").await.ends_with("late"));
    assert!(client.get("/").await.ends_with("late"));
}

#[tokio::test]
async fn serve_9_an_http_2_peer_that_is_dead_is_noticed() {
    let server = start().await;
    let mut client = server.connect().await;
    client
        .send([PREFACE, EMPTY_SETTINGS, HEADERS].concat())
        .await;
    // The response comes, then a ping, which this client does not answer.
    let (rest, time) = client.rest().await;
    assert!(rest.windows(1).any(|byte| byte == b"/"));
    assert!(time > TIMEOUT && time < TIMEOUT * 4, "{time:?}");
}

#[tokio::test]
async fn serve_9_an_http_2_peer_that_lives_may_be_idle() {
    let server = start().await;
    let client = super::protocols::http2();
    super::protocols::get(&client, server.address, "/a").await;
    sleep(TIMEOUT * 4).await;
    assert!(!server.task.is_finished());
    let before = super::protocols::connections(&client);
    super::protocols::get(&client, server.address, "/b").await;
    assert_eq!(super::protocols::connections(&client), before);
}

#[tokio::test]
async fn no_time_is_too_long_to_count() {
    let server = server()
        .header_timeout(Duration::MAX)
        .body_timeout(Duration::MAX)
        .write_timeout(Duration::MAX)
        .drain_timeout(Duration::MAX)
        .connections(usize::MAX);
    let server = run(server, echo_path()).await;
    let mut client = server.connect().await;
    assert!(client.get("/first").await.ends_with("/first"));
    client
        .send("POST /second HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
        .await;
    assert!(client.response().await.ends_with("/second"));
    server.trigger.signal();
    server.ended().await.unwrap();
}
