//! The responses of programs.

use http::Request;
use http_body::Body as _;
use tower_gateway::{FastCgi, GatewayError};

use super::{ask, body, get, program::Program, reason, text};

#[tokio::test]
async fn gateway_14_the_head_is_read_from_the_output() {
    for (output, expected) in [
        ("Content-Type: a/b\r\n\r\nx", "200 content-type=a/b | x"),
        ("A: 1\nStatus: 404 Not Found\n\n", "404 a=1 | "),
        (
            "Location: https://example.org/\n\n",
            "302 location=https://example.org/ | ",
        ),
        (
            "Set-Cookie: a\nSet-Cookie: b\n\nx",
            "200 set-cookie=a set-cookie=b | x",
        ),
        (
            "A: 1\nConnection: A\nTransfer-Encoding: chunked\n\n2\r\nx",
            "200 | 2\r\nx",
        ),
    ] {
        let program = Program::responding(output).await;
        let service = FastCgi::connect(&program.address).unwrap();
        assert_eq!(
            text(ask(&service, get("/")).await).await,
            expected,
            "{output}"
        );
    }
}

#[tokio::test]
async fn gateway_15_a_head_that_is_not_valid_is_a_502() {
    for output in [
        "\nx",
        "<html>\n\n",
        "Status: 103\n\n",
        "Status: 200\nStatus: 200\n\n",
        "A: 1\n b\n\n",
    ] {
        let program = Program::responding(output).await;
        let service = FastCgi::connect(&program.address).unwrap();
        let response = ask(&service, get("/")).await;
        assert_eq!(
            reason(&response),
            Some(GatewayError::NoResponse),
            "{output}"
        );
        assert_eq!(response.status(), 502);
    }
    let endless = format!("A: {}", "x".repeat(70_000));
    let program = Program::responding(endless.clone()).await;
    let service = FastCgi::connect(&program.address).unwrap();
    assert_eq!(ask(&service, get("/")).await.status(), 502);
    let program = Program::responding(endless + "\n\n").await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .head_limit(80_000);
    assert_eq!(ask(&service, get("/")).await.status(), 200);
}

#[tokio::test]
async fn gateway_16_a_length_is_kept_and_checked() {
    for (output, expected) in [
        ("Content-Length: 3\n\nabc", "200 content-length=3 | abc"),
        ("Content-Length: 4\n\nabc", "502"),
        ("Content-Length: 2\n\nabc", "502"),
        ("Content-Length: 3\nContent-Length: 4\n\nabc", "502"),
        ("Content-Length: x\n\nabc", "502"),
    ] {
        let program = Program::responding(output).await;
        let service = FastCgi::connect(&program.address).unwrap();
        let found = text(ask(&service, get("/")).await).await;
        assert!(found.starts_with(expected), "{output}: {found}");
    }
    // Of a response that is still on its way, the body fails.
    for (more, error) in [("", true), ("c", false), ("cd", true)] {
        let program = Program::start(move |mut connection| async move {
            connection.request().await;
            connection.stdout(b"Content-Length: 3\n\nab").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            connection.stdout(more.as_bytes()).await;
            connection.end(0).await;
        })
        .await;
        let service = FastCgi::connect(&program.address).unwrap();
        let response = ask(&service, get("/")).await;
        assert_eq!(response.body().size_hint().exact(), Some(3));
        assert_eq!(text(response).await.contains("error"), error, "{more}");
    }
}

#[tokio::test]
async fn gateway_18_a_response_without_content_has_none() {
    for (method, output, expected) in [
        (
            "HEAD",
            "Content-Length: 3\n\nabc",
            "200 content-length=3 | ",
        ),
        ("HEAD", "A: 1\n\nabc", "200 a=1 | "),
        ("GET", "Status: 204\nContent-Length: 3\n\nabc", "204 | "),
        ("GET", "Status: 205\nContent-Length: 3\n\nabc", "205 | "),
        (
            "GET",
            "Status: 304\nETag: \"a\"\n\nabc",
            "304 etag=\"a\" | ",
        ),
        (
            "GET",
            "Status: 304\nContent-Length: 3\n\n",
            "304 content-length=3 | ",
        ),
    ] {
        let program = Program::responding(output).await;
        let service = FastCgi::connect(&program.address).unwrap();
        let request = Request::builder().method(method).body(body("")).unwrap();
        assert_eq!(
            text(ask(&service, request).await).await,
            expected,
            "{output}"
        );
    }
}

#[tokio::test]
async fn gateway_18_a_program_finishes_without_a_reader() {
    let (done, is_done) = tokio::sync::oneshot::channel();
    let done = std::sync::Mutex::new(Some(done));
    let program = Program::start(move |mut connection| {
        let done = done.lock().unwrap().take();
        async move {
            connection.request().await;
            connection.stdout(b"Status: 204\n\n").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            connection.stdout(b"x").await;
            connection.end(0).await;
            // Nothing came from the other side: no end, and no ABORT_REQUEST.
            assert_eq!(connection.closed().await, b"");
            let _ = done.unwrap().send(());
        }
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    assert_eq!(ask(&service, get("/")).await.status(), 204);
    is_done.await.unwrap();
}

#[tokio::test]
async fn gateway_30_a_response_that_breaks_off_is_an_error() {
    for end in [0_u8, 2] {
        let program = Program::start(move |mut connection| async move {
            connection.request().await;
            connection.stdout(b"A: 1\n\nsome").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if end > 0 {
                connection.end(end).await;
            }
        })
        .await;
        let service = FastCgi::connect(&program.address).unwrap();
        let found = text(ask(&service, get("/")).await).await;
        assert!(found.starts_with("200 a=1 | error: "), "{found}");
    }
}
