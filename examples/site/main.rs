//! A real site through five layers, in code: `cargo run -p examples --bin site`. The file site.ini
//! beside it has much the same without Rust.

mod stack;

use std::path::Path;

use clap::Parser;
use tower::BoxError;

use tower_exception::to_stderr;
use tower_serve::{Address, RequestBody, Server, Shutdown};

/// Serves a directory of files and a few routes through five tower layers.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: Address,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/files");
    let app = stack::site::<RequestBody>(files, to_stderr)?;
    let shutdown = Shutdown::signals()?;

    let server = Server::new(args.bind).bind().await?;
    for address in server.addresses() {
        println!("listening on {address}");
        println!("try  curl {address}/");
        println!("     curl {address}/notes.txt");
        println!("     curl {address}/hello/J%C3%B6rg");
        println!("     curl -i -X DELETE {address}/hello");
        println!("     curl -i {address}/panic");
        println!("     curl -T README.md {address}/upload");
    }
    println!("Ctrl-C ends it");

    server.serve(app, shutdown).await?;
    Ok(())
}
