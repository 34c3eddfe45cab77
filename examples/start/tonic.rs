//! A gRPC program with one layer. It is shown in docs/guides/getting-started.md.

use axum::{Router, response::Response, routing::post};
use tokio::net::TcpListener;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tower_exception::{ExceptionLayer, to_stderr};

async fn broken() -> Response {
    panic!("this method always panics")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With generated code: `Routes::new(GreeterServer::new(Greeter))`.
    let routes = Routes::from(Router::new().route("/hello.Greeter/Broken", post(broken)));
    let server = Server::builder()
        .layer(ExceptionLayer::production(to_stderr))
        .add_routes(routes);

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    server
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}
