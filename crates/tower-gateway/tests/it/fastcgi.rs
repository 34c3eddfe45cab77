//! FastCGI programs, record by record.

use std::sync::{Arc, Mutex};

use tower_gateway::{FastCgi, GatewayError};

use super::{ask, get, post, program::Program, reason, text};

#[tokio::test]
async fn gateway_12_a_response_may_come_in_any_pieces() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        // The head is cut in the middle, with STDERR and a reply about the connection in between.
        connection.send(6, b"Status: 201 Crea").await;
        connection.send(7, b"PHP Notice: x\n").await;
        connection.write(&[1, 10, 0, 0, 0, 0, 3, 0, 9, 9, 9]).await;
        connection.send(6, b"ted\r\nX-A: 1\r\n\r").await;
        connection.send(6, b"\nbo").await;
        connection.send(6, b"dy").await;
        connection.send(6, b"").await;
        connection.send(7, b"late").await;
        connection.end(0).await;
    })
    .await;
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let service = FastCgi::connect(&program.address).unwrap().stderr({
        let lines = lines.clone();
        move |line| {
            lines
                .lock()
                .unwrap()
                .push(format!("{} {} {}", line.method, line.uri, line.text))
        }
    });
    assert_eq!(
        text(ask(&service, get("/p?q")).await).await,
        "201 x-a=1 | body"
    );
    assert_eq!(
        *lines.lock().unwrap(),
        ["GET /p?q PHP Notice: x", "GET /p?q late"]
    );
}

#[tokio::test]
async fn gateway_12_a_body_is_stdin_records() {
    let program = Program::start(|mut connection| async move {
        let received = connection.request().await;
        let line = format!(
            "A: 1\n\n{} {:?}",
            received.keep,
            String::from_utf8(received.body)
        );
        connection.stdout(line.as_bytes()).await;
        connection.end(0).await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    let found = text(ask(&service, post("/", "a=1&b=2")).await).await;
    assert_eq!(found, "200 a=1 | false Ok(\"a=1&b=2\")");
    let kept = service.keep_connections(1);
    assert_eq!(
        text(ask(&kept, get("/")).await).await,
        "200 a=1 | true Ok(\"\")"
    );
}

#[tokio::test]
async fn gateway_15_output_that_is_no_response_is_a_502() {
    for output in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        // STDOUT of another request, and STDIN from the program.
        &[1, 6, 0, 2, 0, 1, 0, 0, b'x'],
        &[1, 5, 0, 1, 0, 0, 0, 0],
        // An END_REQUEST of 4 bytes.
        &[1, 3, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0],
        // Half a record, and nothing.
        &[1, 6, 0, 1, 0, 9, 0, 0, b'A', b':'],
        &[],
    ] {
        let program = Program::start(move |mut connection| async move {
            connection.request().await;
            connection.write(output).await;
        })
        .await;
        let service = FastCgi::connect(&program.address).unwrap();
        let response = ask(&service, get("/")).await;
        assert_eq!(response.status(), 502, "{output:?}");
        assert_eq!(reason(&response), Some(GatewayError::NoResponse));
    }
}

#[tokio::test]
async fn gateway_27_the_status_of_the_protocol_counts() {
    for (status, expected) in [
        (1, GatewayError::Overloaded),
        (2, GatewayError::Overloaded),
        (3, GatewayError::NoResponse),
        (9, GatewayError::NoResponse),
    ] {
        let program = Program::start(move |mut connection| async move {
            connection.request().await;
            connection.end(status).await;
        })
        .await;
        let service = FastCgi::connect(&program.address).unwrap();
        let response = ask(&service, get("/")).await;
        assert_eq!(reason(&response), Some(expected), "{status}");
        let is_busy = expected == GatewayError::Overloaded;
        assert_eq!(response.headers().contains_key("retry-after"), is_busy);
    }
    // An application status is the program's own affair: the request is complete.
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        connection.stdout(b"A: 1\n\nx").await;
        connection.send(3, &[0, 0, 0, 255, 0, 0, 0, 0]).await;
    })
    .await;
    let service = FastCgi::connect(&program.address).unwrap();
    assert_eq!(text(ask(&service, get("/")).await).await, "200 a=1 | x");
}

#[tokio::test]
async fn gateway_27_an_end_without_a_head_is_a_502() {
    let program = Program::responding("").await;
    let service = FastCgi::connect(&program.address).unwrap();
    assert_eq!(ask(&service, get("/")).await.status(), 502);
}
