//! The application of link.wsgi's tutorial, whole: routes to functions and to a class with a method
//! for each HTTP method, a middleware that sees each request and its route before and after the
//! handler, and the JSON file as a table in code.
//!
//! `cargo run -p examples --bin link-tutorial`, then `curl -i http://127.0.0.1:8080/hello`, and `/counter` with GET, POST and
//! DELETE. Without `user=` in the query there is no `/counter`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, body::Body};
use bytes::Bytes;
use clap::Parser;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, request, response};
use http_body_util::Full;
use tokio::net::TcpListener;
use tower::service_fn;
use tower_dispatch::{Dispatch, Pattern, UrlArgs, View};
use tower_hooks::{Hook, HooksLayer};

/// Counts, and says hello.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

type HttpResult = Result<Response<Body>, Infallible>;

fn text(text: impl Into<Body>) -> HttpResult {
    Ok(Response::new(text.into()))
}

async fn hello(_: Request<Body>) -> HttpResult {
    text("Hello world\n")
}

async fn goodbye(_: Request<Body>) -> HttpResult {
    text("Goodbye\n")
}

/// One object for all requests, with a method for each of its HTTP methods.
#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    async fn get(self: Arc<Self>, _: Request<Body>) -> HttpResult {
        text(format!("{}\n", self.0.load(Ordering::Relaxed)))
    }

    async fn post(self: Arc<Self>, _: Request<Body>) -> HttpResult {
        text(format!("{}\n", self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

/// Rejects requests without a name, and adds the route to every response.
struct MyMiddleware;

impl Hook for MyMiddleware {
    type State = Option<HeaderValue>;

    async fn before(
        &self,
        route: &mut Self::State,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        // The hooks are around the handlers, so the route is known.
        let args = request.extensions.get::<UrlArgs>();
        *route = args.and_then(|args| args.pattern().parse().ok());
        let query = request.uri.query().unwrap_or_default();
        let is_named = query.split('&').any(|pair| pair.starts_with("user="));
        if is_named || request.uri.path() != "/counter" {
            return ControlFlow::Continue(());
        }
        let mut response = Response::new(Full::from("Who counts? Say ?user=…\n"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        ControlFlow::Break(response)
    }

    async fn after(&self, route: &mut Self::State, response: &mut response::Parts) {
        if let Some(route) = route.take() {
            let name = HeaderName::from_static("x-route");
            response.headers.insert(name, route);
        }
    }
}

/// The tutorial's JSON file: patterns in the form of Python's `re.match`, each with its methods and
/// their handlers; and the middlewares.
fn router()
-> Result<Dispatch<tower_dispatch::Endpoint<Body, Infallible>>, Box<dyn std::error::Error>> {
    let counter = View::new(Counter::default())
        .get(Counter::get)
        .post(Counter::post);
    let urls = Dispatch::builder()
        .get(Pattern::regex_prefix("^/hello$")?, service_fn(hello))
        .method(
            Method::DELETE,
            Pattern::regex_prefix("^/hello$")?,
            service_fn(goodbye),
        )
        .view(Pattern::regex_prefix("^/counter$")?, counter)
        .layer(HooksLayer::new().hook(MyMiddleware).skip_after_on_abort())
        .first_path_match_decides()
        .build()?;
    Ok(urls)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(router()?)).await?;
    Ok(())
}
