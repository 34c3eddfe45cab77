//! SCGI programs.

use tokio::io::AsyncWriteExt;
use tower_gateway::{GatewayError, Scgi};

use super::{ask, get, post, program::Program, reason, text};

#[tokio::test]
async fn gateway_13_a_request_is_a_netstring_and_a_body() {
    let program = Program::start(|mut connection| async move {
        let received = connection.netstring().await;
        assert_eq!(received.variables[0].0, "CONTENT_LENGTH");
        let map = received.map();
        assert_eq!(map["SCGI"], "1");
        let body = connection
            .exact(map["CONTENT_LENGTH"].parse().unwrap())
            .await;
        let line = format!(
            "Status: 201\r\nA: 1\r\n\r\n{} {}",
            map["REQUEST_URI"],
            String::from_utf8(body).unwrap()
        );
        connection.write(line.as_bytes()).await;
        connection.stream.shutdown().await.unwrap();
        // The other side is open until it has read everything.
        assert_eq!(connection.closed().await, b"");
    })
    .await;
    let service = Scgi::connect(&program.address).unwrap();
    assert_eq!(
        text(ask(&service, get("/a?b")).await).await,
        "201 a=1 | /a?b "
    );
    assert_eq!(
        text(ask(&service, post("/c", "d=1")).await).await,
        "201 a=1 | /c d=1"
    );
}

#[tokio::test]
async fn gateway_13_a_nul_in_the_path_is_refused() {
    let program = Program::start(|_| async {}).await;
    let service = Scgi::connect(&program.address).unwrap();
    let response = ask(&service, get("/a%00b")).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (400, Some(GatewayError::ControlCharacter))
    );
    assert_eq!(program.connections(), 0);
}

/// The end of the connection is the end of the response, so only a length shows that it was cut.
#[tokio::test]
async fn gateway_30_a_cut_scgi_response_is_known_by_its_length() {
    let program = Program::start(|mut connection| async move {
        connection.netstring().await;
        connection.write(b"Content-Length: 9\n\nabc").await;
    })
    .await;
    let service = Scgi::connect(&program.address).unwrap();
    let found = text(ask(&service, get("/")).await).await;
    assert!(
        found.starts_with("200 content-length=9 | error: "),
        "{found}"
    );
}
