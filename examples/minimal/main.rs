//! An application with factories of its own, put together by an INI file: PasteDeploy's smallest pipeline.
//!
//! `cargo run -p examples --bin minimal` serves it; `cargo run -p examples --bin minimal -- explain examples/minimal/minimal.ini` shows
//! what the file leads to, and `check` says what is wrong with it.

use std::{convert::Infallible, env, net::SocketAddr, process::ExitCode};

use axum::Router;
use bytes::Bytes;
use clap::Parser;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::Deserialize;
use tokio::net::TcpListener;
use tower::service_fn;
use tower_body_rewrite::PrefixLayer;
use tower_deploy::{App, Body, BoxError, Filter, Loader, Registry, cli};

/// Serves what minimal.ini says.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
    /// The section of the file.
    #[arg(long, value_name = "NAME", default_value = "main")]
    name: String,
}

/// The app's three settings.
#[derive(Deserialize)]
struct Minimal {
    greeting: String,
    subject: String,
    footer: String,
}

#[derive(Deserialize)]
struct Prefix {
    prefix: String,
}

fn registry() -> Registry {
    Registry::new()
        .app("minimal", |_global, settings: Minimal| {
            let text = format!(
                "{} {}!\nThis is {}.\n",
                settings.greeting, settings.subject, settings.footer
            );
            Ok::<_, Infallible>(App::new(service_fn(move |_: Request<Body>| {
                let mut response = Response::new(Full::<Bytes>::from(text.clone()));
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, plain);
                async { Ok::<_, Infallible>(response) }
            })))
        })
        .filter("minimal#prefix", |_global, settings: Prefix| {
            Ok::<_, Infallible>(Filter::new(PrefixLayer::new(settings.prefix + " ")))
        })
}

#[tokio::main]
async fn serve() -> Result<(), BoxError> {
    let args = Args::parse();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/minimal");
    let loader = Loader::new(registry()).relative_to(folder);
    let app = loader.load_app(&format!("config:minimal.ini#{}", args.name))?;
    let listener = TcpListener::bind(args.bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(app)).await?;
    Ok(())
}

fn main() -> ExitCode {
    if matches!(env::args().nth(1).as_deref(), Some("check" | "explain")) {
        return cli::main(registry());
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
