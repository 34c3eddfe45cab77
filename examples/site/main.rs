//! A real site through five layers: `cargo run -p examples --bin site`.

mod server;
mod stack;

use std::{io, net::SocketAddr, path::Path};

use clap::Parser;
use tokio::net::TcpListener;
use tower::BoxError;
use tower_exception::to_stderr;

/// Serves a folder of files and a handful of routes through five tower layers.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/files");
    let app = stack::site(files, to_stderr)?;
    let shutdown = shutdown_signal()?;

    let listener = TcpListener::bind(args.bind)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.bind))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("try  curl http://{address}/");
    println!("     curl http://{address}/notes.txt");
    println!("     curl http://{address}/hello/J%C3%B6rg");
    println!("     curl -i -X DELETE http://{address}/hello");
    println!("     curl -i http://{address}/panic");
    println!("     curl -T README.md http://{address}/upload");
    println!("Ctrl-C ends it");

    server::serve(listener, app, shutdown).await?;
    Ok(())
}

/// Resolves at Ctrl-C, and on Unix at SIGTERM. The handlers are in place when this returns.
#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler there is nothing to wait for but the end.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
