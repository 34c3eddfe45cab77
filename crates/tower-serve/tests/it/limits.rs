//! The limit of connections.

use super::*;

#[tokio::test]
async fn serve_12_the_third_of_two_connections_waits() {
    let server = run(server().connections(2), echo_path()).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    first.get("/").await;
    second.get("/").await;
    let mut third = server.connect().await;
    third.send("GET /third HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(third.is_silent_for(ms(150)).await);
    first.get("/").await;
    drop(second);
    assert!(third.response().await.ends_with("/third"));
}

#[tokio::test]
async fn serve_12_there_is_at_least_one_connection() {
    let server = run(server().connections(0), echo_path()).await;
    assert!(server.get("/one").await.ends_with("/one"));
    assert!(server.get("/two").await.ends_with("/two"));
}

#[tokio::test]
async fn serve_13_a_server_without_a_free_slot_gets_the_signal() {
    let server = run(server().connections(1), echo_path()).await;
    let mut client = server.connect().await;
    client.get("/").await;
    server.trigger.signal();
    server.ended().await.unwrap();
}
