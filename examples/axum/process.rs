//! tower-process alone in axum: a program of Python that starts and ends with this one, for all
//! paths without a route.
//!
//! `cargo run -p examples --bin axum-process`, then `curl -i http://127.0.0.1:8080/old?a=b`, and
//! Ctrl-C. The second argument is another command, such as `gunicorn --bind unix:{socket} app:app`.

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use axum::{Router, routing::get};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower_origin::OriginLayer;
use tower_process::{Process, watchdog};
use tower_upstream::Upstream;

/// It needs nothing but Python, and shows its request.
const PYTHON: &str = concat!(
    "python3 '",
    env!("CARGO_MANIFEST_DIR"),
    "/axum/old.py' {socket}"
);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "watchdog") {
        return Ok(watchdog(arguments));
    }
    serve()?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn serve() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let command = env::args().nth(2);
    let process = Process::new(command.as_deref().unwrap_or(PYTHON))?
        .name("old")
        // Python ends with this program also if this one is killed.
        .watchdog(env::current_exe()?, ["watchdog"])
        .start()?;
    let old = process.service(Upstream::new(process.address())?);
    let app = Router::new()
        .route("/new", get(async || "new\n"))
        .fallback_service(old)
        // It has the client's address, for X-Forwarded-For.
        .layer(OriginLayer::new());

    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            interrupt.recv().await;
        })
        .await?;
    process.stop().await;
    Ok(())
}
