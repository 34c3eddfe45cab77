//! Connections: which are kept, and what happens to requests on one that was closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Request;
use tower_gateway::{FastCgi, GatewayError};

use super::{ask, body, get, post, program::Program, reason, text};

/// A program that serves several requests on a connection.
async fn kept() -> Program {
    Program::start(|mut connection| async move {
        while connection.try_request().await.is_some() {
            connection.stdout(b"A: 1\n\nx").await;
            connection.end(0).await;
        }
    })
    .await
}

#[tokio::test]
async fn gateway_26_connections_are_kept_if_asked() {
    let program = kept().await;
    let service = FastCgi::connect(&program.address).unwrap();
    for _ in 0..3 {
        assert_eq!(text(ask(&service, get("/")).await).await, "200 a=1 | x");
    }
    assert_eq!(program.connections(), 3);
    let service = service.keep_connections(1);
    for request in [get("/"), post("/", "abc"), get("/")] {
        assert_eq!(text(ask(&service, request).await).await, "200 a=1 | x");
    }
    assert_eq!(program.connections(), 4);
}

#[tokio::test]
async fn gateway_26_a_connection_with_late_output_is_not_used() {
    let program = Program::start(|mut connection| async move {
        while connection.try_request().await.is_some() {
            connection.stdout(b"A: 1\n\nx").await;
            connection.end(0).await;
            connection.send(7, b"too late").await;
        }
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    for _ in 0..3 {
        assert_eq!(text(ask(&service, get("/")).await).await, "200 a=1 | x");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(program.connections(), 3);
}

/// The rest of a body would be the beginning of the next request.
#[tokio::test]
async fn gateway_26_a_connection_with_half_a_request_is_not_used() {
    let program = Program::start(|mut connection| async move {
        while connection.head().await.is_some() {
            connection.stdout(b"A: 1\n\nx").await;
            connection.end(0).await;
            while connection
                .record()
                .await
                .is_some_and(|(_, content)| !content.is_empty())
            {}
        }
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    for _ in 0..2 {
        let body = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<http_body::Frame<bytes::Bytes>, std::io::Error>,
        >());
        let request = Request::post("/").header("content-length", 5);
        let found = text(ask(&service, request.body(body).unwrap()).await).await;
        assert_eq!(found, "200 a=1 | x");
    }
    assert_eq!(program.connections(), 2);
}

#[tokio::test]
async fn gateway_26_a_connection_is_kept_after_a_head() {
    let program = kept().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    for _ in 0..3 {
        let head = Request::head("/").body(body("")).unwrap();
        assert_eq!(text(ask(&service, head).await).await, "200 a=1 | ");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(program.connections(), 1);
}

/// A program that responds once, and closes the connection when the next request is there.
async fn closing() -> (Program, Arc<AtomicUsize>) {
    let requests: Arc<AtomicUsize> = Arc::default();
    let count = requests.clone();
    let program = Program::start(move |mut connection| {
        let count = count.clone();
        async move {
            connection.request().await;
            count.fetch_add(1, Ordering::SeqCst);
            connection.stdout(b"A: 1\n\nx").await;
            connection.end(0).await;
            if connection.try_request().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    (program, requests)
}

#[tokio::test]
async fn gateway_26_an_idempotent_request_is_sent_again_once() {
    let (program, requests) = closing().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    for _ in 0..2 {
        assert_eq!(text(ask(&service, get("/")).await).await, "200 a=1 | x");
    }
    assert_eq!(
        (program.connections(), requests.load(Ordering::SeqCst)),
        (2, 3)
    );
    let put = Request::put("/").body(body("")).unwrap();
    assert_eq!(text(ask(&service, put).await).await, "200 a=1 | x");
    assert_eq!(
        (program.connections(), requests.load(Ordering::SeqCst)),
        (3, 5)
    );
}

#[tokio::test]
async fn gateway_26_a_post_is_never_sent_again() {
    let (program, requests) = closing().await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    assert_eq!(ask(&service, get("/")).await.status(), 200);
    let response = ask(&service, post("/", "a")).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (502, Some(GatewayError::NoResponse))
    );
    assert_eq!(
        (program.connections(), requests.load(Ordering::SeqCst)),
        (1, 2)
    );
}

#[tokio::test]
async fn gateway_26_a_closed_connection_is_noticed_before() {
    let program = Program::start(|mut connection| async move {
        connection.request().await;
        connection.stdout(b"A: 1\n\nx").await;
        connection.end(0).await;
    })
    .await;
    let service = FastCgi::connect(&program.address)
        .unwrap()
        .keep_connections(1);
    for _ in 0..3 {
        assert_eq!(
            text(ask(&service, post("/", "a")).await).await,
            "200 a=1 | x"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(program.connections(), 3);
}

#[tokio::test]
async fn gateway_29_a_program_that_does_not_listen_is_a_502() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    for address in [address, "unix:/nowhere/x.sock".to_owned()] {
        let service = FastCgi::connect(&address).unwrap();
        let response = ask(&service, get("/")).await;
        assert_eq!(reason(&response), Some(GatewayError::Unreachable));
        let found = text(response).await;
        assert!(
            found.starts_with("502 ") && found.ends_with("cannot be reached\n"),
            "{found}"
        );
        assert!(!found.contains(&address));
    }
    let connect = Request::connect("example.org:443").body(body("")).unwrap();
    let service = FastCgi::connect("127.0.0.1:9").unwrap();
    let response = ask(&service, connect).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (501, Some(GatewayError::NoTunnel))
    );
}
