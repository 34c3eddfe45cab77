//! The time that requests take, also if the client left. Each request has a line, which is written
//! when its last byte was taken or the client was gone.
//!
//! `cargo run -p examples --bin timing`, then `curl http://127.0.0.1:8080/`, `curl -m 1 http://127.0.0.1:8080/slow` (which
//! gives up), and `curl http://127.0.0.1:8080/stream | head -c 100`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use clap::Parser;
use futures_util::{StreamExt, stream};
use http::{Method, Response, StatusCode, request, response};
use http_body_util::Full;
use tokio::{net::TcpListener, time::sleep};
use tower_hooks::{Hook, HooksLayer, Outcome};

/// Measures quick, slow and long responses.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

struct Timing;

/// The times of one request.
#[derive(Default)]
struct Times {
    request: Option<(Instant, Method, String)>,
    head: Option<(Duration, StatusCode)>,
}

impl Hook for Timing {
    type State = Times;

    async fn before(
        &self,
        times: &mut Times,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let path = request.uri.path().to_owned();
        times.request = Some((Instant::now(), request.method.clone(), path));
        ControlFlow::Continue(())
    }

    async fn after(&self, times: &mut Times, response: &mut response::Parts) {
        if let Some((start, ..)) = &times.request {
            times.head = Some((start.elapsed(), response.status));
        }
    }

    fn finish(&self, times: Times, outcome: Outcome) {
        let Some((start, method, path)) = times.request else {
            return;
        };
        let (outcome, total) = (outcome.kind(), start.elapsed());
        match times.head {
            Some((head, status)) => eprintln!(
                "{method} {path}: {status} after {head:.0?}, {outcome:?} after {total:.0?}"
            ),
            None => eprintln!("{method} {path}: no response, {outcome:?} after {total:.0?}"),
        }
    }
}

async fn slow() -> &'static str {
    sleep(Duration::from_secs(60)).await;
    "at last\n"
}

/// A line every millisecond, for as long as the client reads.
async fn long() -> Body {
    let lines = stream::repeat_with(|| Ok::<_, Infallible>("another line\n"));
    Body::from_stream(lines.then(async |line| {
        sleep(Duration::from_millis(1)).await;
        line
    }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/", get(async || "quick\n"))
        .route("/slow", get(slow))
        .route("/stream", get(long))
        .layer(HooksLayer::new().hook(Timing));
    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
